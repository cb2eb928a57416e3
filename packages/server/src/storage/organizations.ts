import type { Schema } from './schema.ts'
import { query, type Run, statement } from './statement.ts'

export type OrganizationRow = Schema['organizations']

const find = statement<{ organizationId: string }>()((db, value) =>
  db.selectFrom('organizations').selectAll().where('id', '=', value('organizationId')),
)

/** Organizations. */
export const organizations = (run: Run) => ({
  find: async (organizationId: string): Promise<OrganizationRow | undefined> =>
    (await run(find({ organizationId })))[0],
  lock: async (organizationId: string): Promise<OrganizationRow | undefined> =>
    (
      await run(query((db, lock) => lock(db.selectFrom('organizations').selectAll().where('id', '=', organizationId))))
    )[0],
  rename: (organizationId: string, name: string) =>
    run(query((db) => db.updateTable('organizations').set({ name }).where('id', '=', organizationId))),
  setSettings: (organizationId: string, settings: string) =>
    run(query((db) => db.updateTable('organizations').set({ settings }).where('id', '=', organizationId))),
  insert: (row: OrganizationRow) => run(query((db) => db.insertInto('organizations').values(row))),
  /** For the command line: all of them, or at most this many. */
  list: (limit = 1_000) =>
    run(query((db) => db.selectFrom('organizations').selectAll().orderBy('created_at').orderBy('id').limit(limit))),
})
