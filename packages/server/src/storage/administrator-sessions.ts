import type { Schema } from './schema.ts'
import { batch, query, type Run, statement } from './statement.ts'

export type AdministratorSessionRow = Schema['administrator_sessions']

const find = statement<{ hash: string }>()((db, value) =>
  db
    .selectFrom('administrator_sessions')
    .innerJoin('administrators', (join) =>
      join
        .onRef('administrators.organization_id', '=', 'administrator_sessions.organization_id')
        .onRef('administrators.id', '=', 'administrator_sessions.administrator_id'),
    )
    .selectAll('administrator_sessions')
    .select(['administrators.role', 'administrators.disabled'])
    .where('administrator_sessions.hash', '=', value('hash')),
)

/** Administrators' sessions, known by the hash of their cookie only. */
export const administratorSessions = (run: Run) => ({
  /** The cookie says whose it is; with what its administrator is now. */
  find: async (hash: string) => (await run(find({ hash })))[0],
  insert: (row: AdministratorSessionRow) => run(query((db) => db.insertInto('administrator_sessions').values(row))),
  see: (hash: string, at: number) =>
    run(
      query((db) =>
        db
          .updateTable('administrator_sessions')
          .set({ seen_at: at })
          .where('hash', '=', hash)
          .where('seen_at', '<', at),
      ),
    ),
  /** Whether there was one. */
  delete: async (hash: string): Promise<boolean> => {
    const rows = await run(
      query((db) => db.deleteFrom('administrator_sessions').where('hash', '=', hash).returning('hash')),
    )
    return rows.length > 0
  },
  deleteOf: (organizationId: string, administratorId: string) =>
    run(
      query((db) =>
        db
          .deleteFrom('administrator_sessions')
          .where('organization_id', '=', organizationId)
          .where('administrator_id', '=', administratorId),
      ),
    ),
  /** For the sweeper: those that have lapsed, and those that were last seen so long ago. */
  deleteOld: (now: number, seenBefore: number, limit: number) =>
    run(
      query((db, lock) => {
        const old = db
          .selectFrom('administrator_sessions')
          .select('hash')
          .where((where) => where.or([where('expires_at', '<=', now), where('seen_at', '<=', seenBefore)]))
          .limit(limit)
        return db
          .with(batch, () => lock(old, 'skip locked'))
          .deleteFrom('administrator_sessions')
          .where('hash', 'in', (from) => from.selectFrom('batch').select('batch.hash'))
          .returning('hash')
      }),
    ),
})
