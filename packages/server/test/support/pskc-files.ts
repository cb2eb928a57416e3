// PSKC files (RFC 6030) as a manufacturer makes them, to be read by the server.
import { createCipheriv, createHmac, pbkdf2Sync, randomBytes } from 'node:crypto'

const xenc = 'http://www.w3.org/2001/04/xmlenc#'
const pkcs5 = 'http://www.rsasecurity.com/rsalabs/pkcs/schemas/pkcs-5v2-0#'

const namespaces = [
  'xmlns="urn:ietf:params:xml:ns:keyprov:pskc"',
  'xmlns:ds="http://www.w3.org/2000/09/xmldsig#"',
  `xmlns:xenc="${xenc}"`,
  'xmlns:xenc11="http://www.w3.org/2009/xmlenc11#"',
  `xmlns:pkcs5="${pkcs5}"`,
].join(' ')

export const totp = 'urn:ietf:params:xml:ns:keyprov:pskc:totp'
export const hotp = 'urn:ietf:params:xml:ns:keyprov:pskc:hotp'

export const hmacs = {
  sha1: 'http://www.w3.org/2000/09/xmldsig#hmac-sha1',
  sha256: 'http://www.w3.org/2001/04/xmldsig-more#hmac-sha256',
} as const

/** A container around packages; what goes before them is the header. */
export function container(packages: string[], header = ''): string {
  const lines = ['<?xml version="1.0"?>', `<KeyContainer Version="1.0" ${namespaces}>${header}`, ...packages]
  return [...lines, '</KeyContainer>'].join('\n')
}

interface PackageParts {
  serial?: string
  algorithm?: string
  format?: string
  secret?: string
  /** in seconds; nothing leaves it out */
  interval?: string
  /** further elements of the key */
  more?: string
}

/** A key package on one line: a time-based token of six digits and 30 seconds unless something else is said. */
export function keyPackage(parts: PackageParts = {}): string {
  const { serial = '1000', algorithm = totp, secret = plain(Buffer.from('12345678901234567890')), more = '' } = parts
  const { format = '<ResponseFormat Length="6" Encoding="DECIMAL"/>', interval = '30' } = parts
  const time = interval && `<TimeInterval><PlainValue>${interval}</PlainValue></TimeInterval>`
  return (
    `<KeyPackage><DeviceInfo><SerialNo>${serial}</SerialNo></DeviceInfo>` +
    `<Key Id="k${serial}" Algorithm="${algorithm}">` +
    `<AlgorithmParameters>${format}</AlgorithmParameters><Data><Secret>${secret}</Secret>${time}</Data>${more}` +
    '</Key></KeyPackage>'
  )
}

export function plain(seed: Uint8Array): string {
  return `<PlainValue>${Buffer.from(seed).toString('base64')}</PlainValue>`
}

/** One who encrypts secrets and says so in the header of the file. */
export interface Encrypter {
  header: string
  secret(seed: Uint8Array): string
}

interface Choices {
  hash?: 'sha1' | 'sha256'
  macKey?: Uint8Array
  /** in place of the element EncryptionKey */
  encryptionKey?: string
}

/** AES-CBC with a key of 16, 24 or 32 bytes, and an HMAC. */
export function encrypter(
  key: Uint8Array,
  { hash = 'sha1', macKey = randomBytes(20), encryptionKey }: Choices = {},
): Encrypter {
  const named = encryptionKey ?? '<EncryptionKey><ds:KeyName>K</ds:KeyName></EncryptionKey>'
  const { xml } = encrypt(key, macKey)
  return {
    header: `${named}<MACMethod Algorithm="${hmacs[hash]}"><MACKey>${xml}</MACKey></MACMethod>`,
    secret(seed) {
      const { xml, cipher } = encrypt(key, seed)
      const mac = createHmac(hash, macKey).update(cipher).digest('base64')
      return `<EncryptedValue>${xml}</EncryptedValue><ValueMAC>${mac}</ValueMAC>`
    },
  }
}

interface Derivation {
  password: string
  keyBytes?: number
  prf?: 'sha1' | 'sha256'
  hash?: 'sha1' | 'sha256'
}

/** As encrypter(), with a key that PBKDF2 makes of a password. */
export function passwordEncrypter({ password, keyBytes = 16, prf, hash }: Derivation): Encrypter {
  const salt = randomBytes(8)
  const key = pbkdf2Sync(password, salt, 100, keyBytes, prf ?? 'sha1')
  const encryptionKey = derivedKey({
    Salt: `<Specified>${salt.toString('base64')}</Specified>`,
    KeyLength: `${keyBytes}`,
    prf,
  })
  return encrypter(key, { encryptionKey, ...(hash && { hash }) })
}

interface DerivedKeyParts {
  Salt?: string
  IterationCount?: string
  KeyLength?: string
  prf?: 'sha1' | 'sha256' | undefined
  algorithm?: string
}

export function derivedKey(parts: DerivedKeyParts = {}): string {
  const { Salt = '<Specified>Ej7/PEpyEpw=</Specified>', IterationCount = '100', KeyLength = '16', prf } = parts
  const params =
    `<Salt>${Salt}</Salt><IterationCount>${IterationCount}</IterationCount><KeyLength>${KeyLength}</KeyLength>` +
    (prf ? `<PRF Algorithm="${hmacs[prf]}"/>` : '')
  return (
    `<EncryptionKey><xenc11:DerivedKey><xenc11:KeyDerivationMethod Algorithm="${parts.algorithm ?? `${pkcs5}pbkdf2`}">` +
    `<pkcs5:PBKDF2-params>${params}</pkcs5:PBKDF2-params>` +
    '</xenc11:KeyDerivationMethod></xenc11:DerivedKey></EncryptionKey>'
  )
}

function encrypt(key: Uint8Array, clear: Uint8Array): { xml: string; cipher: Uint8Array } {
  const bits = key.length * 8
  const iv = randomBytes(16)
  const aes = createCipheriv(`aes-${bits}-cbc`, key, iv).setAutoPadding(false)
  const cipher = Buffer.concat([iv, aes.update(padded(clear)), aes.final()])
  const method = `<xenc:EncryptionMethod Algorithm="${xenc}aes${bits}-cbc"/>`
  const value = `<xenc:CipherValue>${cipher.toString('base64')}</xenc:CipherValue>`
  return { xml: `${method}<xenc:CipherData>${value}</xenc:CipherData>`, cipher }
}

/** XML Encryption’s padding: anything, and how much of it there is in the last byte. */
function padded(clear: Uint8Array): Buffer {
  const length = 16 - (clear.length % 16)
  return Buffer.concat([clear, randomBytes(length - 1), Buffer.from([length])])
}
