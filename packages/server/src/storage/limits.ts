import { sql } from 'kysely'
import { batch, query, type Run, statement } from './statement.ts'

/** At most `max` in the window that began at or after `windowStart`. */
export interface Allowance {
  max: number
  now: number
  windowStart: number
}

// A window that is over begins anew with the use at hand. The condition and the count are one statement: exact under any concurrency.
const takeNameTry = statement<Allowance & { nameHash: string }>()((db, value) =>
  db
    .insertInto('name_failures')
    .values({ name_hash: value('nameHash'), failures: 1, since: value('now') })
    .onConflict((conflict) =>
      conflict
        .column('name_hash')
        .doUpdateSet({
          failures: sql`case when name_failures.since <= ${value('windowStart')} then 1 else name_failures.failures + 1 end`,
          since: sql`case when name_failures.since <= ${value('windowStart')} then excluded.since else name_failures.since end`,
        })
        .where(
          sql<boolean>`(name_failures.since <= ${value('windowStart')} or name_failures.failures < ${value('max')})`,
        ),
    )
    .returning('failures'),
)

const returnNameTry = statement<{ nameHash: string }>()((db, value) =>
  db
    .updateTable('name_failures')
    .set((row) => ({ failures: row('failures', '-', 1) }))
    .where('name_hash', '=', value('nameHash'))
    .where('failures', '>', 0),
)

const use = statement<Allowance & { organizationId: string; userId: string; kind: string }>()((db, value) =>
  db
    .insertInto('user_limits')
    .values({
      organization_id: value('organizationId'),
      user_id: value('userId'),
      kind: value('kind'),
      used: 1,
      since: value('now'),
    })
    .onConflict((conflict) =>
      conflict
        .columns(['organization_id', 'user_id', 'kind'])
        .doUpdateSet({
          used: sql`case when user_limits.since <= ${value('windowStart')} then 1 else user_limits.used + 1 end`,
          since: sql`case when user_limits.since <= ${value('windowStart')} then excluded.since else user_limits.since end`,
        })
        .where(sql<boolean>`(user_limits.since <= ${value('windowStart')} or user_limits.used < ${value('max')})`),
    )
    .returning('used'),
)

/** Counters that outlive a restart and are shared by all nodes. */
export const limits = (run: Run) => ({
  /**
   * Takes one try at activating with this typed name, whether it is anybody's or not; false when none is left. Taken before
   * the try, so that parallel guesses cannot be more than allowed.
   */
  takeNameTry: async (nameHash: string, allowance: Allowance): Promise<boolean> =>
    (await run(takeNameTry({ nameHash, ...allowance }))).length === 1,

  /** The try was a success, which does not count. */
  returnNameTry: (nameHash: string) => run(returnNameTry({ nameHash })),

  /** Takes one of a user's allowance; false, and nothing counted, when none is left. */
  use: async (organizationId: string, userId: string, kind: string, allowance: Allowance): Promise<boolean> =>
    (await run(use({ organizationId, userId, kind, ...allowance }))).length === 1,

  deleteOfUser: (organizationId: string, userId: string) =>
    run(
      query((db) =>
        db.deleteFrom('user_limits').where('organization_id', '=', organizationId).where('user_id', '=', userId),
      ),
    ),

  /** For the sweeper. */
  deleteOldNames: (before: number, limit: number) =>
    run(
      query((db, lock) => {
        const old = db.selectFrom('name_failures').select('name_hash').where('since', '<=', before).limit(limit)
        return db
          .with(batch, () => lock(old, 'skip locked'))
          .deleteFrom('name_failures')
          .where('name_hash', 'in', (from) => from.selectFrom('batch').select('batch.name_hash'))
          .returning('name_hash')
      }),
    ),

  /** For the sweeper: allowances of a kind whose window began so long ago that the next use begins a new one. */
  deleteOldUses: (kind: string, before: number, limit: number) =>
    run(
      query((db, lock) => {
        const old = db
          .selectFrom('user_limits')
          .select(['organization_id', 'user_id'])
          .where('since', '<=', before)
          .where('kind', '=', kind)
          .limit(limit)
        return db
          .with(batch, () => lock(old, 'skip locked'))
          .deleteFrom('user_limits')
          .where('kind', '=', kind)
          .where((where) =>
            where(
              where.refTuple('organization_id', 'user_id'),
              'in',
              where
                .selectFrom('batch')
                .select(['batch.organization_id', 'batch.user_id'])
                .$asTuple('organization_id', 'user_id'),
            ),
          )
          .returning('user_id')
      }),
    ),
})
