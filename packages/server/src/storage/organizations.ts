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
  insert: (row: OrganizationRow) => run(query((db) => db.insertInto('organizations').values(row))),
  /** For the command line: all of them, or at most this many. */
  list: (limit = 1_000) =>
    run(query((db) => db.selectFrom('organizations').selectAll().orderBy('created_at').orderBy('id').limit(limit))),
})
