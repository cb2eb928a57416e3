import type { App } from '../app.ts'
import type { EncryptedColumn, EncryptedField } from '../storage/ciphers.ts'
import type { DataKeyRow } from '../storage/keys.ts'
import { installation } from './audit.ts'
import { activationMs, newDataKey } from './data-keys.ts'
import { holdKeys } from './key-holds.ts'
import { readKeyring } from './keyring.ts'
import { type FieldPlace, keyIdOf } from './secrets.ts'
import { transact } from './transactions.ts'

/** Servers whose clocks differ get so much time to use the new key, before the old ones may not be used any more. */
const settlingMs = 30_000

/** What one unit rewrites: well below the 50 ms that a server may be kept waiting. */
const fieldsPerUnit = 50

/** How many unreadable fields are named in the audit log. */
const toldMax = 10

export type RotationStep = { step: 'waiting'; leftMs: number } | { step: 'encrypting'; done: number; total: number }

export interface RotationOptions {
  wait(ms: number): Promise<void>
  onStep(step: RotationStep): void
}

export interface Rotation {
  /** id of the key that everything is encrypted under now */
  key: string
  /** ids of those that are gone */
  removed: string[]
  /** fields that were encrypted anew */
  fields: number
  /** fields that no key opens, by their places; the keys that they name stay */
  unreadable: string[]
}

const overtaken = 'Another rotation has begun meanwhile, or the clock was set back. Run this again.'

const operator = { kind: 'operator', id: 'command-line' } as const

/**
 * Encrypts every field under a new key, beside running servers, and removes the old keys but those that an unreadable field
 * names. May be ended at any moment and run again: it continues where it was, or does what is left under yet another key.
 * Nothing that was acknowledged can be lost (docs/decisions/0016).
 */
export async function rotateKeys(app: App, options: RotationOptions): Promise<Rotation> {
  const key = await beginRotation(app)
  const inUse = key.created_at + activationMs
  await waitUntil(app, inUse, options)
  await app.secrets.reload()
  const pass = new Pass(app, key.id, options)
  await pass.run()
  await waitUntil(app, inUse + settlingMs, options)
  await retireOldKeys(app, key)
  // What a pass finds from here on was stored before: until one finds nothing.
  while ((await pass.run()) > 0);
  const { fields, unreadable } = pass
  return { key: key.id, removed: await endRotation(app, key, pass), fields, unreadable }
}

/**
 * The key to rotate to: a new one, or that of a rotation which was ended before it retired the old keys. A retired key does not
 * say that there is something to continue: one that an unreadable field names stays for good, and must not stop the next rotation.
 */
async function beginRotation(app: App): Promise<DataKeyRow> {
  return transact(app, async ({ tx, audit }) => {
    await tx.keys.lock()
    const rows = (await tx.keys.list()).filter(({ purpose }) => purpose === 'fields')
    const youngest = rows.at(-1)
    if (!youngest) throw new Error('The database has lost its keys. Restore it from a backup.')
    if (rows.length > 1) return youngest
    // A clock that was set back must not make the new key the older one.
    const createdAt = Math.max(app.now(), youngest.created_at + 1)
    const key = newDataKey(readKeyring(app.config.keyring), 'fields', createdAt)
    await tx.keys.insert([key])
    audit({ organizationId: installation, event: 'keys.added', actor: operator, data: { key: key.id } })
    return key
  })
}

/** From here on nothing can be stored under the old keys: neither a late server's clock nor a unit that hung changes that. */
async function retireOldKeys(app: App, key: DataKeyRow): Promise<void> {
  await transact(app, async ({ tx, audit }) => {
    await tx.keys.lock()
    const retired = await tx.keys.retire(key)
    const data = { key: key.id, retired }
    if (retired.length > 0) audit({ organizationId: installation, event: 'keys.retired', actor: operator, data })
  })
}

/** An unreadable field is somebody's doing. Its key is kept, so that it can be read again when it is put back. */
async function endRotation(app: App, key: DataKeyRow, { fields, unreadable, named }: Pass): Promise<string[]> {
  return transact(app, async ({ tx, audit }) => {
    await tx.keys.lock()
    const removed = await tx.keys.removeRetired(key, [...named])
    const about = { organizationId: installation, actor: operator }
    if (removed.length > 0) audit({ ...about, event: 'keys.rotated', data: { key: key.id, removed, fields } })
    const told = { key: key.id, count: unreadable.length, first: unreadable.slice(0, toldMax) }
    if (unreadable.length > 0) audit({ ...about, event: 'fields.unreadable', data: told })
    return removed
  })
}

async function waitUntil(app: App, time: number, { wait, onStep }: RotationOptions): Promise<void> {
  for (let leftMs = time - app.now(); leftMs > 0; leftMs = time - app.now()) {
    onStep({ step: 'waiting', leftMs })
    await wait(Math.min(leftMs, 1_000))
  }
}

/** Goes through all encrypted fields, as often as it is run. */
class Pass {
  /** encrypted anew, over all runs */
  fields = 0
  unreadable: string[] = []
  /** ids of the keys that these name */
  named = new Set<string>()
  readonly #app: App
  readonly #key: string
  readonly #options: RotationOptions

  constructor(app: App, key: string, options: RotationOptions) {
    this.#app = app
    this.#key = key
    this.#options = options
  }

  /** How many fields were found under another key and could be read. */
  async run(): Promise<number> {
    const { ciphers } = this.#app.storage
    this.unreadable = []
    this.named.clear()
    let total = 0
    for (const column of ciphers.columns) total += await ciphers.count(column, this.#key)
    let done = 0
    for (const column of ciphers.columns) {
      for (let after: string[] | undefined, full = true; full; ) {
        const fields = await ciphers.list(column, { keyId: this.#key, after, limit: fieldsPerUnit })
        await this.#encrypt(column, fields)
        done += fields.length
        if (fields.length > 0) this.#options.onStep({ step: 'encrypting', done, total: Math.max(done, total) })
        after = fields.at(-1)?.key
        full = fields.length === fieldsPerUnit
      }
    }
    return done - this.unreadable.length
  }

  async #encrypt(column: EncryptedColumn, fields: EncryptedField[]): Promise<void> {
    const anew = fields.flatMap((field) => this.#anew(column, field) ?? [])
    if (anew.length === 0) return
    const began = performance.now()
    this.fields += await transact(this.#app, async (unit) => {
      const { tx } = unit
      await holdKeys(this.#app, unit, ...anew.map(({ cipher }) => cipher))
      let replaced = 0
      for (const { field, cipher } of anew) {
        if (await tx.ciphers.replace(column, field, cipher)) replaced++
      }
      return replaced
    })
    // As long as the unit took, so that half of the time is the servers'.
    await this.#options.wait(performance.now() - began)
  }

  #anew(column: EncryptedColumn, field: EncryptedField): { field: EncryptedField; cipher: string } | undefined {
    const place = { table: column.table, column: column.column, row: field.row }
    const clear = this.#read(place, field)
    if (clear === undefined) return undefined
    const cipher = this.#app.secrets.encrypt(place, clear)
    if (keyIdOf(cipher) !== this.#key) throw new Error(overtaken)
    return { field, cipher }
  }

  #read(place: FieldPlace, field: EncryptedField): string | undefined {
    try {
      return this.#app.secrets.decrypt(place, field.cipher)
    } catch {
      // It was unreadable before, too: somebody has changed it. Which one is told, and the others go on.
      this.unreadable.push(`${place.table}.${place.column} of ${field.key.join('/')}`)
      this.named.add(keyIdOf(field.cipher))
      return undefined
    }
  }
}
