import { DatabaseSync } from 'node:sqlite'
import type { Dialect } from '../statement.ts'

/** A table as its migrations make it, the same on every engine. */
export interface Table {
  name: string
  columns: string[]
  /** columns of the primary key, in its order */
  key: string[]
}

/** Statement that lists a database's own tables by `name`. */
export const tableNames: Record<Dialect, string> = {
  sqlite: `select name from sqlite_master where type = 'table' and name not like 'sqlite_%'`,
  postgres: `select tablename as name from pg_tables where schemaname = current_schema()`,
}

/** Runs the statements of SQLite on a database in memory and reads what they made, in the order in which they made it. */
export function tablesMadeBy(statements: string[]): Table[] {
  const db = new DatabaseSync(':memory:')
  try {
    for (const statement of statements) db.exec(statement)
    const names = db.prepare(`${tableNames.sqlite} order by rowid`).all()
    return names.map(({ name }) => tableOf(db, String(name)))
  } finally {
    db.close()
  }
}

function tableOf(db: DatabaseSync, name: string): Table {
  const columns = db.prepare('select name, type, pk from pragma_table_info(?) order by cid').all(name)
  for (const { name: column, type } of columns) {
    // What a backup can hold. Bytes, for one, would need a form in JSON.
    if (!/^(text|bigint)$/i.test(String(type)))
      throw new Error(`${name}.${column}: ${type} is neither text nor bigint.`)
  }
  const key = columns.filter(({ pk }) => Number(pk) > 0).sort((one, other) => Number(one.pk) - Number(other.pk))
  if (key.length === 0) throw new Error(`The table ${name} has no primary key.`)
  return { name, columns: columns.map((column) => String(column.name)), key: key.map((column) => String(column.name)) }
}
