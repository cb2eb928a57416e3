import type { Engine } from '../engines/engine.ts'
import { type Table, tablesMadeBy } from '../engines/tables.ts'
import { type Dialect, type Run, text } from '../statement.ts'
import { firstTables } from './0001-first-tables.ts'
import { codesAndManagement } from './0002-codes-and-management.ts'
import { push } from './0003-push.ts'

/** Forward only. A migration that has been released is never edited. */
const migrations = [firstTables, codesAndManagement, push]

// Any number that nobody else locks in this database.
const lockNumber = 7_266_001

/** What this version's tables are made by, in order. */
export const migrationNames = migrations.map(({ name }) => name)

/** Applies what is missing, in one transaction that no other process can be in at the same time. */
export async function migrate(engine: Engine): Promise<void> {
  await engine.unit(({ run }) => migrateInUnit(engine.dialect, run))
}

/** The same inside a unit, and only up to so many migrations: for a backup that was made before the later ones. */
export async function migrateInUnit(dialect: Dialect, run: Run, count = migrations.length): Promise<void> {
  if (dialect === 'postgres') await run(text(`select pg_advisory_xact_lock(${lockNumber})`))
  await run(text('create table if not exists migrations (name text primary key)'))
  const done = await run<{ name: string }>(text('select name from migrations'))
  const newer = done.find(({ name }) => !migrationNames.includes(name))
  if (newer) throw new Error(`The database was upgraded by a newer version (${newer.name}). Run that version.`)
  for (const { name, statements } of migrations.slice(0, count)) {
    if (done.some((row) => row.name === name)) continue
    for (const statement of statements(dialect)) await run(text(statement))
    await run(text(`insert into migrations (name) values ('${name}')`))
  }
}

const tables = {
  sqlite: `select 1 from sqlite_master where name = 'organizations'`,
  postgres: `select 1 where to_regclass('organizations') is not null`,
}

/** Whether the tables have ever been made; makes none. */
export async function isMigrated({ dialect, read }: Engine): Promise<boolean> {
  return (await read(text(tables[dialect]))).length > 0
}

/** The tables that the first so many migrations make, whatever the engine. */
export function tablesAfter(count: number): Table[] {
  return tablesMadeBy(migrations.slice(0, count).flatMap(({ statements }) => statements('sqlite')))
}
