import { isAfter, type Page } from './pages.ts'
import type { Schema } from './schema.ts'
import { batch, query, type Run, statement } from './statement.ts'

export type BypassCodeRow = Schema['bypass_codes']

const listOf = statement<{ organizationId: string; userId: string }>()((db, value) =>
  db
    .selectFrom('bypass_codes')
    .selectAll()
    .where('organization_id', '=', value('organizationId'))
    .where('user_id', '=', value('userId'))
    .orderBy('created_at')
    .orderBy('id'),
)

const useOne = statement<{ organizationId: string; id: string; now: number }>()((db, value) =>
  db
    .updateTable('bypass_codes')
    .set((row) => ({
      uses_remaining: row('uses_remaining', '-', 1),
      ends_at: row.case().when('uses_remaining', '=', 1).then(value('now')).else(row.ref('ends_at')).end(),
    }))
    .where('organization_id', '=', value('organizationId'))
    .where('id', '=', value('id'))
    .where('uses_remaining', '>', 0)
    .where((where) => where.or([where('expires_at', 'is', null), where('expires_at', '>', value('now'))]))
    .returning('id'),
)

/** Bypass codes. A use is one conditional write. */
export const bypassCodes = (run: Run) => ({
  find: async (organizationId: string, id: string): Promise<BypassCodeRow | undefined> => {
    const [row] = await run(
      query((db) =>
        db.selectFrom('bypass_codes').selectAll().where('organization_id', '=', organizationId).where('id', '=', id),
      ),
    )
    return row
  },

  /** A user's codes, used-up and expired ones too, the oldest first; not many more than a hundred. */
  listOf: (organizationId: string, userId: string): Promise<BypassCodeRow[]> => run(listOf({ organizationId, userId })),

  /** A part of a user's codes, the oldest first. */
  list: (organizationId: string, userId: string, page: Page<[number, string]>): Promise<BypassCodeRow[]> =>
    run(
      query((db) => {
        const own = db
          .selectFrom('bypass_codes')
          .selectAll()
          .where('organization_id', '=', organizationId)
          .where('user_id', '=', userId)
        const rest = page.after === undefined ? own : own.where(isAfter(['created_at', 'id'], page.after))
        return rest.orderBy('created_at').orderBy('id').limit(page.limit)
      }),
    ),

  /** The ids of these users' codes. */
  idsOf: (organizationId: string, userIds: string[]) =>
    run(
      query((db) =>
        db
          .selectFrom('bypass_codes')
          .select(['user_id', 'id'])
          .where('organization_id', '=', organizationId)
          .where('user_id', 'in', userIds)
          .orderBy('created_at')
          .orderBy('id'),
      ),
    ),

  insert: (row: BypassCodeRow) => run(query((db) => db.insertInto('bypass_codes').values(row))),

  /** Takes one use; false when none is left or the code has expired. */
  use: async (organizationId: string, id: string, now: number): Promise<boolean> =>
    (await run(useOne({ organizationId, id, now }))).length === 1,

  /** The code that is gone now, or undefined when there was none. */
  delete: async (organizationId: string, id: string): Promise<{ user_id: string } | undefined> => {
    const [deleted] = await run(
      query((db) =>
        db
          .deleteFrom('bypass_codes')
          .where('organization_id', '=', organizationId)
          .where('id', '=', id)
          .returning('user_id'),
      ),
    )
    return deleted
  },

  /** The ids of the user's codes, which are gone now. */
  deleteOfUser: async (organizationId: string, userId: string): Promise<string[]> => {
    const deleted = await run(
      query((db) =>
        db
          .deleteFrom('bypass_codes')
          .where('organization_id', '=', organizationId)
          .where('user_id', '=', userId)
          .returning('id'),
      ),
    )
    return deleted.map((row) => row.id)
  },

  deleteMany: (organizationId: string, ids: string[]) =>
    run(
      query((db) => db.deleteFrom('bypass_codes').where('organization_id', '=', organizationId).where('id', 'in', ids)),
    ),

  /** For the sweeper, over all organizations: deletes what ended long ago. */
  deleteOld: (endedBefore: number, limit: number) =>
    run(
      query((db, lock) =>
        db
          .with(batch, () =>
            lock(
              db
                .selectFrom('bypass_codes')
                .select(['organization_id', 'id'])
                .where('ends_at', 'is not', null)
                .where('ends_at', '<=', endedBefore)
                .limit(limit),
              'skip locked',
            ),
          )
          .deleteFrom('bypass_codes')
          .where((where) =>
            where(
              where.refTuple('organization_id', 'id'),
              'in',
              where.selectFrom('batch').select(['batch.organization_id', 'batch.id']).$asTuple('organization_id', 'id'),
            ),
          )
          .returning('id'),
      ),
    ),
})
