import { sql } from 'kysely'
import type { Schema } from './schema.ts'
import { query, type Run, statement } from './statement.ts'

export type CodeFailuresRow = Schema['code_failures']

type Owner = { organizationId: string; ownerId: string }

// An insert that changes nothing where there is a row: it locks the row, or makes one, in one statement.
const lock = statement<Owner>()((db, value) =>
  db
    .insertInto('code_failures')
    .values({
      organization_id: value('organizationId'),
      owner_id: value('ownerId'),
      bypass_codes: 0,
      otps: 0,
      locked_until: 0,
    })
    .onConflict((conflict) =>
      conflict
        .columns(['organization_id', 'owner_id'])
        .doUpdateSet((row) => ({ locked_until: row.ref('code_failures.locked_until') })),
    )
    .returningAll(),
)

const update = statement<CodeFailuresRow>()((db, value) =>
  db
    .updateTable('code_failures')
    .set({ bypass_codes: value('bypass_codes'), otps: value('otps'), locked_until: value('locked_until') })
    .where('organization_id', '=', value('organization_id'))
    .where('owner_id', '=', value('owner_id')),
)

const endLock = statement<Owner & { now: number }>()((db, value) =>
  db
    .updateTable('code_failures')
    .set({ bypass_codes: 0, otps: 0, locked_until: 0 })
    .where('organization_id', '=', value('organizationId'))
    .where('owner_id', '=', value('ownerId'))
    .where('locked_until', '>', value('now'))
    .returning('owner_id'),
)

/** Wrong codes in a row, by user. */
export const codeFailures = (run: Run) => ({
  /** The counters of a user, locked until the unit ends. */
  lock: async (organizationId: string, ownerId: string): Promise<CodeFailuresRow> => {
    const [row] = await run(lock({ organizationId, ownerId }))
    if (!row) throw new Error('unreachable: the statement returns the row that it made or found')
    return row
  },

  update: (row: CodeFailuresRow) => run(update(row)),

  /** False when no lock holds at the moment. */
  endLock: async (organizationId: string, ownerId: string, now: number): Promise<boolean> =>
    (await run(endLock({ organizationId, ownerId, now }))).length === 1,

  /** Whose codes are locked at the moment, of these owners, and until when. By pairs, as users are found. */
  locksOf: (organizationId: string, ownerIds: string[], now: number) => {
    const pairs = sql.join(ownerIds.map((id) => sql`(${organizationId}, ${id})`))
    const isTheirs = sql<boolean>`(organization_id, owner_id) in (values ${pairs})`
    return run(
      query((db) =>
        db
          .selectFrom('code_failures')
          .select(['owner_id', 'locked_until'])
          .where(isTheirs)
          .where('locked_until', '>', now),
      ),
    )
  },

  delete: (organizationId: string, ownerId: string) =>
    run(
      query((db) =>
        db.deleteFrom('code_failures').where('organization_id', '=', organizationId).where('owner_id', '=', ownerId),
      ),
    ),
})
