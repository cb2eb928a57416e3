import { createDecipheriv, createHmac, pbkdf2Sync, timingSafeEqual } from 'node:crypto'
import { unusableFile } from '../text-files.ts'
import { quoted, TokenProblem } from './entries.ts'
import { base64Of, find, type Namespace, need, ns, textOf } from './pskc-elements.ts'
import type { XmlElement } from './xml.ts'

/** What an encrypted file was encrypted with; it is one of the two. */
export interface PskcKeys {
  password?: string
  preSharedKey?: Uint8Array
}

/** What the secrets of a container are read with. */
export interface Decryption {
  /** the file, or whoever gives a key for it, says that its secrets are encrypted */
  isExpected: boolean
  /** The secret of a <Secret>. Its MAC is checked first; throws a TokenProblem when that does not fit. */
  decrypt(secret: XmlElement): Uint8Array
}

/** Told of one token, or of the file where it is true of all. */
export const wrongMac =
  'The MAC does not fit: the password or pre-shared key is not the one of this file, or the file was changed.'

type HashName = 'sha1' | 'sha256'

// Maps: an object would also have what a file calls "constructor".
const hashes = new Map<string, HashName>([
  [`${ns.ds}hmac-sha1`, 'sha1'],
  ['http://www.w3.org/2001/04/xmldsig-more#hmac-sha256', 'sha256'],
])

const aesKeyBytes = new Map<string, number>([
  [`${ns.xenc}aes128-cbc`, 16],
  [`${ns.xenc}aes192-cbc`, 24],
  [`${ns.xenc}aes256-cbc`, 32],
])

const kdfs = [`${ns.pkcs5}pbkdf2`, `${ns.xenc11}pbkdf2`]

// Half a second; the RFC's own example has 1,000. More would let a file hold the server up.
const iterationsMax = 2_000_000

/** Finds the key and the MAC key of a container. Throws when no secret of it can be decrypted. */
export function openEncryption(header: XmlElement, keys: PskcKeys): Decryption {
  try {
    const encryptionKey = find(header, 'EncryptionKey')
    const given = keys.password !== undefined || keys.preSharedKey !== undefined
    if (!encryptionKey)
      return { isExpected: given, decrypt: () => refuse('The seed is encrypted, but the file names no key.') }
    const key = keyOf(encryptionKey, keys)
    const mac = macOf(find(header, 'MACMethod'), key)
    return { isExpected: true, decrypt: (secret) => decryptSecret(secret, key, mac) }
  } catch (error) {
    throw error instanceof TokenProblem ? unusableFile(error.message) : error
  }
}

function refuse(problem: string): never {
  throw new TokenProblem(problem)
}

function keyOf(encryptionKey: XmlElement, { password, preSharedKey }: PskcKeys): Uint8Array {
  const derived = find(encryptionKey, 'DerivedKey', ['xenc11', 'pskc'])
  if (derived) {
    if (password === undefined) throw unusableFile('The file is encrypted with a password, which is needed to read it.')
    return deriveKey(need(derived, 'KeyDerivationMethod', ['xenc11', 'pskc']), password)
  }
  const name = find(encryptionKey, 'KeyName', ['ds'])
  if (!name) return refuse('The file is encrypted for a certificate; only passwords and pre-shared keys are supported.')
  if (preSharedKey) return preSharedKey
  throw unusableFile(
    `The file is encrypted with the pre-shared key ${quoted(textOf(name))}, which is needed to read it.`,
  )
}

/** RFC 6030, section 6.2. Its example leaves what is inside PBKDF2-params without a namespace. */
function deriveKey(method: XmlElement, password: string): Uint8Array {
  const algorithm = method.attributes.Algorithm ?? ''
  if (!kdfs.includes(algorithm)) refuse(`The key derivation ${quoted(algorithm)} is not supported, only PBKDF2.`)
  const spaces: Namespace[] = ['pkcs5', 'xenc11', 'pskc', 'none']
  const params = need(method, 'PBKDF2-params', spaces)
  const salt = base64Of(need(need(params, 'Salt', spaces), 'Specified', spaces))
  const iterations = numberOf(need(params, 'IterationCount', spaces), iterationsMax)
  const keyBytes = numberOf(need(params, 'KeyLength', spaces), 32)
  return new Uint8Array(pbkdf2Sync(password, salt, iterations, keyBytes, prfOf(find(params, 'PRF', spaces))))
}

function numberOf(element: XmlElement, max: number): number {
  const number = /^[0-9]{1,9}$/.test(textOf(element)) ? Number(textOf(element)) : 0
  if (number < 1 || number > max) refuse(`The element ${element.name} is not a number from 1 to ${max}.`)
  return number
}

function prfOf(prf: XmlElement | undefined): HashName {
  const algorithm = prf?.attributes.Algorithm ?? ''
  // RFC 8018: HMAC-SHA-1 when nothing is said.
  return algorithm === '' ? 'sha1' : hashNamed(algorithm)
}

function hashNamed(algorithm: string): HashName {
  return (
    hashes.get(algorithm) ?? refuse(`The algorithm ${quoted(algorithm)} is not supported, only HMAC-SHA1 and -SHA256.`)
  )
}

type Mac = { hash: HashName; key: Uint8Array }

function macOf(method: XmlElement | undefined, key: Uint8Array): Mac | undefined {
  if (!method) return
  const hash = hashNamed(method.attributes.Algorithm ?? '')
  const macKey = unpad(decryptValue(need(method, 'MACKey'), key))
  // Nothing authenticates the MAC key: cut to some bytes it could be guessed, and any MAC be made.
  if (!macKey || macKey.length < 16) throw unusableFile(wrongMac)
  return { hash, key: macKey }
}

function decryptSecret(secret: XmlElement, key: Uint8Array, mac: Mac | undefined): Uint8Array {
  const encrypted = need(secret, 'EncryptedValue')
  const valueMac = find(secret, 'ValueMAC')
  // Without a MAC whoever changes CBC’s ciphertext changes the seed.
  if (!mac || !valueMac) throw new TokenProblem('The seed is encrypted without a MAC.')
  const expected = createHmac(mac.hash, mac.key).update(cipherValueOf(encrypted)).digest()
  const stated = base64Of(valueMac)
  if (stated.length !== expected.length || !timingSafeEqual(stated, expected)) throw new TokenProblem(wrongMac)
  return unpad(decryptValue(encrypted, key)) ?? refuse('The seed’s padding is wrong.')
}

function cipherValueOf(encrypted: XmlElement): Uint8Array {
  return base64Of(need(need(encrypted, 'CipherData', ['xenc']), 'CipherValue', ['xenc']))
}

/** The clear text, still padded. XML Encryption puts the initialization vector before the ciphertext. */
function decryptValue(encrypted: XmlElement, key: Uint8Array): Uint8Array {
  const algorithm = need(encrypted, 'EncryptionMethod', ['xenc']).attributes.Algorithm ?? ''
  const keyBytes =
    aesKeyBytes.get(algorithm) ?? refuse(`The algorithm ${quoted(algorithm)} is not supported, only AES-CBC.`)
  if (key.length !== keyBytes) refuse(`The key has ${key.length} bytes, but ${quoted(algorithm)} needs ${keyBytes}.`)
  const bytes = cipherValueOf(encrypted)
  if (bytes.length < 32 || bytes.length % 16 !== 0) refuse('A ciphertext is not whole blocks of AES.')
  const decipher = createDecipheriv(`aes-${keyBytes * 8}-cbc`, key, bytes.subarray(0, 16)).setAutoPadding(false)
  return new Uint8Array(Buffer.concat([decipher.update(bytes.subarray(16)), decipher.final()]))
}

/** XML Encryption 1.1, section 5.2: only the last byte says how long the padding is, the others may be anything. */
function unpad(padded: Uint8Array): Uint8Array | undefined {
  const length = padded.at(-1) ?? 0
  return length < 1 || length > 16 ? undefined : padded.subarray(0, -length)
}
