import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { it } from 'node:test'
import fc from 'fast-check'
import { readHardwareFile } from '../../src/core/hardware-files/index.ts'
import {
  container,
  derivedKey,
  type Encrypter,
  encrypter,
  hmacs,
  keyPackage,
  passwordEncrypter,
  plain,
} from '../support/pskc-files.ts'

const seed = new Uint8Array(Buffer.from('12345678901234567890'))
const key = new Uint8Array(16).fill(7)
const other = new Uint8Array(16).fill(8)
const psk = { preSharedKey: key }
const wrongMac =
  'The MAC does not fit: the password or pre-shared key is not the one of this file, or the file was changed.'

const read = (text: string, keys = {}) => readHardwareFile(Buffer.from(text), keys)

function fileOf({ header, secret }: Encrypter, seeds: Uint8Array[] = [seed]): string {
  return container(
    seeds.map((bytes, index) => keyPackage({ serial: `${index}`, secret: secret(bytes) })),
    header,
  )
}

function refuses(text: string, keys: object, message: string | RegExp): void {
  assert.throws(() => read(text, keys), { code: 'api.error.badrequest', message })
}

/** The problem of the second of three tokens; the others are imported. */
function problemOfSecond(change: (secret: string) => string, header?: string): string | undefined {
  const sender = encrypter(key)
  const packages = ['1', '2', '3'].map((serial) => {
    const secret = sender.secret(seed)
    return keyPackage({ serial, secret: serial === '2' ? change(secret) : secret })
  })
  const { tokens, refused } = read(container(packages, header ?? sender.header), psk)
  assert.equal(tokens.length, 2)
  return refused[0]?.problem
}

it('seeds under AES-128, -192 and -256 with either HMAC are decrypted, whatever their length', () => {
  const property = fc.property(
    fc.constantFrom(16, 24, 32),
    fc.constantFrom('sha1' as const, 'sha256' as const),
    fc.array(fc.uint8Array({ minLength: 10, maxLength: 64 }), { minLength: 1, maxLength: 4 }),
    (keyBytes, hash, seeds) => {
      const preSharedKey = randomBytes(keyBytes)
      const { tokens } = read(fileOf(encrypter(preSharedKey, { hash }), seeds), { preSharedKey })
      assert.deepEqual(
        tokens.map((token) => token.seed),
        seeds,
      )
    },
  )
  fc.assert(property, { numRuns: 100 })
})

it('a password makes a key of each length, by either HMAC', () => {
  for (const keyBytes of [16, 24, 32]) {
    for (const prf of [undefined, 'sha1', 'sha256'] as const) {
      const password = 'pässwörd ✓'
      const file = fileOf(passwordEncrypter({ password, keyBytes, hash: 'sha256', ...(prf && { prf }) }))
      assert.deepEqual(read(file, { password }).tokens[0]?.seed, seed)
    }
  }
})

it('a password’s parameters are also read where XML Encryption 1.1 has them', () => {
  const file = fileOf(passwordEncrypter({ password: 'x' }))
    .replace(/"[^"]*#pbkdf2"/, '"http://www.w3.org/2009/xmlenc11#pbkdf2"')
    .replace(/pkcs5:PBKDF2-params/g, 'xenc11:PBKDF2-params')
  assert.match(file, /xmlenc11#pbkdf2/)
  assert.deepEqual(read(file, { password: 'x' }).tokens[0]?.seed, seed)
})

it('a wrong password or pre-shared key is told as such, whatever the padding looks like by chance', () => {
  for (let attempt = 0; attempt < 100; attempt++)
    refuses(fileOf(encrypter(key)), { preSharedKey: randomBytes(16) }, wrongMac)
  for (let attempt = 0; attempt < 40; attempt++) {
    refuses(fileOf(passwordEncrypter({ password: 'qwerty' }), [seed, seed]), { password: `q${attempt}` }, wrongMac)
  }
})

it('a missing password or pre-shared key is asked for', () => {
  refuses(
    fileOf(encrypter(key)),
    {},
    /^The file is encrypted with the pre-shared key “K”, which is needed to read it\.$/,
  )
  refuses(fileOf(encrypter(key)), { password: 'x' }, /^The file is encrypted with the pre-shared key “K”/)
  const file = fileOf(passwordEncrypter({ password: 'x' }))
  for (const keys of [{}, psk])
    refuses(file, keys, 'The file is encrypted with a password, which is needed to read it.')
})

it('every changed byte of a seed’s ciphertext, and every other MAC, is found by the MAC', () => {
  const cipherValue = /(<xenc:CipherValue>)([^<]*)/
  const flip = (base64: string, position: number) => {
    const bytes = Buffer.from(base64, 'base64')
    bytes.writeUInt8(bytes.readUInt8(position) ^ 1, position)
    return bytes.toString('base64')
  }
  for (let position = 0; position < 48; position++) {
    const change = (secret: string) => secret.replace(cipherValue, (_, tag, value) => tag + flip(value, position))
    assert.equal(problemOfSecond(change), wrongMac)
  }
  for (const mac of ['', 'AAAA', Buffer.alloc(20).toString('base64'), Buffer.alloc(32).toString('base64')]) {
    const change = (secret: string) => secret.replace(/<ValueMAC>[^<]*/, `<ValueMAC>${mac}`)
    assert.equal(problemOfSecond(change), wrongMac)
  }
  const half = (secret: string) => secret.replace(/<ValueMAC>[^<]*/, (mac) => `${mac.slice(0, -16)}`)
  assert.equal(problemOfSecond(half), wrongMac)
})

it('a seed without a MAC, in clear, or encrypted in another way is refused among the others', () => {
  const cases: [change: (secret: string) => string, problem: string | RegExp][] = [
    [(secret) => secret.replace(/<ValueMAC>.*/, ''), 'The seed is encrypted without a MAC.'],
    [() => plain(seed), 'The seed stands in clear where it should be encrypted.'],
    [(secret) => plain(seed) + secret, 'The seed stands in clear where it should be encrypted.'],
    [(secret) => secret + secret, 'The element EncryptedValue is there twice.'],
    [(secret) => secret.replace(/<ValueMAC>.*/, '$&$&'), 'The element ValueMAC is there twice.'],
    [(secret) => secret.replace('aes128-cbc', 'aes128-gcm'), /aes128-gcm” is not supported, only AES-CBC\.$/],
    [(secret) => secret.replace('aes128-cbc', 'aes256-cbc'), /^The key has 16 bytes, but .*aes256-cbc” needs 32\.$/],
    [(secret) => secret.replace(/<xenc:EncryptionMethod[^>]*>/, ''), 'The element EncryptionMethod is missing.'],
    [(secret) => secret.replace(/CipherValue/g, 'CipherReference'), 'The element CipherValue is missing.'],
  ]
  for (const [change, problem] of cases) {
    const found = problemOfSecond(change) ?? ''
    if (typeof problem === 'string') assert.equal(found, problem)
    else assert.match(found, problem)
  }
})

it('a file without a MAC, or whose MAC key could be guessed, gives no seed', () => {
  const { header, secret } = encrypter(key)
  const unauthenticated = read(
    container([keyPackage({ secret: secret(seed) })], header.replace(/<MACMethod.*/, '')),
    psk,
  )
  assert.deepEqual(unauthenticated.refused[0]?.problem, 'The seed is encrypted without a MAC.')
  for (const length of [0, 1, 15]) refuses(fileOf(encrypter(key, { macKey: randomBytes(length) })), psk, wrongMac)
  assert.equal(read(fileOf(encrypter(key, { macKey: randomBytes(16) })), psk).tokens.length, 1)
  const empty = header.replace(/<MACKey>.*<\/MACKey>/, '')
  refuses(container([keyPackage({ secret: secret(seed) })], empty), psk, /^The element MACKey is missing\.$/)
})

it('who gives a key for a file that is not encrypted gets no seed out of it', () => {
  for (const keys of [psk, { password: 'x' }]) {
    const { tokens, refused } = read(container([keyPackage()]), keys)
    assert.deepEqual(tokens, [])
    assert.equal(refused[0]?.problem, 'The seed stands in clear where it should be encrypted.')
  }
  const { secret } = encrypter(key)
  const [refused] = read(container([keyPackage({ secret: secret(seed) })]), psk).refused
  assert.equal(refused?.problem, 'The seed is encrypted, but the file names no key.')
})

it('an encryption that is not supported, or not complete, is refused as a whole and named', () => {
  const { header, secret } = encrypter(key)
  const headers: [header: string, message: RegExp][] = [
    [header.replace(hmacs.sha1, `${hmacs.sha1}x`), /hmac-sha1x” is not supported, only HMAC-SHA1 and -SHA256\.$/],
    [header.replace(hmacs.sha1, 'constructor'), /^The algorithm “constructor” is not supported/],
    [header.replace(/"[^"]*aes128-cbc"/, '"__proto__"'), /^The algorithm “__proto__” is not supported/],
    [header.replace('aes128-cbc', 'tripledes-cbc'), /tripledes-cbc” is not supported, only AES-CBC\.$/],
    [
      header.replace(/<ds:KeyName>.*<\/ds:KeyName>/, '<ds:X509Data/>'),
      /^The file is encrypted for a certificate; only passwords/,
    ],
    [header.replace(/(<xenc:CipherValue>)[^<]*/, '$1AAAA'), /^A ciphertext is not whole blocks of AES\.$/],
    [header.replace(/(<xenc:CipherValue>)[^<]*/, '$1!'), /The element “CipherValue” is not base64\.$/],
    [header + header, /The element EncryptionKey is there twice\.$/],
    [header.replace(/<MACMethod.*/, '$&$&'), /The element MACMethod is there twice\.$/],
  ]
  for (const [changed, message] of headers)
    refuses(container([keyPackage({ secret: secret(seed) })], changed), psk, message)
  refuses(
    fileOf(encrypter(key)),
    { preSharedKey: new Uint8Array(17) },
    /The key has 17 bytes, but .*aes128-cbc” needs 16\.$/,
  )
})

it('a password’s parameters are bounded, so that a file cannot hold the server up', () => {
  const parameters: [Parameters<typeof derivedKey>[0], RegExp][] = [
    [{ IterationCount: '2000001' }, /IterationCount is not a number from 1 to 2000000\.$/],
    [{ IterationCount: '99999999999999999999' }, /IterationCount is not a number from 1 to 2000000\.$/],
    [{ IterationCount: '0' }, /IterationCount is not a number/],
    [{ IterationCount: '1e3' }, /IterationCount is not a number/],
    [{ KeyLength: '33' }, /KeyLength is not a number from 1 to 32\.$/],
    [{ KeyLength: '' }, /KeyLength is not a number/],
    [{ KeyLength: '8' }, /The key has 8 bytes/],
    [{ Salt: '<OtherSource/>' }, /The element Specified is missing\.$/],
    [{ algorithm: 'urn:scrypt' }, /^The key derivation “urn:scrypt” is not supported, only PBKDF2\.$/],
  ]
  const started = performance.now()
  for (const [parts, message] of parameters) {
    refuses(fileOf(encrypter(other, { encryptionKey: derivedKey(parts) })), { password: 'x' }, message)
  }
  assert.ok(performance.now() - started < 2_000)
})
