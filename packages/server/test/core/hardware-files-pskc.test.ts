import assert from 'node:assert/strict'
import { it } from 'node:test'
import { readHardwareFile } from '../../src/core/hardware-files/index.ts'
import { type PskcKey, readPskcKeys } from '../../src/core/hardware-files/pskc.ts'
import { container, hotp, keyPackage, plain, totp } from '../support/pskc-files.ts'
import {
  figure2,
  figure5,
  figure6,
  figure6Key,
  figure7,
  figure7Password,
  figure10,
} from '../support/rfc6030-figures.ts'

const seed = '12345678901234567890'
const counterBased = 'The token is counter-based (HOTP); only time-based tokens (TOTP) can be imported.'

const read = (text: string, keys = {}) => readHardwareFile(Buffer.from(text), keys)
const problemsOf = (text: string) => read(text).refused.map(({ problem }) => problem)

function readAll(xml: string, keys: object): PskcKey[] {
  const parts = readPskcKeys(xml, { ...keys, tokensMax: 10 })
  for (;;) {
    const { done, value } = parts.next()
    if (done) return value
  }
}

it('the secrets of RFC 6030’s figures 2, 5, 6, 7 and 10 are read as the RFC gives them', () => {
  const psk = { preSharedKey: new Uint8Array(Buffer.from(figure6Key, 'hex')) }
  const figures: [xml: string, keys: object, expected: [string, string][]][] = [
    [figure2, {}, [['12345678', '1234']]],
    [
      figure5,
      {},
      [
        ['987654321', seed],
        ['987654321', '1234'],
      ],
    ],
    [figure6, psk, [['987654321', seed]]],
    [figure7, { password: figure7Password }, [['987654321', seed]]],
    [figure10, {}, ['654321', '123456', '9999999', '9999999'].map((serial) => [serial, seed])],
  ]
  for (const [xml, keys, expected] of figures) {
    const found = readAll(xml, keys).map((key) => [key.serialNumber(), Buffer.from(key.secret()).toString()])
    assert.deepEqual(found, expected)
  }
})

it('the keys of RFC 6030’s figures are counter-based, a PIN, or there twice: each is refused, with the reason', () => {
  assert.deepEqual(read(figure2).refused, [{ line: 3, serialNumber: '12345678', problem: counterBased }])
  assert.deepEqual(problemsOf(figure5), [counterBased, 'The serial number stands already in line 3.'])
  assert.deepEqual(problemsOf(figure10).slice(0, 3), [counterBased, counterBased, counterBased])
  assert.match(problemsOf(figure10)[3] ?? '', /^The serial number stands already in line 55\.$/)
})

it('RFC 6030’s figures are imported once their algorithm is TOTP', () => {
  const token = { serialNumber: '987654321', type: 'TOTP8', timeStep: 30, seed: new Uint8Array(Buffer.from(seed)) }
  const key = new Uint8Array(Buffer.from(figure6Key, 'hex'))
  const figures: [string, object][] = [
    [figure5, {}],
    [figure6, { preSharedKey: key }],
    [figure7, { password: figure7Password }],
    [figure6, { password: 'not needed', preSharedKey: key }],
  ]
  for (const [figure, keys] of figures) {
    const [{ line, ...imported } = { line: 0 }] = read(figure.replaceAll(hotp, totp), keys).tokens
    assert.deepEqual(imported, token)
    assert.ok(line > 1)
  }
})

it('digits, time step and the name of a token are read, and its line is that of its package', () => {
  const eight = '<ResponseFormat Length="8" Encoding="DECIMAL" CheckDigits="false"/><Suite>HMAC-SHA1</Suite>'
  const packages = [
    keyPackage({ serial: '1', format: eight, interval: '60', more: '<FriendlyName>Alice’s</FriendlyName>' }),
    keyPackage({ serial: '2', interval: '', more: '<Policy><KeyUsage>OTP</KeyUsage></Policy>' }),
    keyPackage({ serial: '3', more: '<Extensions><x xmlns="urn:x">\n</x></Extensions>' }),
    keyPackage({ serial: '4' }),
  ]
  const { tokens, refused } = read(container(packages))
  assert.deepEqual(refused, [])
  assert.deepEqual(
    tokens.map(({ seed, ...token }) => token),
    [
      { serialNumber: '1', alias: 'Alice’s', type: 'TOTP8', timeStep: 60, line: 3 },
      { serialNumber: '2', type: 'TOTP6', timeStep: 30, line: 4 },
      { serialNumber: '3', type: 'TOTP6', timeStep: 30, line: 5 },
      { serialNumber: '4', type: 'TOTP6', timeStep: 30, line: 7 },
    ],
  )
})

it('prefixes, comments, character references and CDATA change nothing', () => {
  const plainFile = container([keyPackage({ serial: 'A&amp;B' })])
  const expected = read(plainFile)
  assert.equal(expected.tokens[0]?.serialNumber, 'A&B')
  const same = [
    plainFile.replace(/<(\/?)([A-Z])/g, '<$1p:$2').replace('xmlns=', 'xmlns:p='),
    plainFile.replace('A&amp;B', '<!-- c -->A&#38;<!-- c -->B'),
    plainFile.replace('A&amp;B', 'A<![CDATA[&]]>B'),
    plainFile.replace('A&amp;B', '  A&#x26;B\t '),
    plainFile.replace('<?xml version="1.0"?>', '<?xml version="1.0" encoding="UTF-8"?><!-- c --><?pi x?>'),
    `\ufeff${plainFile}`,
  ]
  for (const text of same) assert.deepEqual(read(text), expected, text)
})

it('each key that cannot be imported is refused with a reason, and those around it are not', () => {
  const format = (attributes: string) => `<ResponseFormat ${attributes}/>`
  const refusals: [Parameters<typeof keyPackage>[0], string][] = [
    [{ algorithm: hotp }, counterBased],
    [{ algorithm: `${totp}x` }, `The key’s algorithm is “${totp}x”; only TOTP can be imported.`],
    [{ algorithm: '' }, 'The key’s algorithm is “”; only TOTP can be imported.'],
    [
      { format: format('Length="7" Encoding="DECIMAL"') },
      'The token’s codes have “7” digits; only 6 and 8 are supported.',
    ],
    [{ format: format('Encoding="DECIMAL"') }, 'The file does not say how many digits the token’s codes have.'],
    [{ format: format('Length="6" Encoding="HEXADECIMAL"') }, 'The token’s codes are not decimal digits.'],
    [
      { format: format('Length="6" Encoding="DECIMAL" CheckDigits="1"') },
      'The token’s codes end with a check digit, which is not supported.',
    ],
    [{ format: '' }, 'The element ResponseFormat is missing.'],
    [
      { format: `${format('Length="6" Encoding="DECIMAL"')}<Suite>HMAC-SHA256</Suite>` },
      'The token’s codes are made by “HMAC-SHA256”; only SHA-1 is supported.',
    ],
    [
      { interval: '30</PlainValue><EncryptedValue/><PlainValue>30' },
      'The element TimeInterval is encrypted: only seeds may be.',
    ],
    [{ interval: '45' }, 'The token’s time step is “45”; only 30 and 60 seconds are supported.'],
    [{ interval: '30</PlainValue><PlainValue>60' }, 'The element PlainValue is there twice.'],
    [{ secret: '' }, 'The key has no secret.'],
    [{ secret: '<PlainValue>!</PlainValue>' }, 'The element “PlainValue” is not base64.'],
    [{ secret: '<PlainValue>MTIzNDU2Nzg5MDEyMzQ1Njc4OTA</PlainValue>' }, 'The element “PlainValue” is not base64.'],
    [{ secret: plain(Buffer.from('123456789')) }, 'The seed has 9 bytes; a seed has 10 to 64.'],
    [{ secret: plain(new Uint8Array(65)) }, 'The seed has 65 bytes; a seed has 10 to 64.'],
    [{ secret: plain(Buffer.from(seed)) + plain(Buffer.from(seed)) }, 'The element PlainValue is there twice.'],
    [
      { more: '<Policy><KeyUsage>Encrypt</KeyUsage></Policy>' },
      'The key’s policy (KeyUsage) does not allow one-time passwords.',
    ],
    [
      { more: '<Policy><PINPolicy PINUsageMode="Prepend"/></Policy>' },
      'The token’s codes are combined with a PIN, which is not supported.',
    ],
    [{ more: '</Key><Key>' }, 'The element Key is there twice.'],
  ]
  for (const [parts, problem] of refusals) {
    const packages = ['1', '2', '3'].map((serial) => keyPackage(serial === '2' ? { serial, ...parts } : { serial }))
    const { tokens, refused } = read(container(packages))
    assert.deepEqual(
      refused.map((token) => [token.line, token.problem]),
      [[4, problem]],
    )
    assert.deepEqual(
      tokens.map((token) => token.serialNumber),
      ['1', '3'],
    )
  }
})

it('what is in another namespace is not PSKC’s', () => {
  const file = container([keyPackage()])
  const foreign = (name: string) => file.replace(new RegExp(`<${name}\\b`), '$& xmlns="urn:x"')
  assert.deepEqual(problemsOf(foreign('Secret')), ['The key has no secret.'])
  assert.deepEqual(problemsOf(foreign('PlainValue')), ['The key has no secret.'])
  assert.deepEqual(problemsOf(foreign('Key')), ['The element Key is missing.'])
  assert.equal(read(foreign('DeviceInfo')).tokens[0]?.serialNumber, 'k1000')
  assert.throws(() => read(foreign('KeyPackage')), { message: 'The file has no keys (no KeyPackage).' })
  for (const uri of ['urn:x', 'urn:ietf:params:xml:ns:keyprov:pskc:1.0', '']) {
    const other = file.replace('xmlns="urn:ietf:params:xml:ns:keyprov:pskc"', `xmlns="${uri}"`)
    assert.throws(() => read(other), { message: 'The file is XML, but not PSKC (RFC 6030).' })
  }
})

it('a container of another version, or with another root, is refused as a whole', () => {
  const file = container([keyPackage()])
  for (const [text, message] of [
    [
      file.replace('Version="1.0"', 'Version="2.0"'),
      /^The file is PSKC of version “2.0”; only 1.0 \(RFC 6030\) is read\.$/,
    ],
    [file.replace('Version="1.0"', ''), /^The file is PSKC of version “”; only/],
    ['<html/>', /^The file is XML, but not PSKC \(RFC 6030\)\.$/],
    [container([]), /^The file has no keys \(no KeyPackage\)\.$/],
  ] as const) {
    assert.throws(() => read(text), { code: 'api.error.badrequest', message })
  }
})
