import { fork } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import pg from 'pg'
import { LeanClient } from '../packages/server/test/support/lean-client.ts'
import { drive, type Load, loadOf } from './load.ts'

// What this machine allows at best, measured by the same client in the same run. Everything else is a ratio to these.

const measuredMs = 2_000
const rowBytes = 500
const connectionsMax = 16
const table = 'create table bench_rows (id text primary key, value text not null)'

/** A node:http server that answers a constant. */
export async function bareHttp(): Promise<Load> {
  const child = fork(join(import.meta.dirname, 'bare-server.ts'), { execArgv: [] })
  const [{ port }] = await once(child, 'message')
  const client = new LeanClient(`http://127.0.0.1:${port}`)
  try {
    return await drive(() => client.call('/', { method: 'GET' }))
  } finally {
    client.close()
    child.disconnect()
  }
}

/** Transactions of one insert each, one at a time, each on the disk before the next begins. */
export function bareSqlite(directory: string): Load {
  const db = new DatabaseSync(join(directory, 'bare.db'))
  db.exec(`PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; ${table}`)
  const insert = db.prepare('insert into bench_rows values (?, ?)')
  const times: number[] = []
  const start = performance.now()
  for (let began = start; began - start < measuredMs; began = performance.now()) {
    db.exec('BEGIN IMMEDIATE')
    insert.run(crypto.randomUUID(), 'x'.repeat(rowBytes))
    db.exec('COMMIT')
    times.push(performance.now() - began)
  }
  db.close()
  return loadOf(times, performance.now() - start)
}

/** Inserts that commit by themselves, one round trip each, on as many connections as a server has. */
export async function barePostgres(url: string): Promise<Load> {
  const pool = new pg.Pool({ connectionString: url, max: connectionsMax })
  await pool.query(table)
  const insert = { name: 'insert', text: 'insert into bench_rows values ($1, $2)' }
  try {
    return await drive(() => pool.query({ ...insert, values: [crypto.randomUUID(), 'x'.repeat(rowBytes)] }))
  } finally {
    await pool.end()
  }
}
