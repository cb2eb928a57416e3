import type { Schema } from './schema.ts'
import { query, type Run, statement } from './statement.ts'

export type DataKeyRow = Schema['data_keys']

const lockRoot = statement<object>()((db, _value, lock) =>
  lock(db.selectFrom('data_keys').select('id').where('purpose', '=', 'root')),
)

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
  /** The ids of those that were still there. */
  remove: async (ids: string[], purpose: 'fields' | 'vapid' = 'fields'): Promise<string[]> => {
    const removed = await run(
      query((db) => db.deleteFrom('data_keys').where('purpose', '=', purpose).where('id', 'in', ids).returning('id')),
    )
    return removed.map(({ id }) => id)
  },
})
