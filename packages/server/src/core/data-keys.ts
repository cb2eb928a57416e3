import { createECDH, randomBytes, randomUUID } from 'node:crypto'
import { existsSync } from 'node:fs'
import type { DataKeyRow } from '../storage/keys.ts'
import type { Storage } from '../storage/storage.ts'
import { ApiError } from './errors.ts'
import { createKeyring, type Keyring, readKeyring } from './keyring.ts'
import { aad, keyIdOf, open, type Secrets, seal, secretsOf, type VapidKey } from './secrets.ts'

/** From its creation, a key for fields waits so long until it encrypts: by then every server has learned of it. */
export const activationMs = 60_000

/** How often a server looks for new keys. */
export const reloadMs = 15_000

/** Who has not looked for so long may not know the key that is to be used by now, and encrypts nothing. */
const leaseMs = 45_000

export interface SecretsOptions {
  /** file */
  keyring: string
  now(): number
  /** milliseconds of a clock that nobody sets */
  uptime?(): number
}

/**
 * Unwraps the installation's keys, and makes them in an empty database. On a database that has keys a missing or a wrong
 * keyring is refused: making a new one would leave every secret in it unreadable.
 */
export async function openSecrets(storage: Storage, options: SecretsOptions): Promise<Secrets> {
  const { keyring, now } = options
  if ((await storage.keys.list()).length === 0) await createKeys(storage, keyringOf(keyring), now())
  const known = new KnownKeys(storage, options)
  await known.reload()
  const secrets = secretsOf(known.root(), known.fields, () => known.encrypting())
  return {
    ...secrets,
    decrypt(place, cipher) {
      // Of a key that is younger than our last look: the next request will find it.
      if (!known.fields.has(keyIdOf(cipher))) known.reloadLater()
      return secrets.decrypt(place, cipher)
    },
    vapidKeys: () => known.vapidKeys(),
    reload: () => known.reload(),
  }
}

/** A row for a new key, wrapped by the active key of the keyring. */
export function newDataKey(keyring: Keyring, purpose: 'root' | 'fields' | 'vapid', createdAt: number): DataKeyRow {
  const id = randomUUID().slice(0, 8)
  const key = purpose === 'vapid' ? newPrivateKey() : new Uint8Array(randomBytes(32))
  return { id, purpose, ...wrap(keyring, id, key), created_at: createdAt }
}

/** The same key under the active key of the keyring. Throws when the keyring cannot open it; `file` is what to call it. */
export function rewrapped(keyring: Keyring, row: DataKeyRow, file: string): DataKeyRow {
  return { ...row, ...wrap(keyring, row.id, unwrap(keyring, row, file)) }
}

/** Throws, saying what is wrong with it, when this keyring file does not open these keys. */
export function requireKeyring(rows: DataKeyRow[], file: string): void {
  const keyring = readExisting(file)
  for (const row of rows) unwrap(keyring, row, file)
}

/** What this process has unwrapped. A key never changes under its id. */
class KnownKeys {
  readonly fields = new Map<string, Uint8Array>()
  readonly #vapid = new Map<string, VapidKey>()
  readonly #storage: Storage
  readonly #options: SecretsOptions
  readonly #uptime: () => number
  #root: Uint8Array | undefined
  /** keys for fields, oldest first */
  #rows: DataKeyRow[] = []
  #readAt = 0

  constructor(storage: Storage, options: SecretsOptions) {
    this.#storage = storage
    this.#options = options
    this.#uptime = options.uptime ?? (() => performance.now())
  }

  /** The keyring is read anew only when there is something to unwrap: that a node has its key-encryption key shows at the start. */
  async reload(): Promise<void> {
    const readAt = this.#uptime()
    const rows = await this.#storage.keys.list()
    const unknown = rows.filter((row) => !this.#knows(row))
    if (unknown.length > 0) this.#learn(unknown)
    for (const id of this.#vapid.keys()) if (!rows.some((row) => row.id === id)) this.#vapid.delete(id)
    this.#rows = rows.filter(({ purpose }) => purpose === 'fields')
    if (!this.#root || this.#rows.length === 0) throw new Error(lost)
    this.#readAt = readAt
  }

  /** Whatever goes wrong, whoever calls reload() regularly learns of it. */
  reloadLater(): void {
    this.reload().catch(() => {})
  }

  root(): Uint8Array {
    if (!this.#root) throw new Error(lost)
    return this.#root
  }

  vapidKeys(): VapidKey[] {
    return [...this.#vapid.values()].sort((one, other) => one.createdAt - other.createdAt)
  }

  /** Id of the key that encrypts now: the youngest that all servers know, in an installation's first minute the only one. */
  encrypting(): string {
    if (this.#uptime() - this.#readAt > leaseMs) {
      this.reloadLater()
      const message = 'The server has not been able to read its keys for a while. Please try again.'
      throw new ApiError('api.error.unavailable', message, { retryAfterSeconds: 1 })
    }
    const latest = this.#options.now() - activationMs
    const row = this.#rows.findLast(({ created_at }) => created_at <= latest) ?? this.#rows[0]
    return row?.id ?? ''
  }

  #knows({ id, purpose }: DataKeyRow): boolean {
    if (purpose === 'root') return this.#root !== undefined
    return this.fields.has(id) || this.#vapid.has(id)
  }

  #learn(rows: DataKeyRow[]): void {
    const { keyring: file } = this.#options
    const keyring = readExisting(file)
    for (const row of rows) {
      const key = unwrap(keyring, row, file)
      if (row.purpose === 'root') this.#root = key
      if (row.purpose === 'fields' || row.purpose === 'retired') this.fields.set(row.id, key)
      if (row.purpose === 'vapid') this.#vapid.set(row.id, vapidKeyOf(row, key))
    }
  }
}

async function createKeys(storage: Storage, keyring: Keyring, now: number): Promise<void> {
  const root = newDataKey(keyring, 'root', now)
  const fields = newDataKey(keyring, 'fields', now)
  await storage.transaction(async (tx) => {
    // Two processes may meet the same empty database: whoever is first decides, the other finds the keys there.
    if (await tx.keys.insertRoot([root])) await tx.keys.insert([fields])
  })
}

/** A private key of P-256: 32 bytes, of which nearly all are one. */
function newPrivateKey(): Uint8Array {
  const pair = createECDH('prime256v1')
  pair.generateKeys()
  const key = new Uint8Array(32)
  const scalar = pair.getPrivateKey()
  key.set(scalar, key.length - scalar.length) // leading zeros are left out
  return key
}

function vapidKeyOf({ id, created_at }: DataKeyRow, key: Uint8Array): VapidKey {
  const pair = createECDH('prime256v1')
  pair.setPrivateKey(key)
  const publicKey = pair.getPublicKey().toString('base64url')
  return { id, publicKey, privateKey: Buffer.from(key).toString('base64url'), createdAt: created_at }
}

function keyringOf(file: string): Keyring {
  return existsSync(file) ? readKeyring(file) : createKeyring(file)
}

function readExisting(file: string): Keyring {
  if (!existsSync(file)) throw new Error(missing(file))
  return readKeyring(file)
}

function wrap({ active, keys }: Keyring, id: string, key: Uint8Array): { kek_id: string; wrapped: string } {
  const kek = keys.get(active)
  if (!kek) throw new Error(`There is no key "${active}".`)
  return { kek_id: active, wrapped: seal(kek, active, wrapping(id), Buffer.from(key).toString('base64')) }
}

function unwrap(keyring: Keyring, row: DataKeyRow, file: string): Uint8Array {
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

const lost = 'The database has lost its keys. Restore it from a backup.'

function missing(file: string): string {
  return `The keyring ${file} is missing, and this database was made with one. Put it back, or name it with COUNTERSIGN_KEYRING.`
}

function wrong(file: string): string {
  return `The keyring ${file} is not the one this database was made with. Copy the right one here (every node needs the same).`
}
