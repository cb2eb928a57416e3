// node bench/scale/seed.ts DIRECTORY [--database URL] [--users 1000000] [--audit 10000000]
//
// Fills a new database with one organization: so many users, as many tokens (all active) and sessions, and the audit log.
// The audit chains do not verify: hashes of ten million rows cost more than all the rest. Made for lists.ts to measure.
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { parseArgs } from 'node:util'
import pg from 'pg'
import {
  createDomain,
  createOrganization,
  openForCommand,
  operatorOf,
  readConfig,
} from '../../packages/server/src/main.ts'
import type { Dialect } from '../../packages/server/src/storage/statement.ts'
import { type Filling, fillings, headsOf } from './rows.ts'
import { type Seeded, type Sizes, writeSeeded } from './seeded.ts'

/** A connection for statements without values. */
interface Connection {
  dialect: Dialect
  run(text: string): Promise<Record<string, unknown>[]>
  close(): Promise<void>
}

const catalogs = {
  sqlite: `select name, tbl_name as "table", sql from sqlite_master where type = 'index' and sql is not null`,
  postgres: `select indexname as name, tablename as "table", indexdef as sql from pg_indexes
    where schemaname = 'public' and indexname not like '%_pkey'`,
}

const dayMs = 86_400_000
const rowsAtOnce = 500_000
const began = performance.now()

const { positionals, values: options } = parseArgs({
  allowPositionals: true,
  options: {
    database: { type: 'string', default: 'sqlite' },
    users: { type: 'string', default: '1000000' },
    audit: { type: 'string', default: '10000000' },
  },
})
const [data] = positionals
if (!data) throw new Error('Usage: node bench/scale/seed.ts DIRECTORY [--database URL] [--users N] [--audit N]')
const sizes = { users: Number(options.users), audit: Number(options.audit) }
const seeded = await createWorld({ data, database: options.database }, sizes)
const connection = seeded.database === 'sqlite' ? openSqlite(seeded.data) : await openPostgres(seeded.database)
await fill(connection, seeded)
await connection.close()
writeSeeded(seeded)
say('done')

/** The tables, and what has to be made as the server makes it. */
async function createWorld(where: { data: string; database: string }, sizes: Sizes): Promise<Seeded> {
  const config = readConfig({ COUNTERSIGN_DATA: where.data, COUNTERSIGN_DATABASE: where.database })
  const { app, close } = await openForCommand(config)
  try {
    const { id, apiKey } = await createOrganization(app, { name: 'Large' })
    const actor = await operatorOf(app, id)
    const domainIds: string[] = []
    for (const name of ['Everybody', 'VPN', 'Bank', 'Mail', 'Doors']) {
      domainIds.push((await createDomain(app, actor, { name, type: 'API', keyType: 'PIN' })).id)
    }
    const stretch = (days: number, count: number) => ({
      beganAt: Date.now() - days * dayMs,
      stepMs: Math.floor((days * dayMs) / count),
    })
    return {
      ...where,
      ...{ organizationId: id, apiKey, domainIds, sizes, users: stretch(300, sizes.users) },
      ...{ sessions: stretch(30, sizes.users), audit: stretch(60, sizes.audit) },
    }
  } finally {
    await close()
  }
}

/** Without the indexes, which are made afterwards: sorting once is faster than ten million insertions. */
async function fill({ dialect, run }: Connection, seeded: Seeded): Promise<void> {
  const parts = fillings(dialect, seeded)
  const indexes = await indexesOf({ dialect, run }, new Set(parts.map(({ table }) => table)))
  for (const { name } of indexes) await run(`drop index ${name}`)
  for (const part of parts) await fillTable(run, part)
  await run(headsOf(dialect, seeded))
  for (const { name, sql } of indexes) {
    await run(sql)
    say(name)
  }
  // PostgreSQL does so by itself after a while; nothing does on SQLite.
  if (dialect === 'postgres') await run('vacuum (analyze)')
}

async function fillTable(run: Connection['run'], { table, count, insert }: Filling): Promise<void> {
  for (let from = 1; from <= count; from += rowsAtOnce) {
    const to = Math.min(from + rowsAtOnce - 1, count)
    await run(insert(from, to))
    say(`${table} ${to} of ${count}`)
  }
}

async function indexesOf({ dialect, run }: Pick<Connection, 'dialect' | 'run'>, tables: Set<string>) {
  const indexes = (await run(catalogs[dialect])).map(({ name, table, sql }) => ({
    name: String(name),
    table: String(table),
    sql: String(sql),
  }))
  return indexes.filter(({ table }) => tables.has(table))
}

/** A crash leaves nothing of use: the seed begins again. The server chooses its own ways when it opens the file. */
function openSqlite(data: string): Connection {
  const db = new DatabaseSync(join(data, 'countersign.sqlite'))
  db.exec('PRAGMA journal_mode=DELETE; PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF; PRAGMA locking_mode=EXCLUSIVE')
  db.exec('PRAGMA cache_size=-1000000; PRAGMA threads=2')
  return { dialect: 'sqlite', run: async (text) => db.prepare(text).all(), close: async () => db.close() }
}

async function openPostgres(url: string): Promise<Connection> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  await client.query(`set synchronous_commit = off; set maintenance_work_mem = '1GB'; set work_mem = '64MB'`)
  await client.query('set max_parallel_maintenance_workers = 0')
  return { dialect: 'postgres', run: async (text) => (await client.query(text)).rows, close: () => client.end() }
}

function say(done: string): void {
  console.log(`${((performance.now() - began) / 1000).toFixed(0).padStart(5)} s  ${done}`)
}
