import {
  createCipheriv,
  createDecipheriv,
  createHash,
  createHmac,
  hkdfSync,
  randomBytes,
  randomUUID,
  timingSafeEqual,
} from 'node:crypto'
import { existsSync } from 'node:fs'
import type { Storage } from '../storage/storage.ts'
import { createKeyring, type Keyring, readKeyring } from './keyring.ts'

/** Where an encrypted field lives; part of what is authenticated, so that a ciphertext cannot be moved to another row. */
export interface FieldPlace {
  table: string
  column: string
  row: string
}

/** What each derived key is for. A key is never used for two things. */
export type MacPurpose = 'index' | 'row' | 'verdict' | 'number' | 'audit' | 'reply'

/** All that needs a key of the server. Nothing it returns or throws holds a key or a clear text it was not asked for. */
export interface Secrets {
  /** HMAC-SHA-256 of the text under the purpose's key, base64url */
  mac(purpose: MacPurpose, text: string): string
  encrypt(place: FieldPlace, clear: string): string
  /** Throws when the field was changed, moved, or encrypted under a key that is gone. */
  decrypt(place: FieldPlace, cipher: string): string
}

const purposes: MacPurpose[] = ['index', 'row', 'verdict', 'number', 'audit', 'reply']

/**
 * Unwraps the installation's keys, and makes them in an empty database. On a database that has keys a missing or a wrong
 * keyring is refused: making a new one would leave every secret in it unreadable.
 */
export async function openSecrets(storage: Storage, keyringFile: string, now: number): Promise<Secrets> {
  if ((await storage.keys.list()).length === 0) await createKeys(storage, keyringOf(keyringFile), now)
  if (!existsSync(keyringFile)) throw new Error(missing(keyringFile))
  const keyring = readKeyring(keyringFile)
  const unwrapped = (await storage.keys.list()).map((row) => ({ ...row, key: unwrap(keyring, row, keyringFile) }))
  const root = unwrapped.find(({ purpose }) => purpose === 'root')
  const fields = unwrapped.filter(({ purpose }) => purpose === 'fields')
  if (!root || fields.length === 0) throw new Error('The database has lost its keys. Restore it from a backup.')
  return secretsOf(root.key, new Map(fields.map(({ id, key }) => [id, key])))
}

/** The secrets made of a root and of the keys for fields, the last of which encrypts what is new. */
export function secretsOf(root: Uint8Array, fieldKeys: Map<string, Uint8Array>): Secrets {
  const macKeys = new Map(purposes.map((purpose) => [purpose, derive(root, purpose)]))
  const [newest] = [...fieldKeys.keys()].slice(-1)
  return {
    mac: (purpose, text) => keyedHash(keyNamed(macKeys, purpose), text),
    encrypt: (place, clear) => seal(keyNamed(fieldKeys, newest ?? ''), newest ?? '', aad(place), clear),
    decrypt(place, cipher) {
      const [, id = ''] = cipher.split('.')
      return open(keyNamed(fieldKeys, id), aad(place), cipher)
    },
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

function aad({ table, column, row }: FieldPlace): string {
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

function keyringOf(file: string): Keyring {
  return existsSync(file) ? readKeyring(file) : createKeyring(file)
}

async function createKeys(storage: Storage, keyring: Keyring, now: number): Promise<void> {
  const rows = ['root', 'fields'].map((purpose) => {
    const id = randomUUID().slice(0, 8)
    const kek = keyNamed(keyring.keys, keyring.active)
    const wrapped = seal(kek, keyring.active, wrapping(id), randomBytes(32).toString('base64'))
    return { id, purpose, kek_id: keyring.active, wrapped, created_at: now }
  })
  await storage.transaction(async (tx) => {
    // Two processes may meet the same empty database: whoever is first decides, the other finds the keys there.
    if (await tx.keys.insertRoot(rows.slice(0, 1))) await tx.keys.insert(rows.slice(1))
  })
}

function unwrap(keyring: Keyring, row: { id: string; kek_id: string; wrapped: string }, file: string): Uint8Array {
  const kek = keyring.keys.get(row.kek_id)
  if (!kek) throw new Error(wrong(file))
  try {
    return new Uint8Array(Buffer.from(open(kek, wrapping(row.id), row.wrapped), 'base64'))
  } catch (cause) {
    throw new Error(wrong(file), { cause })
  }
}

function wrapping(id: string): string {
  return aad({ table: 'data_keys', column: 'wrapped', row: id })
}

function missing(file: string): string {
  return `The keyring ${file} is missing, and this database was made with one. Put it back, or name it with COUNTERSIGN_KEYRING.`
}

function wrong(file: string): string {
  return `The keyring ${file} is not the one this database was made with. Copy the right one here (every node needs the same).`
}
