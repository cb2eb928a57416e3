import { sql } from 'kysely'
import type { Schema } from './schema.ts'
import { batch, query, type Run, statement } from './statement.ts'

export type ReplyRow = Schema['replies']

const find = statement<{ organizationId: string; tid: string; jti: string }>()((db, value) =>
  db
    .selectFrom('replies')
    .selectAll()
    .where('organization_id', '=', value('organizationId'))
    .where('tid', '=', value('tid'))
    .where('jti', '=', value('jti')),
)

const insert = statement<ReplyRow>()((db, value) =>
  db.insertInto('replies').values({
    organization_id: value('organization_id'),
    tid: value('tid'),
    jti: value('jti'),
    sid: value('sid'),
    payload_hash: value('payload_hash'),
    status: value('status'),
    body: value('body'),
    created_at: value('created_at'),
  }),
)

// The partial index is found by a literal only.
const noSession = sql.lit('')

/** Replies to signed messages that changed something. */
export const replies = (run: Run) => ({
  find: async (organizationId: string, tid: string, jti: string): Promise<ReplyRow | undefined> =>
    (await run(find({ organizationId, tid, jti })))[0],
  insert: (row: ReplyRow) => run(insert(row)),
  /** For the sweeper: replies to whatever, or only those to a token's own changes. */
  deleteOld: (before: number, limit: number, to: 'all' | 'changes') =>
    run(
      query((db, lock) => {
        const rows = db
          .selectFrom('replies')
          .select(['organization_id', 'tid', 'jti'])
          .where('created_at', '<=', before)
        const old = to === 'all' ? rows : rows.where('sid', '=', noSession)
        return db
          .with(batch, () => lock(old.limit(limit), 'skip locked'))
          .deleteFrom('replies')
          .where((where) =>
            where(
              where.refTuple('organization_id', 'tid', 'jti'),
              'in',
              where
                .selectFrom('batch')
                .select(['batch.organization_id', 'batch.tid', 'batch.jti'])
                .$asTuple('organization_id', 'tid', 'jti'),
            ),
          )
          .returning('jti')
      }),
    ),
})
