import { sql } from 'kysely'
import { keyInUse } from './keys.ts'
import type { Schema } from './schema.ts'
import { listSessions } from './session-lists.ts'
import { batch, query, type Run, statement } from './statement.ts'

export type SessionRow = Schema['sessions']

type Key = { organizationId: string; sid: string }

/** How a session ends without an approval. */
export interface Ending {
  state: 'denied' | 'cancelled' | 'expired'
  reason: string
  at: number
}

/** What the statement that approves writes with it. */
export interface Approval {
  verdictMac: string
  evidenceCipher: string
  /** of the key that the evidence is encrypted under */
  keyId: string
  at: number
}

/** Sessions that codes have approved. */
export interface CodeApprovals {
  userIds: string[]
  domainId?: string
  method?: 'bypasscode' | 'otp'
}

// Partial indexes are found by literals only: a bound parameter could be any state. `open` names the one for both. Where only the
// pending of those are meant they are what is not approved: asked for a state, SQLite prefers the index of an organization's
// sessions by state, and walks all that are pending there.
const [pending, approved] = [sql.lit('pending'), sql.lit('approved')]
const open = [pending, approved]

const find = statement<Key>()((db, value) =>
  db
    .selectFrom('sessions')
    .selectAll()
    .where('organization_id', '=', value('organizationId'))
    .where('sid', '=', value('sid')),
)

const lock = statement<Key>()((db, value, lock) =>
  lock(
    db
      .selectFrom('sessions')
      .selectAll()
      .where('organization_id', '=', value('organizationId'))
      .where('sid', '=', value('sid')),
  ),
)

const countPending = statement<{ organizationId: string; tid: string; now: number }>()((db, value) =>
  db
    .selectFrom('sessions')
    .select(sql<number>`count(*)`.as('count'))
    .where('organization_id', '=', value('organizationId'))
    .where('tid', '=', value('tid'))
    .where('state', 'in', open)
    .where('state', '<>', approved)
    .where('expires_at', '>', value('now')),
)

const insert = statement<SessionRow>()((db, value) =>
  db.insertInto('sessions').values({
    organization_id: value('organization_id'),
    sid: value('sid'),
    domain_id: value('domain_id'),
    user_id: value('user_id'),
    tid: value('tid'),
    method: value('method'),
    state: value('state'),
    reason: value('reason'),
    challenge: value('challenge'),
    challenge_hash: value('challenge_hash'),
    number_mac: value('number_mac'),
    number_failures: value('number_failures'),
    answers: value('answers'),
    verdict_mac: value('verdict_mac'),
    evidence_cipher: value('evidence_cipher'),
    created_at: value('created_at'),
    expires_at: value('expires_at'),
    approved_at: value('approved_at'),
    ended_at: value('ended_at'),
  }),
)

// The key is held as by keys.hold(), in the same statement.
const approve = statement<Key & Approval>()((db, value, lock) =>
  db
    .with('held', (cte) => keyInUse(cte, value('keyId'), lock))
    .updateTable('sessions')
    .set({
      state: 'approved',
      approved_at: value('at'),
      verdict_mac: value('verdictMac'),
      evidence_cipher: value('evidenceCipher'),
    })
    .where('organization_id', '=', value('organizationId'))
    .where('sid', '=', value('sid'))
    .where('state', '=', pending)
    .where('expires_at', '>', value('at'))
    .where(({ exists, selectFrom }) => exists(selectFrom('held').select('held.id')))
    .returning('sid'),
)

const end = statement<Key & Ending & { from: string }>()((db, value) =>
  db
    .updateTable('sessions')
    .set({ state: value('state'), reason: value('reason'), ended_at: value('at'), verdict_mac: null })
    .where('organization_id', '=', value('organizationId'))
    .where('sid', '=', value('sid'))
    .where('state', '=', value('from'))
    .returning('sid'),
)

const cancel = statement<Key & { domainId: string; at: number }>()((db, value) =>
  db
    .updateTable('sessions')
    .set({ state: 'cancelled', reason: 'cancelled', ended_at: value('at'), verdict_mac: null })
    .where('organization_id', '=', value('organizationId'))
    .where('sid', '=', value('sid'))
    .where('domain_id', '=', value('domainId'))
    // one that has timed out is no longer there to be cancelled
    .where((where) =>
      where.or([
        where('state', '=', approved),
        where.and([where('state', '=', pending), where('expires_at', '>', value('at'))]),
      ]),
    )
    .returning(['sid', 'tid', 'user_id']),
)

const countAnswer = statement<Key>()((db, value) =>
  db
    .updateTable('sessions')
    .set((row) => ({ answers: row('answers', '+', 1) }))
    .where('organization_id', '=', value('organizationId'))
    .where('sid', '=', value('sid')),
)

const setNumberFailures = statement<Key & { failures: number }>()((db, value) =>
  db
    .updateTable('sessions')
    .set({ number_failures: value('failures') })
    .where('organization_id', '=', value('organizationId'))
    .where('sid', '=', value('sid')),
)

/** Sessions. A verdict is one conditional write on the state it starts from. */
export const sessions = (run: Run) => ({
  find: async (organizationId: string, sid: string): Promise<SessionRow | undefined> =>
    (await run(find({ organizationId, sid })))[0],

  lock: async (organizationId: string, sid: string): Promise<SessionRow | undefined> =>
    (await run(lock({ organizationId, sid })))[0],

  list: listSessions(run),

  /** How many requests of a token wait for an answer. */
  countPending: async (organizationId: string, tid: string, now: number): Promise<number> =>
    (await run(countPending({ organizationId, tid, now })))[0]?.count ?? 0,

  insert: (row: SessionRow) => run(insert(row)),

  /** False unless it was pending and in time. */
  approve: async (organizationId: string, sid: string, approval: Approval): Promise<boolean> =>
    (await run(approve({ organizationId, sid, ...approval }))).length === 1,

  /** False unless it was in the state named. */
  end: async (organizationId: string, sid: string, from: string, ending: Ending): Promise<boolean> =>
    (await run(end({ organizationId, sid, from, ...ending }))).length === 1,

  /** Cancels a pending or approved session of this domain. */
  cancel: async (organizationId: string, sid: string, domainId: string, at: number) =>
    (await run(cancel({ organizationId, sid, domainId, at })))[0],

  countAnswer: (organizationId: string, sid: string) => run(countAnswer({ organizationId, sid })),

  setNumberFailures: (organizationId: string, sid: string, failures: number) =>
    run(setNumberFailures({ organizationId, sid, failures })),

  /**
   * Denies every approved session of these tokens, and those that are pending and have not timed out. An approval is denied
   * however old it is: another node's clock may be behind, and still call it valid.
   */
  denyOfTokens: (organizationId: string, tids: string[], reason: string, at: number) =>
    run(
      query((db) =>
        db
          .updateTable('sessions')
          .set({ state: 'denied', reason, ended_at: at, verdict_mac: null })
          .where('organization_id', '=', organizationId)
          .where('tid', 'in', tids)
          .where('state', 'in', open)
          .where((where) => where.or([where('state', '=', approved), where('expires_at', '>', at)]))
          .returning(['sid', 'tid']),
      ),
    ),

  /** Denies what codes of these users have approved, of one kind or of either, in one domain or in all. */
  denyByCode: (organizationId: string, of: CodeApprovals, reason: string, at: number) =>
    run(
      query((db) => {
        let rows = db
          .updateTable('sessions')
          .set({ state: 'denied', reason, ended_at: at, verdict_mac: null })
          .where('organization_id', '=', organizationId)
          .where('user_id', 'in', of.userIds)
          .where('tid', 'is', null)
          .where('state', 'in', open)
          .returning('sid')
        if (of.domainId !== undefined) rows = rows.where('domain_id', '=', of.domainId)
        return of.method === undefined ? rows : rows.where('method', '=', of.method)
      }),
    ),

  /** Denies a user's pending sessions that have not timed out. */
  denyPendingOfUser: (organizationId: string, userId: string, reason: string, at: number) =>
    run(
      query((db) =>
        db
          .updateTable('sessions')
          .set({ state: 'denied', reason, ended_at: at })
          .where('organization_id', '=', organizationId)
          .where('user_id', '=', userId)
          .where('state', 'in', open)
          .where('state', '<>', approved)
          .where('expires_at', '>', at)
          .returning(['sid', 'tid']),
      ),
    ),

  /**
   * The requests that wait on these tokens, the oldest first, over all organizations: a device may hold tokens of several.
   * Sorted here: asked for an order, SQLite walks all that an organization has in that order. Asked for one of several tokens, it
   * walks all that are open: each is a part of its own.
   */
  findPendingOf: async (tokens: { organization_id: string; tid: string }[], now: number) => {
    const rows = await run(
      query((db) =>
        db
          .selectFrom('sessions')
          .select(['sid', 'tid', 'challenge', 'created_at'])
          .where(({ or, and }) => or(tokens.map(({ organization_id, tid }) => and({ organization_id, tid }))))
          .where('state', 'in', open)
          .where('state', '<>', approved)
          .where('expires_at', '>', now),
      ),
    )
    return rows.sort((a, b) => a.created_at - b.created_at || (a.sid < b.sid ? -1 : 1))
  },

  /** How the requests that a device still shows have ended. */
  findStates: (tids: { organization_id: string; tid: string }[], sids: string[]) =>
    run(
      query((db) =>
        db
          .selectFrom('sessions')
          .select(['sid', 'tid', 'state', 'expires_at', 'approved_at', 'ended_at'])
          .where('organization_id', 'in', [...new Set(tids.map((token) => token.organization_id))])
          .where('sid', 'in', sids)
          .where(
            'tid',
            'in',
            tids.map((token) => token.tid),
          ),
      ),
    ),

  /** For the sweeper, over all organizations: locks pending sessions whose time is over, but for those that others hold. */
  lockLapsed: (now: number, limit: number) =>
    run(
      query((db, lock) =>
        lock(
          db
            .selectFrom('sessions')
            .select(['organization_id', 'sid', 'domain_id', 'user_id', 'tid'])
            .where('state', '=', pending)
            .where('expires_at', '<=', now)
            .orderBy('expires_at')
            .limit(limit),
          'skip locked',
        ),
      ),
    ),

  /** For the sweeper: approvals that are too old to be handed out have ended. */
  endSpent: (approvedBefore: number, limit: number, now: number) =>
    run(
      query((db, lock) =>
        db
          .with(batch, () =>
            lock(
              db
                .selectFrom('sessions')
                .select(['organization_id', 'sid'])
                .where('state', '=', approved)
                .where('approved_at', '<=', approvedBefore)
                .limit(limit),
              'skip locked',
            ),
          )
          .updateTable('sessions')
          .set({ state: 'expired', reason: 'approval_expired', ended_at: now })
          .where((where) =>
            where(
              where.refTuple('organization_id', 'sid'),
              'in',
              where
                .selectFrom('batch')
                .select(['batch.organization_id', 'batch.sid'])
                .$asTuple('organization_id', 'sid'),
            ),
          )
          .where('state', '=', approved)
          .returning('sid'),
      ),
    ),

  /** For the sweeper: deletes what ended long ago. */
  deleteOld: (endedBefore: number, limit: number) =>
    run(
      query((db, lock) =>
        db
          .with(batch, () =>
            lock(
              db
                .selectFrom('sessions')
                .select(['organization_id', 'sid'])
                .where('ended_at', 'is not', null)
                .where('ended_at', '<=', endedBefore)
                .limit(limit),
              'skip locked',
            ),
          )
          .deleteFrom('sessions')
          .where((where) =>
            where(
              where.refTuple('organization_id', 'sid'),
              'in',
              where
                .selectFrom('batch')
                .select(['batch.organization_id', 'batch.sid'])
                .$asTuple('organization_id', 'sid'),
            ),
          )
          .returning('sid'),
      ),
    ),
})
