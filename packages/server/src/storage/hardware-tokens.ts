import { sql } from 'kysely'
import { isAfter, type Page } from './pages.ts'
import type { Schema } from './schema.ts'
import { query, type Run, statement } from './statement.ts'

export type HardwareTokenRow = Schema['hardware_tokens']

/** What showing a password changes. */
export type Clock = Pick<HardwareTokenRow, 'last_step' | 'drift' | 'sync_state' | 'resync_step'>

/** Which tokens of an organization. */
export interface HardwareFilter {
  /** what the serial number begins with */
  q?: string
  /** whether a user has it */
  assigned?: boolean
}

type Key = { organizationId: string; id: string }
type Owner = { organizationId: string; userId: string }

const find = statement<Key>()((db, value) =>
  db
    .selectFrom('hardware_tokens')
    .selectAll()
    .where('organization_id', '=', value('organizationId'))
    .where('id', '=', value('id')),
)

const lock = statement<Key>()((db, value, lock) =>
  lock(
    db
      .selectFrom('hardware_tokens')
      .selectAll()
      .where('organization_id', '=', value('organizationId'))
      .where('id', '=', value('id')),
  ),
)

const findOf = statement<Owner>()((db, value) =>
  db
    .selectFrom('hardware_tokens')
    .selectAll()
    .where('organization_id', '=', value('organizationId'))
    .where('user_id', '=', value('userId')),
)

const lockOf = statement<Owner>()((db, value, lock) =>
  lock(
    db
      .selectFrom('hardware_tokens')
      .selectAll()
      .where('organization_id', '=', value('organizationId'))
      .where('user_id', '=', value('userId')),
  ),
)

// `to` is at least the last step that was accepted; a step at or below it must never pass again.
const moveClock = statement<Key & Clock>()((db, value) =>
  db
    .updateTable('hardware_tokens')
    .set({
      last_step: value('last_step'),
      drift: value('drift'),
      sync_state: value('sync_state'),
      resync_step: value('resync_step'),
    })
    .where('organization_id', '=', value('organizationId'))
    .where('id', '=', value('id'))
    .where('last_step', '<=', value('last_step'))
    .returning('id'),
)

/** Hardware tokens, one a user. */
export const hardwareTokens = (run: Run) => ({
  find: async (organizationId: string, id: string): Promise<HardwareTokenRow | undefined> =>
    (await run(find({ organizationId, id })))[0],

  lock: async (organizationId: string, id: string): Promise<HardwareTokenRow | undefined> =>
    (await run(lock({ organizationId, id })))[0],

  /** The user's own. */
  findOf: async (organizationId: string, userId: string): Promise<HardwareTokenRow | undefined> =>
    (await run(findOf({ organizationId, userId })))[0],

  lockOf: async (organizationId: string, userId: string): Promise<HardwareTokenRow | undefined> =>
    (await run(lockOf({ organizationId, userId })))[0],

  /** Which of these users have which. */
  idsOf: (organizationId: string, userIds: string[]) =>
    run(
      query((db) =>
        db
          .selectFrom('hardware_tokens')
          .select(['user_id', 'id'])
          .where('organization_id', '=', organizationId)
          .where('user_id', 'in', userIds),
      ),
    ),

  /** A part of the organization's by serial number: those that begin with `q`, those that are somebody's or nobody's. */
  page: (organizationId: string, { q, assigned }: HardwareFilter, page: Page<[string]>): Promise<HardwareTokenRow[]> =>
    run(
      query((db) => {
        let rows = db.selectFrom('hardware_tokens').selectAll().where('organization_id', '=', organizationId)
        // Serial numbers are printable ASCII: U+007F comes after whatever they go on with.
        if (q !== undefined) rows = rows.where('serial_number', '>=', q).where('serial_number', '<', `${q}\u007f`)
        if (assigned !== undefined) rows = rows.where('user_id', assigned ? 'is not' : 'is', null)
        if (page.after !== undefined) rows = rows.where(isAfter(['serial_number'], page.after))
        return rows.orderBy('serial_number').limit(page.limit)
      }),
    ),

  /** The ids of page N of the organization's, in the order of their creation: an index has all that is passed over. */
  pageOfIds: async (organizationId: string, page: { limit: number; offset: number }): Promise<string[]> => {
    const rows = await run(
      query((db) =>
        db
          .selectFrom('hardware_tokens')
          .select('id')
          .where('organization_id', '=', organizationId)
          .orderBy('created_at')
          .orderBy('id')
          .limit(page.limit)
          .offset(page.offset),
      ),
    )
    return rows.map((row) => row.id)
  },

  /** Those of these ids that exist, in any order; by pairs, so that no statistics are needed to find them one by one. */
  findMany: async (organizationId: string, ids: string[]): Promise<HardwareTokenRow[]> => {
    if (ids.length === 0) return []
    const pairs = sql.join(ids.map((id) => sql`(${organizationId}, ${id})`))
    const isWanted = sql<boolean>`(organization_id, id) in (values ${pairs})`
    return run(query((db) => db.selectFrom('hardware_tokens').selectAll().where(isWanted)))
  },

  /** The ids of those that were new: serial numbers that are taken are left alone. */
  insert: async (_organizationId: string, rows: HardwareTokenRow[]): Promise<string[]> => {
    if (rows.length === 0) return []
    const inserted = await run(
      query((db) =>
        db
          .insertInto('hardware_tokens')
          .values(rows)
          .onConflict((conflict) => conflict.doNothing())
          .returning('id'),
      ),
    )
    return inserted.map((row) => row.id)
  },

  /** Those of the serial numbers that are taken. */
  knownSerialNumbers: async (organizationId: string, serialNumbers: string[]): Promise<string[]> => {
    if (serialNumbers.length === 0) return []
    const found = await run(
      query((db) =>
        db
          .selectFrom('hardware_tokens')
          .select('serial_number')
          .where('organization_id', '=', organizationId)
          .where('serial_number', 'in', serialNumbers),
      ),
    )
    return found.map((row) => row.serial_number)
  },

  /** Where its clock stands now; false when a later step was accepted meanwhile. */
  moveClock: async (organizationId: string, id: string, clock: Clock): Promise<boolean> => {
    const { last_step, drift, sync_state, resync_step } = clock
    return (await run(moveClock({ organizationId, id, last_step, drift, sync_state, resync_step }))).length === 1
  },

  rename: (organizationId: string, id: string, alias: string) =>
    run(
      query((db) =>
        db
          .updateTable('hardware_tokens')
          .set({ alias })
          .where('organization_id', '=', organizationId)
          .where('id', '=', id),
      ),
    ),

  /** Whose it is from now on, with the seed that is encrypted for that user, who has none, or for nobody. */
  give: (organizationId: string, id: string, owner: Pick<HardwareTokenRow, 'user_id' | 'seed_cipher'>) =>
    run(
      query((db) =>
        db.updateTable('hardware_tokens').set(owner).where('organization_id', '=', organizationId).where('id', '=', id),
      ),
    ),

  delete: (organizationId: string, id: string) =>
    run(
      query((db) =>
        db.deleteFrom('hardware_tokens').where('organization_id', '=', organizationId).where('id', '=', id),
      ),
    ),
})
