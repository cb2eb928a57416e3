import type { Kysely } from 'kysely'
import type { Schema } from './schema.ts'
import { type Lock, query, type Run, statement } from './statement.ts'

export type DataKeyRow = Schema['data_keys']

const lockRoot = statement<object>()((db, _value, lock) =>
  lock(db.selectFrom('data_keys').select('id').where('purpose', '=', 'root')),
)

/**
 * The key of a field that is about to be stored, if it may still be used, kept so until the unit ends. It is read and locked
 * at once: whoever retires it waits for the unit, or the unit finds it retired.
 */
export function keyInUse(db: Pick<Kysely<Schema>, 'selectFrom'>, id: string, lock: Lock) {
  return lock(db.selectFrom('data_keys').select('id').where('id', '=', id).where('purpose', '=', 'fields'), 'share')
}

const hold = statement<{ id: string }>()((db, value, lock) => keyInUse(db, value('id'), lock))

/** What belongs to the installation and not to an organization: wrapped keys and settings. */
export const keys = (run: Run) => ({
  list: (): Promise<DataKeyRow[]> =>
    run(query((db) => db.selectFrom('data_keys').selectAll().orderBy('created_at').orderBy('id'))),
  insert: (rows: DataKeyRow[]) => run(query((db) => db.insertInto('data_keys').values(rows))),
  /** False when the database has a root already. */
  insertRoot: async (rows: DataKeyRow[]): Promise<boolean> => {
    const inserted = await run(
      query((db) =>
        db
          .insertInto('data_keys')
          .values(rows)
          .onConflict((conflict) => conflict.doNothing())
          .returning('id'),
      ),
    )
    return inserted.length > 0
  },
  /** Until the unit ends, no other one that asks for it changes the keys. */
  lock: () => run(lockRoot({})),
  /** The same key, wrapped by another one. */
  rewrap: ({ id, kek_id, wrapped }: Pick<DataKeyRow, 'id' | 'kek_id' | 'wrapped'>) =>
    run(query((db) => db.updateTable('data_keys').set({ kek_id, wrapped }).where('id', '=', id))),
  /** False when nothing may be stored under the key any more. Otherwise that stays so until the unit ends. */
  hold: async (id: string): Promise<boolean> => (await run(hold({ id }))).length === 1,
  /**
   * From the commit on nothing is stored under any key for fields that is older than this one. Waits for the units that store
   * something. The ids of those that are retired by this.
   */
  retire: async ({ created_at }: Pick<DataKeyRow, 'created_at'>): Promise<string[]> => {
    const retired = await run(
      query((db) =>
        db
          .updateTable('data_keys')
          .set({ purpose: 'retired' })
          .where('purpose', '=', 'fields')
          .where('created_at', '<', created_at)
          .returning('id'),
      ),
    )
    return retired.map(({ id }) => id)
  },
  /** Removes keys of pushes; the ids of those that were still there. */
  removeVapid: async (ids: string[]): Promise<string[]> => {
    const removed = await run(
      query((db) => db.deleteFrom('data_keys').where('purpose', '=', 'vapid').where('id', 'in', ids).returning('id')),
    )
    return removed.map(({ id }) => id)
  },
  /** Removes the retired keys that are older than this one, but those; the ids of what is gone. */
  removeRetired: async (
    { id, created_at }: Pick<DataKeyRow, 'id' | 'created_at'>,
    but: string[],
  ): Promise<string[]> => {
    const removed = await run(
      query((db) =>
        db
          .deleteFrom('data_keys')
          .where('purpose', '=', 'retired')
          .where('created_at', '<', created_at)
          .where('id', 'not in', [id, ...but])
          .returning('id'),
      ),
    )
    return removed.map(({ id }) => id)
  },
})
