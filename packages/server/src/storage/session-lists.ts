import { type RawBuilder, sql } from 'kysely'
import { isBefore, isFrom, type Page, type Place } from './pages.ts'
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
    const narrowest = narrowestOf(filter)
    const order = [...Object.keys(narrowest), 'created_at', 'sid']
    const { from, to } = boundsOf(filter, page.after)
    const all = [
      sql`organization_id = ${organizationId}`,
      // As one range of places: with two bounds of created_at itself SQLite walks the index of all sessions.
      isFrom(order, [...Object.values(narrowest), ...from]),
      isBefore(order, [...Object.values(narrowest), ...to]),
      ...isAskedFor(filter, narrowest),
      ...isInTime(filter),
    ]
    return run(
      query((db) =>
        db
          .selectFrom('sessions')
          .select(columns)
          .where(sql<boolean>`${sql.join(all, sql` and `)}`)
          .orderBy(sql.join(order.map((column) => sql`${sql.ref(column)} desc`)))
          .limit(page.limit),
      ),
    )
  }
}

type Narrowest = { user_id?: string; domain_id?: string; state?: string }

/** What is open ends within minutes: in an organization, too, there is little of it at any moment. */
const openStates = ['pending', 'approved']

/**
 * The columns whose index is walked. Of a user there are few sessions, whatever else is asked for. (For an open state and a
 * domain PostgreSQL would walk all of the domain's sessions: it takes a range over four columns for a wide one.)
 */
function narrowestOf({ domainId, userId, state }: SessionFilter): Narrowest {
  if (userId !== undefined) return { user_id: userId }
  if (state !== undefined && openStates.includes(state)) return { state }
  return { ...(domainId !== undefined && { domain_id: domainId }), ...(state !== undefined && { state }) }
}

function isAskedFor({ domainId, userId, state }: SessionFilter, narrowest: Narrowest): RawBuilder<unknown>[] {
  return Object.entries({ domain_id: domainId, user_id: userId, state }).flatMap(([column, value]) =>
    value === undefined || column in narrowest ? [] : [sql`${sql.ref(column)} = ${value}`],
  )
}

function boundsOf({ since = 0, until = Number.MAX_SAFE_INTEGER }: SessionFilter, after: Place = [until, '']) {
  const to = Number(after[0]) < until ? after : [until, '']
  return { from: [since, ''], to }
}

function isInTime({ state, expiresAfter, approvedAfter }: SessionFilter & InTime): RawBuilder<unknown>[] {
  if (state === 'pending') return [sql`expires_at > ${expiresAfter}`]
  return state === 'approved' ? [sql`approved_at > ${approvedAfter}`] : []
}
