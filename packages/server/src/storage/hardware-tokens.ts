import type { Schema } from './schema.ts'
import { query, type Run, statement } from './statement.ts'

export type HardwareTokenRow = Schema['hardware_tokens']

/** What showing a password changes. */
export type Clock = Pick<HardwareTokenRow, 'last_step' | 'drift' | 'sync_state' | 'resync_step'>

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

  /** All of the organization, the oldest first. */
  list: (organizationId: string): Promise<HardwareTokenRow[]> =>
    run(
      query((db) =>
        db
          .selectFrom('hardware_tokens')
          .selectAll()
          .where('organization_id', '=', organizationId)
          .orderBy('created_at')
          .orderBy('id'),
      ),
    ),

  /** False when the serial number is taken. */
  insert: async (row: HardwareTokenRow): Promise<boolean> => {
    const inserted = await run(
      query((db) =>
        db
          .insertInto('hardware_tokens')
          .values(row)
          .onConflict((conflict) => conflict.doNothing())
          .returning('id'),
      ),
    )
    return inserted.length === 1
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

  /** Gives it to a user who has none. */
  assign: (organizationId: string, id: string, userId: string) =>
    run(
      query((db) =>
        db
          .updateTable('hardware_tokens')
          .set({ user_id: userId })
          .where('organization_id', '=', organizationId)
          .where('id', '=', id),
      ),
    ),

  /** The token that the user had until now. */
  unassign: async (organizationId: string, userId: string): Promise<string | undefined> => {
    const [freed] = await run(
      query((db) =>
        db
          .updateTable('hardware_tokens')
          .set({ user_id: null })
          .where('organization_id', '=', organizationId)
          .where('user_id', '=', userId)
          .returning('id'),
      ),
    )
    return freed?.id
  },

  delete: (organizationId: string, id: string) =>
    run(
      query((db) =>
        db.deleteFrom('hardware_tokens').where('organization_id', '=', organizationId).where('id', '=', id),
      ),
    ),
})
