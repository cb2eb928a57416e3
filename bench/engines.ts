import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pg from 'pg'
import type { TestEngine } from '../packages/server/test/support/engines.ts'

export const sqlite: TestEngine = {
  name: 'sqlite',
  async create() {
    const data = newDirectory()
    return { url: 'sqlite', data, drop: async () => rmSync(data, { recursive: true, force: true }) }
  },
}

/** New databases on a running PostgreSQL. */
export function postgresAt(serverUrl: string): TestEngine {
  return {
    name: 'postgres',
    async create() {
      const data = newDirectory()
      const name = `countersign_bench_${randomBytes(8).toString('hex')}`
      await query(serverUrl, `create database ${name}`)
      const url = new URL(serverUrl)
      url.pathname = `/${name}`
      const drop = async () => {
        await query(serverUrl, `drop database ${name} with (force)`)
        rmSync(data, { recursive: true, force: true })
      }
      return { url: url.href, data, drop }
    },
  }
}

/** Whether a commit waits for the disk: on or off. */
export async function fsyncOf(serverUrl: string): Promise<string> {
  const [row] = await query(serverUrl, 'show fsync')
  return String(row?.fsync)
}

async function query(url: string, sql: string): Promise<Record<string, unknown>[]> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  try {
    return (await client.query(sql)).rows
  } finally {
    await client.end()
  }
}

function newDirectory(): string {
  return mkdtempSync(join(tmpdir(), 'countersign-bench-'))
}
