import type { Schema } from './schema.ts'
import { query, type Run, statement } from './statement.ts'

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

/** Replies to signed messages that changed something. */
export const replies = (run: Run) => ({
  find: async (organizationId: string, tid: string, jti: string): Promise<ReplyRow | undefined> =>
    (await run(find({ organizationId, tid, jti })))[0],
  insert: (row: ReplyRow) => run(insert(row)),
  /** For the sweeper: replies to a token's own changes, and to answers, each before a time. */
  deleteOld: (before: { changes: number; answers: number }) =>
    run(
      query((db) =>
        db
          .deleteFrom('replies')
          .where('created_at', '<=', before.changes)
          .where((where) => where.or([where('sid', '=', ''), where('created_at', '<=', before.answers)])),
      ),
    ),
})
