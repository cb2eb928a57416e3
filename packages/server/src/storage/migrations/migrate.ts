import type { Engine } from '../engines/engine.ts'
import type { Compiled, Query } from '../statement.ts'
import { firstTables } from './0001-first-tables.ts'
import { codesAndManagement } from './0002-codes-and-management.ts'

/** Forward only. A migration that has been released is never edited. */
const migrations = [firstTables, codesAndManagement]

// Any number that nobody else locks in this database.
const lockNumber = 7_266_001

/** Applies what is missing, in one transaction that no other process can be in at the same time. */
export async function migrate(engine: Engine): Promise<void> {
  await engine.unit(async ({ run }) => {
    if (engine.dialect === 'postgres') await run(text(`select pg_advisory_xact_lock(${lockNumber})`))
    await run(text('create table if not exists migrations (name text primary key)'))
    const done = await run<{ name: string }>(text('select name from migrations'))
    const known = new Set(migrations.map(({ name }) => name))
    const newer = done.find(({ name }) => !known.has(name))
    if (newer) throw new Error(`The database was upgraded by a newer version (${newer.name}). Run that version.`)
    for (const { name, statements } of migrations) {
      if (done.some((row) => row.name === name)) continue
      for (const statement of statements(engine.dialect)) await run(text(statement))
      await run(text(`insert into migrations (name) values ('${name}')`))
    }
  })
}

const tables = {
  sqlite: `select 1 from sqlite_master where name = 'organizations'`,
  postgres: `select 1 where to_regclass('organizations') is not null`,
}

/** Whether the tables have ever been made; makes none. */
export async function isMigrated({ dialect, read }: Engine): Promise<boolean> {
  return (await read(text(tables[dialect]))).length > 0
}

function text<Row>(sql: string): Query<Row> {
  const compiled: Compiled = { sql, parameters: [] }
  return { compile: () => compiled }
}
