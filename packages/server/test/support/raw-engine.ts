import type { Engine } from '../../src/storage/engines/engine.ts'
import { openEngine } from '../../src/storage/engines/open.ts'
import type { Query } from '../../src/storage/statement.ts'
import type { TestDatabase, TestEngine } from './engines.ts'

/** An engine on a database of its own, with a table `notes (id text primary key, value bigint)` in it. */
export interface RawEngine {
  engine: Engine
  database: TestDatabase
  /** the ids of the committed notes */
  notes(): Promise<string[]>
  close(): Promise<void>
}

export async function openRawEngine(kind: TestEngine, { busyWaitMs = 5_000 } = {}): Promise<RawEngine> {
  const database = await kind.create()
  const engine = openEngine({ data: database.data, database: database.url, busyWaitMs, onError() {} })
  await engine.unit(({ run }) => run(raw('create table notes (id text primary key, value bigint)')))
  return {
    engine,
    database,
    notes: async () => (await engine.read(raw<{ id: string }>('select id from notes order by id'))).map(({ id }) => id),
    async close() {
      await engine.close()
      await database.drop()
    },
  }
}

/** A statement as text. Only for tests: values are part of it. */
export function raw<Row = Record<string, unknown>>(sql: string): Query<Row> {
  return { compile: () => ({ sql, parameters: [] }) }
}
