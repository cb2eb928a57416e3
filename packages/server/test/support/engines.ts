import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe } from 'node:test'
import pg from 'pg'

/** A database of a test's own. */
export interface TestDatabase {
  /** COUNTERSIGN_DATABASE */
  url: string
  /** COUNTERSIGN_DATA */
  data: string
  drop(): Promise<void>
}

export interface TestEngine {
  name: 'sqlite' | 'postgres'
  create(): Promise<TestDatabase>
}

const sqlite: TestEngine = {
  name: 'sqlite',
  async create() {
    const data = mkdtempSync(join(tmpdir(), 'countersign-test-'))
    return { url: 'sqlite', data, drop: async () => rmSync(data, { recursive: true, force: true }) }
  },
}

const postgres: TestEngine = {
  name: 'postgres',
  async create() {
    const data = mkdtempSync(join(tmpdir(), 'countersign-test-'))
    const name = `countersign_${randomBytes(8).toString('hex')}`
    await administer(`create database ${name}`)
    const url = new URL(serverUrl())
    url.pathname = `/${name}`
    const drop = async () => {
      await administer(`drop database ${name} with (force)`)
      rmSync(data, { recursive: true, force: true })
    }
    return { url: url.href, data, drop }
  },
}

/** For what goes from one engine to another. */
export const everyEngine = [sqlite, postgres]

/** Defines the same tests once for each engine. */
export function onEveryEngine(define: (engine: TestEngine) => void): void {
  for (const engine of everyEngine) describe(engine.name, () => define(engine))
}

/** Defines tests of what only the embedded database has. */
export function onSqlite(define: (engine: TestEngine) => void): void {
  describe('sqlite', () => define(sqlite))
}

/** Defines tests of what only a database for several nodes can do. */
export function onPostgres(define: (engine: TestEngine) => void): void {
  describe('postgres', () => define(postgres))
}

async function administer(sql: string): Promise<void> {
  const client = new pg.Client({ connectionString: serverUrl() })
  await client.connect()
  await client.query(sql)
  await client.end()
}

function serverUrl(): string {
  const url = process.env.COUNTERSIGN_TEST_POSTGRES
  if (!url) throw new Error('These tests need PostgreSQL: run them with `npm test -- FILE`, which brings one.')
  return url
}
