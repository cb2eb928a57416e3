import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import pg from 'pg'
import type { TestDatabase } from './engines.ts'

// A test that tampers or looks does so as somebody with a database client would: on a connection of its own.
export type SqlRow = Record<string, unknown>

/** Runs one statement from the side. Values are only those of tests: they are quoted into the text. */
export async function sql(
  database: TestDatabase,
  text: string,
  ...values: (string | number | null)[]
): Promise<SqlRow[]> {
  const parts = text.split('?')
  const statement = parts.map((part, index) => (index === 0 ? part : `${quote(values[index - 1])}${part}`)).join('')
  return database.url === 'sqlite' ? onSqlite(database, statement) : onPostgres(database, statement)
}

/** Every row of every table, by the table's name. */
export async function dump(database: TestDatabase): Promise<Record<string, SqlRow[]>> {
  const names =
    database.url === 'sqlite'
      ? `select name from sqlite_master where type = 'table' and name not like 'sqlite_%'`
      : `select tablename as name from pg_tables where schemaname = 'public'`
  const tables: Record<string, SqlRow[]> = {}
  for (const { name } of await sql(database, names)) tables[String(name)] = await sql(database, `select * from ${name}`)
  return tables
}

function quote(value: string | number | null | undefined): string {
  if (typeof value === 'number') return String(value)
  return value == null ? 'null' : `'${value.replaceAll("'", "''")}'`
}

function onSqlite({ data }: TestDatabase, statement: string): SqlRow[] {
  const db = new DatabaseSync(join(data, 'countersign.sqlite'))
  try {
    db.exec('PRAGMA busy_timeout=5000')
    return db.prepare(statement).all() as SqlRow[]
  } finally {
    db.close()
  }
}

const pools = new Map<string, pg.Pool>()

async function onPostgres({ url }: TestDatabase, statement: string): Promise<SqlRow[]> {
  const pool = pools.get(url) ?? new pg.Pool({ connectionString: url, max: 1, allowExitOnIdle: true })
  // When the test drops its database the connection breaks, which is all right.
  if (!pools.has(url)) pool.on('error', () => {})
  pools.set(url, pool)
  return (await pool.query(statement)).rows as SqlRow[]
}
