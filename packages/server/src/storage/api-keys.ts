import type { Schema } from './schema.ts'
import { query, type Run, statement } from './statement.ts'

export type ApiKeyRow = Schema['api_keys']

const findByHash = statement<{ hash: string }>()((db, value) =>
  db.selectFrom('api_keys').selectAll().where('hash', '=', value('hash')),
)

/** API keys, known by their hash only. */
export const apiKeys = (run: Run) => ({
  /** The key says whose it is. */
  findByHash: async (hash: string): Promise<ApiKeyRow | undefined> => (await run(findByHash({ hash })))[0],
  insert: (row: ApiKeyRow) => run(query((db) => db.insertInto('api_keys').values(row))),
})
