import {
  createCipheriv,
  createDecipheriv,
  createHash,
  createHmac,
  hkdfSync,
  randomBytes,
  timingSafeEqual,
} from 'node:crypto'

/** Where an encrypted field lives; part of what is authenticated, so that a ciphertext cannot be moved to another row. */
export interface FieldPlace {
  table: string
  column: string
  /** id of the row; `user id/id` where what it holds is one user's, so that the row cannot be given to another either */
  row: string
}

/** What each derived key is for. A key is never used for two things. */
export type MacPurpose = 'index' | 'row' | 'verdict' | 'number' | 'audit' | 'reply' | 'topic'

/** A key pair that tells push services who sends (RFC 8292). Both halves as base64url, the public one as a point. */
export interface VapidKey {
  id: string
  publicKey: string
  privateKey: string
  createdAt: number
}

/** All that needs a key of the server. Nothing it returns or throws holds a key or a clear text it was not asked for. */
export interface Secrets {
  /** HMAC-SHA-256 of the text under the purpose's key, base64url */
  mac(purpose: MacPurpose, text: string): string
  encrypt(place: FieldPlace, clear: string): string
  /** Throws when the field was changed, moved, or encrypted under a key that is gone. */
  decrypt(place: FieldPlace, cipher: string): string
  /** The keys that pushes are signed with, oldest first. */
  vapidKeys(): VapidKey[]
  /** Learns of keys that another process has added. A server does so regularly, or it soon encrypts nothing more. */
  reload(): Promise<void>
}

const purposes: MacPurpose[] = ['index', 'row', 'verdict', 'number', 'audit', 'reply', 'topic']

/** The secrets made of a root and of the keys for fields. Without `encrypting`, the last of these encrypts what is new. */
export function secretsOf(
  root: Uint8Array,
  fieldKeys: Map<string, Uint8Array>,
  encrypting: () => string = () => [...fieldKeys.keys()].at(-1) ?? '',
): Omit<Secrets, 'reload' | 'vapidKeys'> {
  const macKeys = new Map(purposes.map((purpose) => [purpose, derive(root, purpose)]))
  return {
    mac: (purpose, text) => keyedHash(keyNamed(macKeys, purpose), text),
    encrypt(place, clear) {
      const id = encrypting()
      return seal(keyNamed(fieldKeys, id), id, aad(place), clear)
    },
    decrypt: (place, cipher) => open(keyNamed(fieldKeys, keyIdOf(cipher)), aad(place), cipher),
  }
}

/** HMAC-SHA-256, base64url. */
export function keyedHash(key: Uint8Array, text: string): string {
  return createHmac('sha256', key).update(text, 'utf8').digest('base64url')
}

/** SHA-256, base64url: for secrets of 128 random bits and more, which need no key. */
export function plainHash(text: string): string {
  return createHash('sha256').update(text, 'utf8').digest('base64url')
}

/** SHA-256 as bytes. */
export function sha256Bytes(text: string): Uint8Array {
  return new Uint8Array(createHash('sha256').update(text, 'utf8').digest())
}

/** Whether two texts are the same, in a time that depends on neither's content. */
export function sameSecret(first: string, second: string): boolean {
  const one = createHash('sha256').update(first, 'utf8').digest()
  const two = createHash('sha256').update(second, 'utf8').digest()
  return timingSafeEqual(one, two)
}

/** The field format `v1.<key id>.<nonce>.<ciphertext and tag>`, AES-256-GCM with a random nonce. */
export function seal(key: Uint8Array, keyId: string, additional: string, clear: string): string {
  const nonce = randomBytes(12)
  const cipher = createCipheriv('aes-256-gcm', key, nonce).setAAD(Buffer.from(additional, 'utf8'))
  const sealed = Buffer.concat([cipher.update(clear, 'utf8'), cipher.final(), cipher.getAuthTag()])
  return `v1.${keyId}.${nonce.toString('base64url')}.${sealed.toString('base64url')}`
}

/** Reverses seal(); throws when anything was changed. */
export function open(key: Uint8Array, additional: string, field: string): string {
  const [version, , nonce = '', sealed = ''] = field.split('.')
  const bytes = Buffer.from(sealed, 'base64url')
  if (version !== 'v1' || bytes.length < 16) throw new Error('An encrypted field is not in the format v1.')
  const decipher = createDecipheriv('aes-256-gcm', key, Buffer.from(nonce, 'base64url'), { authTagLength: 16 })
  decipher.setAAD(Buffer.from(additional, 'utf8')).setAuthTag(bytes.subarray(-16))
  return Buffer.concat([decipher.update(bytes.subarray(0, -16)), decipher.final()]).toString('utf8')
}

/** Id of the key that an encrypted field names. */
export function keyIdOf(field: string): string {
  const [, id = ''] = field.split('.')
  return id
}

/** What is authenticated together with a field: its place. */
export function aad({ table, column, row }: FieldPlace): string {
  return `${table}|${column}|${row}|v1`
}

function derive(root: Uint8Array, purpose: MacPurpose): Uint8Array {
  return new Uint8Array(hkdfSync('sha256', root, new Uint8Array(), `countersign/${purpose}`, 32))
}

function keyNamed<Name>(keys: Map<Name, Uint8Array>, name: Name): Uint8Array {
  const key = keys.get(name)
  if (!key) throw new Error(`There is no key "${String(name)}".`)
  return key
}
