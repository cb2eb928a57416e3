import type { Schema } from './schema.ts'
import { query, type Run } from './statement.ts'

export type DataKeyRow = Schema['data_keys']

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
})
