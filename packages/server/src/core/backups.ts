import type { App } from '../app.ts'
import type { Backups, Value } from '../storage/backups.ts'
import type { DataKeyRow } from '../storage/keys.ts'
import { installation } from './audit.ts'
import { type OnRows, readHeader, readRows, writeBackup } from './backup-file.ts'
import { requireKeyring } from './data-keys.ts'
import { transact } from './transactions.ts'

export interface Backup {
  file: string
  rows: number
  bytes: number
  seconds: number
}

export interface Restored {
  rows: number
  /** when the backup was made, ISO 8601 */
  createdAt: string
}

/** Writes all rows as of one moment to a new file, beside running servers. Needs no keyring and has none in it. */
export async function createBackup(
  backups: Backups,
  { file, now, onRows }: { file: string; now: () => number; onRows: OnRows },
): Promise<Backup> {
  const began = now()
  const written = await backups.read((snapshot) =>
    writeBackup(file, snapshot, { createdAt: new Date(began).toISOString(), onRows }),
  )
  return { file, ...written, seconds: Math.round((now() - began) / 100) / 10 }
}

/**
 * Fills an empty database from a backup: wholly, or not at all. Throws when the file is damaged or of a newer version, when
 * the database is in use, when the backup lacks a key that nothing works without, and when the keyring is not the one of the
 * installation that the backup was made of.
 */
export async function restoreBackup(
  backups: Backups,
  { file, keyring, onRows }: { file: string; keyring: string; onRows: OnRows },
): Promise<Restored> {
  const { migrations, createdAt } = await readHeader(file)
  return backups.write(migrations, async ({ tables, insert }) => {
    let restored = 0
    const purposes = new Set<string>()
    for await (const { table, rows } of readRows(file, tables)) {
      if (table.name === 'data_keys')
        for (const { purpose } of openKeys(table.columns, rows, keyring)) purposes.add(purpose)
      await insert(table, rows)
      restored += rows.length
      onRows(restored, table.name)
    }
    requireKeys(file, purposes)
    return { rows: restored, createdAt }
  })
}

/** Says in the audit log that what follows happened after a restore. */
export async function noteRestored(app: App, { rows, createdAt }: Restored): Promise<void> {
  const actor = { kind: 'operator', id: 'command-line' } as const
  await transact(app, async ({ audit }) =>
    audit({ organizationId: installation, event: 'backup.restored', actor, data: { rows, createdAt } }),
  )
}

/** The keys in these rows. Without its keyring a database can be filled, but never used: better to say so before. */
function openKeys(columns: string[], rows: Value[][], keyring: string): DataKeyRow[] {
  const keys = rows.map((row) => keyRowOf(columns, row))
  try {
    requireKeyring(keys, keyring)
  } catch (cause) {
    const message = `A restore needs the keyring of the installation that the backup was made of, as ${keyring}.`
    throw new Error(message, { cause })
  }
  return keys
}

/** A database without its keys would take any keyring, and nobody could use what is in it. */
function requireKeys(file: string, purposes: ReadonlySet<string>): void {
  const missing = ['root', 'fields'].filter((purpose) => !purposes.has(purpose))
  if (missing.length === 0) return
  const which = missing.map((purpose) => `"${purpose}"`).join(' and ')
  throw new Error(
    `${file} lacks the data key ${which}: no keyring opens what is in it. Take a backup from before the keys were lost.`,
  )
}

function keyRowOf(columns: string[], row: Value[]): DataKeyRow {
  const of = (column: string) => row[columns.indexOf(column)]
  const text = (column: string) => String(of(column))
  return {
    id: text('id'),
    purpose: text('purpose'),
    kek_id: text('kek_id'),
    wrapped: text('wrapped'),
    created_at: Number(of('created_at')),
  }
}
