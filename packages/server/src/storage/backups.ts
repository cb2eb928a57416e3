import { type Engine, StorageUnavailable } from './engines/engine.ts'
import { serverLock } from './engines/postgres.ts'
import { type Table, tableNames } from './engines/tables.ts'
import { migrateInUnit, migrationNames, tablesAfter } from './migrations/migrate.ts'
import { type Dialect, type Run, text } from './statement.ts'

export type { Table }

/** What a column holds. */
export type Value = string | number | null

/** All rows of an installation, as they were at one moment. */
export interface Snapshot {
  /** those that its tables were made by */
  migrations: string[]
  tables: Table[]
  /** A table's rows in the order of its key, a page at a time; each row's values are in the order of its columns. */
  pages(table: Table): AsyncGenerator<Value[][]>
}

/** An empty database whose tables are those of a snapshot. */
export interface Target {
  tables: Table[]
  insert(table: Table, rows: Value[][]): Promise<void>
}

export type Backups = ReturnType<typeof backups>

const rowsPerPageMax = 1_000
const charactersPerPage = 1_000_000
const valuesPerInsertMax = 20_000

/** Whole databases out and in. What is read is not migrated first, and its keys are not opened. */
export const backups = (engine: Engine) => ({
  /** Reads everything as of one moment, beside whoever writes. Throws when there is nothing yet. */
  read: <T>(work: (snapshot: Snapshot) => Promise<T>): Promise<T> =>
    engine.snapshot(async (run) => {
      const migrations = await appliedMigrations(engine.dialect, run)
      if (migrations.length === 0) throw new Error('There is nothing to back up: the database is empty.')
      return work({
        migrations,
        tables: tablesAfter(countOf(migrations)),
        pages: (table) => pages(run, table),
      })
    }),

  /**
   * Fills an empty database in one transaction, and then brings it to this version's tables. The work may run more than
   * once. Throws, before it, when the snapshot is of a newer version, when a server is running, or when there are
   * organizations.
   */
  write: <T>(migrations: string[], work: (target: Target) => Promise<T>): Promise<T> => {
    const count = countOf(migrations)
    return engine.unit(async ({ run }) => {
      await empty(engine.dialect, run)
      await migrateInUnit(engine.dialect, run, count)
      const insert = (table: Table, rows: Value[][]) => insertRows(run, table, rows)
      const result = await work({ tables: tablesAfter(count), insert })
      await migrateInUnit(engine.dialect, run)
      return result
    })
  },
})

/** How many of this version's migrations these are. */
function countOf(migrations: string[]): number {
  const newer = migrations.find((name, index) => name !== migrationNames[index])
  if (newer) throw new Error(`This is of a newer version of Countersign (${newer}). Use that version.`)
  return migrations.length
}

async function appliedMigrations(dialect: Dialect, run: Run): Promise<string[]> {
  if (!(await existingTables(dialect, run)).has('migrations')) return []
  const rows = await run(text<{ name: string }>('select name from migrations order by name'))
  return rows.map(({ name }) => name)
}

/** An installation that was started and never used has tables and keys of its own: they make room. */
async function empty(dialect: Dialect, run: Run): Promise<void> {
  if (dialect === 'postgres') await refuseBesideServer(run)
  const existing = await existingTables(dialect, run)
  const migrations = await appliedMigrations(dialect, run)
  const own = tablesAfter(countOf(migrations)).map(({ name }) => name)
  if (existing.has('organizations')) await refuseOrganizations(run)
  for (const name of [...own, 'migrations']) if (existing.has(name)) await run(text(`drop table ${quoted(name)}`))
}

/** The embedded database has a lock of its own, a file: holdServerLock. */
async function refuseBesideServer(run: Run): Promise<void> {
  const [lock] = await run(text<{ alone: boolean }>(`select pg_try_advisory_xact_lock(${serverLock}) as alone`))
  if (!lock?.alone) throw new StorageUnavailable('A server is running on this database. Stop every node first.')
}

async function refuseOrganizations(run: Run): Promise<void> {
  if ((await run(text('select id from organizations limit 1'))).length === 0) return
  throw new Error('The database has organizations. A backup is restored into an empty one only.')
}

async function existingTables(dialect: Dialect, run: Run): Promise<Set<string>> {
  return new Set((await run(text<{ name: string }>(tableNames[dialect]))).map(({ name }) => name))
}

async function* pages(run: Run, table: Table): AsyncGenerator<Value[][]> {
  let limit = 10
  for (let after: Value[] | undefined, full = true; full; ) {
    const rows = await run(page(table, after, limit))
    const last = rows.at(-1)
    const values = rows.map((row) => table.columns.map((column) => row[column] ?? null))
    if (last) yield values
    after = last && table.key.map((column) => last[column] ?? null)
    full = rows.length === limit
    limit = limitAfter(values)
  }
}

/** As many rows as make a page of the wanted size, if they are like those of the last one. */
function limitAfter(rows: Value[][]): number {
  let characters = 1
  for (const row of rows) for (const value of row) characters += typeof value === 'string' ? value.length : 8
  return Math.max(1, Math.min(rowsPerPageMax, Math.floor((rows.length * charactersPerPage) / characters)))
}

function page({ name, columns, key }: Table, after: Value[] | undefined, limit: number) {
  const start = after ? `where (${listed(key)}) > (${marks(key.length)})` : ''
  const sql = `select ${listed(columns)} from ${quoted(name)} ${start} order by ${listed(key)} limit ?`
  return text<Record<string, Value>>(sql, [...(after ?? []), limit])
}

async function insertRows(run: Run, { name, columns }: Table, rows: Value[][]): Promise<void> {
  const most = Math.floor(valuesPerInsertMax / columns.length)
  for (let from = 0; from < rows.length; from += most) {
    const some = rows.slice(from, from + most)
    const values = some.map(() => `(${marks(columns.length)})`).join(', ')
    await run(text(`insert into ${quoted(name)} (${listed(columns)}) values ${values}`, some.flat()))
  }
}

function marks(count: number): string {
  return Array(count).fill('?').join(', ')
}

function listed(columns: string[]): string {
  return columns.map(quoted).join(', ')
}

function quoted(name: string): string {
  return `"${name}"`
}
