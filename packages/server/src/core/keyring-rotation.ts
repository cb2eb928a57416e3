import type { App } from '../app.ts'
import type { DataKeyRow } from '../storage/keys.ts'
import { installation } from './audit.ts'
import { activationMs, requireKeyring, rewrapped } from './data-keys.ts'
import { addKey, dropKeys, readKeyring } from './keyring.ts'
import { transact } from './transactions.ts'

const operator = { kind: 'operator', id: 'command-line' } as const

/** The keys of an installation, by their names only. */
export interface KeyList {
  /** in the database, oldest first */
  keys: DataKeyInfo[]
  /** in the keyring file */
  keyring: { id: string; active: boolean; wraps: number }[]
}

interface DataKeyInfo {
  id: string
  /** what everything else is derived from, what fields are encrypted under, or what pushes are signed with */
  purpose: 'root' | 'fields' | 'vapid'
  state: 'in use' | 'waiting' | 'old'
  /** the keyring's key that it is wrapped by */
  wrappedBy: string
  /** ISO 8601 */
  createdAt: string
}

/** Which keys there are, in the database and in this machine's keyring. */
export async function listKeys(app: App): Promise<KeyList> {
  const rows = await app.storage.keys.list()
  const { active, keys } = readKeyring(app.config.keyring)
  const wraps = (id: string) => rows.filter((row) => row.kek_id === id).length
  return {
    keys: rows.map((row) => ({
      id: row.id,
      purpose: row.purpose === 'retired' ? 'fields' : (row.purpose as DataKeyInfo['purpose']), // there are no others
      state: stateOf(row, rows, app.now()),
      wrappedBy: row.kek_id,
      createdAt: new Date(row.created_at).toISOString(),
    })),
    keyring: [...keys.keys()].map((id) => ({ id, active: id === active, wraps: wraps(id) })),
  }
}

/**
 * Adds a key to this machine's keyring and wraps the database's keys by it. Run again after an interruption it continues.
 * The older keys stay in the file, for backups.
 */
export async function rotateKeyring(app: App): Promise<{ active: string; before: string[] }> {
  const file = app.config.keyring
  const rows = await app.storage.keys.list()
  requireKeyring(rows, file)
  const present = readKeyring(file)
  const interrupted = rows.some(({ kek_id }) => kek_id !== present.active)
  const keyring = interrupted ? present : addKey(file)
  return transact(app, async ({ tx, audit }) => {
    await tx.keys.lock()
    const rows = await tx.keys.list()
    const before = [...new Set(rows.map(({ kek_id }) => kek_id))].filter((id) => id !== keyring.active)
    for (const row of rows) await tx.keys.rewrap(rewrapped(keyring, row, file))
    const data = { active: keyring.active, before }
    audit({ organizationId: installation, event: 'keyring.rotated', actor: operator, data })
    return data
  })
}

/** Removes the keys that wrap nothing of this database from this machine's keyring. Throws when the active one is not in use yet. */
export async function dropOldKeys(app: App): Promise<{ active: string; dropped: string[] }> {
  const file = app.config.keyring
  const rows = await app.storage.keys.list()
  requireKeyring(rows, file)
  const { active, keys } = readKeyring(file)
  const used = new Set([active, ...rows.map(({ kek_id }) => kek_id)])
  if (used.size > 1)
    throw new Error('The keyring’s rotation was interrupted. First run: countersign keys rotate --keyring')
  const dropped = [...keys.keys()].filter((id) => !used.has(id))
  if (dropped.length === 0) return { active, dropped }
  dropKeys(file, dropped)
  const data = { active, dropped }
  await transact(app, async ({ audit }) =>
    audit({ organizationId: installation, event: 'keyring.keys_dropped', actor: operator, data }),
  )
  return data
}

function stateOf(row: DataKeyRow, rows: DataKeyRow[], now: number): DataKeyInfo['state'] {
  const alike = rows.filter(({ purpose }) => purpose === row.purpose)
  const inUse = alike.findLast(({ created_at }) => created_at <= now - activationMs) ?? alike[0]
  if (row.purpose === 'retired') return 'old'
  if (row.purpose === 'root' || row === inUse) return 'in use'
  return row.created_at > (inUse?.created_at ?? 0) ? 'waiting' : 'old'
}
