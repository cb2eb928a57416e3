import type { App } from '../app.ts'
import type { SessionFilter, SessionSummaryRow } from '../storage/session-lists.ts'
import type { SessionRow } from '../storage/sessions.ts'
import { type AboutWhom, aboutWhom } from './about-whom.ts'
import { type Actor, mayAnywhere, type Permission, requirePermission } from './actors.ts'
import { readChallenge } from './answers.ts'
import { badRequest } from './errors.ts'
import { type List, type ListInput, listOf, readPage } from './lists.ts'
import { cancelSession, noSuchSession } from './sessions.ts'
import { isoTime, isoTimeOrNull } from './times.ts'
import { available } from './transactions.ts'
import { approvalValidMs, trustedState } from './verdicts.ts'

export const managedSessionStates = ['pending', 'approved', 'denied', 'cancelled', 'expired'] as const
export const sessionMethods = ['push', 'bypasscode', 'otp'] as const

/** The session as administrators see it: never the number that had to be typed. */
export interface ManagedSession extends AboutWhom {
  id: string
  /** `expired` is a request that nobody answered, or an approval that is too old to be read */
  state: (typeof managedSessionStates)[number]
  reason: string
  method: (typeof sessionMethods)[number]
  /** of the token that was asked; null where a code came along */
  tokenId: string | null
  /** what the application said of where the user is */
  ipAddress: string | null
  numberMatching: boolean
  createdAt: string
  expiresAt: string
  approvedAt: string | null
  endedAt: string | null
}

/** The same with everything else that the user was shown. */
export interface ShownSession extends ManagedSession {
  attributes: { key: string; value: string }[]
}

/** Which sessions are asked for; the times are RFC 3339. */
export type SessionListInput = ListInput &
  Omit<SessionFilter, 'since' | 'until'> & {
    /** created then or later */
    since?: string
    /** created before then */
    until?: string
  }

/** The organization's sessions, the newest first. */
export async function listSessions(app: App, actor: Actor, input: SessionListInput): Promise<List<ManagedSession>> {
  requirePermission(actor, 'sessions:list', input.domainId)
  const page = readPage(input, [0, ''])
  const filter = { ...readFilter(input), expiresAfter: app.now(), approvedAfter: app.now() - approvalValidMs }
  const rows = await available(app, () => app.storage.sessions.list(actor.organizationId, filter, page))
  const about = await aboutWhom(app, actor, rows)
  const item = (row: SessionSummaryRow) => managedSessionOf(app, row, about(row))
  return listOf(page, rows, { place: (row) => [row.created_at, row.sid], item })
}

/** One session with what the user was shown. */
export async function getManagedSession(
  app: App,
  actor: Actor,
  { sessionId }: { sessionId: string },
): Promise<ShownSession> {
  const row = await findSession(app, actor, 'sessions:list', sessionId)
  const about = await aboutWhom(app, actor, [row])
  const attributes = readChallenge(row)?.attrs.map(({ k, v }) => ({ key: k, value: v })) ?? []
  return { ...managedSessionOf(app, row, about(row)), attributes }
}

/** As cancelSession, in whatever domain. */
export async function cancelManagedSession(app: App, actor: Actor, input: { sessionId: string }): Promise<void> {
  const { domain_id } = await findSession(app, actor, 'sessions:cancel', input.sessionId)
  await cancelSession(app, actor, { ...input, domainId: domain_id })
}

/** Its path names no domain: what a key that is bound to domains may do is known once the session is. */
async function findSession(app: App, actor: Actor, permission: Permission, sessionId: string): Promise<SessionRow> {
  if (!mayAnywhere(actor, permission)) requirePermission(actor, permission)
  const row = await available(app, () => app.storage.sessions.find(actor.organizationId, sessionId))
  if (!row) throw noSuchSession()
  requirePermission(actor, permission, row.domain_id)
  return row
}

function readFilter({ domainId, userId, state, since, until }: SessionListInput): SessionFilter {
  return {
    ...(domainId === undefined ? {} : { domainId }),
    ...(userId === undefined ? {} : { userId }),
    ...(state === undefined ? {} : { state }),
    ...(since === undefined ? {} : { since: readTime(since, 'since') }),
    ...(until === undefined ? {} : { until: readTime(until, 'until') }),
  }
}

function readTime(text: string, field: string): number {
  const ms = Date.parse(text)
  if (Number.isNaN(ms)) throw badRequest(field, 'It must be a time as in RFC 3339.')
  return ms
}

function managedSessionOf(app: App, row: SessionSummaryRow, about: AboutWhom): ManagedSession {
  const { state, reason } = trustedState(app, row)
  return {
    id: row.sid,
    state: state as ManagedSession['state'],
    reason,
    method: row.method as ManagedSession['method'],
    ...about,
    tokenId: row.tid,
    ipAddress: readChallenge(row)?.ip ?? null,
    numberMatching: row.number_mac !== null,
    createdAt: isoTime(row.created_at),
    expiresAt: isoTime(row.expires_at),
    approvedAt: isoTimeOrNull(row.approved_at),
    endedAt: isoTimeOrNull(row.ended_at),
  }
}
