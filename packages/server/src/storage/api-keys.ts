import { isAfter, type Page } from './pages.ts'
import type { Schema } from './schema.ts'
import { query, type Run, statement } from './statement.ts'

export type ApiKeyRow = Schema['api_keys']

type Key = { organizationId: string; id: string }

const findByHash = statement<{ hash: string }>()((db, value) =>
  db.selectFrom('api_keys').selectAll().where('hash', '=', value('hash')),
)

const lock = statement<Key>()((db, value, lock) =>
  lock(
    db
      .selectFrom('api_keys')
      .selectAll()
      .where('organization_id', '=', value('organizationId'))
      .where('id', '=', value('id')),
  ),
)

const noteUse = statement<Key & { at: number }>()((db, value) =>
  db
    .updateTable('api_keys')
    .set({ last_used_at: value('at') })
    .where('organization_id', '=', value('organizationId'))
    .where('id', '=', value('id'))
    .where((where) => where.or([where('last_used_at', 'is', null), where('last_used_at', '<', value('at'))])),
)

/** API keys, known by their hash only. */
export const apiKeys = (run: Run) => ({
  /** The key says whose it is. */
  findByHash: async (hash: string): Promise<ApiKeyRow | undefined> => (await run(findByHash({ hash })))[0],
  find: async (organizationId: string, id: string): Promise<ApiKeyRow | undefined> =>
    (
      await run(
        query((db) =>
          db.selectFrom('api_keys').selectAll().where('organization_id', '=', organizationId).where('id', '=', id),
        ),
      )
    )[0],
  lock: async (organizationId: string, id: string): Promise<ApiKeyRow | undefined> =>
    (await run(lock({ organizationId, id })))[0],
  /** A part of the organization's keys, in the order of their creation; those that are over, too. */
  list: (organizationId: string, page: Page<[number, string]>): Promise<ApiKeyRow[]> =>
    run(
      query((db) => {
        const all = db.selectFrom('api_keys').selectAll().where('organization_id', '=', organizationId)
        const rest = page.after === undefined ? all : all.where(isAfter(['created_at', 'id'], page.after))
        return rest.orderBy('created_at').orderBy('id').limit(page.limit)
      }),
    ),
  insert: (row: ApiKeyRow) => run(query((db) => db.insertInto('api_keys').values(row))),
  update: (organizationId: string, id: string, values: Partial<ApiKeyRow>) =>
    run(
      query((db) =>
        db.updateTable('api_keys').set(values).where('organization_id', '=', organizationId).where('id', '=', id),
      ),
    ),
  /** Writes down when it was last used; an earlier use than is known changes nothing. */
  noteUse: (organizationId: string, id: string, at: number) => run(noteUse({ organizationId, id, at })),
})
