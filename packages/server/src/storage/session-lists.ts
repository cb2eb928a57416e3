import { type RawBuilder, sql } from 'kysely'
import { isBefore, type Page } from './pages.ts'
import type { SessionRow } from './sessions.ts'
import { query, type Run } from './statement.ts'

const columns = [
  ...(['sid', 'domain_id', 'user_id', 'tid', 'method', 'state', 'reason', 'verdict_mac', 'number_mac'] as const),
  ...(['challenge', 'challenge_hash', 'created_at', 'expires_at', 'approved_at', 'ended_at'] as const),
] as const

/** A session without the evidence of its approval. */
export type SessionSummaryRow = Pick<SessionRow, (typeof columns)[number]>

/** Which sessions are asked for; what is absent does not matter. */
export interface SessionFilter {
  domainId?: string
  userId?: string
  state?: string
  /** created then or later */
  since?: number
  /** created before then */
  until?: number
}

/** What a session must be later than, at this moment, to be in the state that is written down. */
export interface InTime {
  expiresAfter: number
  approvedAfter: number
}

/** A part of the organization's sessions, the newest first. */
export function listSessions(run: Run) {
  return (organizationId: string, filter: SessionFilter & InTime, page: Page<[number, string]>) => {
    const all = [
      sql`organization_id = ${organizationId}`,
      ...isAskedFor(filter),
      ...isOfThatTime(filter, page.after),
      ...isInTime(filter),
    ]
    return run(
      query((db) =>
        db
          .selectFrom('sessions')
          .select(columns)
          .where(sql<boolean>`${sql.join(all, sql` and `)}`)
          .orderBy('created_at', 'desc')
          .orderBy('sid', 'desc')
          .limit(page.limit),
      ),
    )
  }
}

/** One column is for an index, the one that leaves the fewest rows; the others are expressions, so that no index of theirs is taken. */
function isAskedFor({ domainId, userId, state }: SessionFilter): RawBuilder<unknown>[] {
  const asked = { user_id: userId, domain_id: domainId, state }
  const narrowest = narrowestOf({ domainId, userId, state })
  return Object.entries(asked).flatMap(([name, value]) => {
    if (value === undefined) return []
    const column = sql.ref(name)
    return [name === narrowest ? sql`${column} = ${value}` : sql`${column} || '' = ${value}`]
  })
}

// Of a user there are few sessions; of a whole domain few that are open, and most that have ended.
function narrowestOf({ domainId, userId, state }: { [Name in keyof SessionFilter]: SessionFilter[Name] | undefined }) {
  if (userId !== undefined) return 'user_id'
  const open = state === 'pending' || state === 'approved'
  return domainId !== undefined && !open ? 'domain_id' : 'state'
}

// At most one bound a side: an index is entered by one of them only.
function isOfThatTime({ since, until }: SessionFilter, after: [number, string] | undefined): RawBuilder<unknown>[] {
  const from = since === undefined ? [] : [sql`created_at >= ${since}`]
  if (after !== undefined && (until === undefined || after[0] < until)) {
    return [...from, isBefore(['created_at', 'sid'], after)]
  }
  return until === undefined ? from : [...from, sql`created_at < ${until}`]
}

function isInTime({ state, expiresAfter, approvedAfter }: SessionFilter & InTime): RawBuilder<unknown>[] {
  if (state === 'pending') return [sql`expires_at > ${expiresAfter}`]
  return state === 'approved' ? [sql`approved_at > ${approvedAfter}`] : []
}
