import type { DetailedSession, SessionState } from '@countersign/protocol/resources.ts'
import type { App } from '../app.ts'
import type { SessionRow } from '../storage/sessions.ts'
import { sameSecret } from './secrets.ts'

export type SessionView = DetailedSession

export const approvalValidMs = 600_000

/**
 * A session's state at this moment: time-outs and stale approvals hold before any sweeper has written them down, and also if
 * the token was revoked afterwards.
 */
export function stateOf(
  app: App,
  row: Pick<SessionRow, 'state' | 'reason' | 'expires_at' | 'approved_at' | 'ended_at'>,
): { state: SessionRow['state']; reason: string } {
  if (row.state === 'pending' && app.now() >= row.expires_at) return { state: 'expired', reason: 'timeout' }
  const until = row.ended_at ?? app.now()
  if (row.approved_at !== null && until >= row.approved_at + approvalValidMs) {
    return { state: 'expired', reason: 'approval_expired' }
  }
  return { state: row.state, reason: row.reason }
}

/** What the statement that approves writes with the verdict: a row that says approved without it is no approval. */
export function verdictMac(
  app: App,
  row: Pick<SessionRow, 'sid' | 'tid' | 'user_id' | 'domain_id' | 'method' | 'challenge_hash'>,
  approvedAt: number,
): string {
  const { sid, tid, user_id, domain_id, method, challenge_hash } = row
  const verdict = [sid, tid ?? '', user_id, domain_id, method, approvedAt, challenge_hash ?? '']
  return app.secrets.mac('verdict', JSON.stringify(verdict))
}

/** The stored form of a matching number. */
export function numberMac(app: App, sid: string, number: string): string {
  return app.secrets.mac('number', `dp1/num\n${sid}\n${number}`)
}

/** A session as the API shows it. */
export function viewOf(app: App, row: SessionRow, number?: string): SessionView {
  const { state, reason } = trustedState(app, row)
  return {
    id: row.sid,
    state: publicState(state),
    reason,
    method: row.method as SessionView['method'],
    createdAt: new Date(row.created_at).toISOString(),
    expiresAt: new Date(row.expires_at).toISOString(),
    ...(number === undefined ? {} : { number }),
  }
}

function publicState(state: string): SessionState {
  return state === 'pending' || state === 'approved' ? state : 'denied'
}

/** What a verdict is judged by. */
type Judged = Parameters<typeof stateOf>[1] & Parameters<typeof verdictMac>[1] & Pick<SessionRow, 'verdict_mac'>

/** The state at this moment, in the words of the row; one that says approved without a right MAC is denied. */
export function trustedState(app: App, row: Judged): { state: string; reason: string } {
  const current = stateOf(app, row)
  if (current.state !== 'approved') return current
  return isForged(app, row) ? { state: 'denied', reason: 'tampered' } : current
}

/** Whether a session says that it is approved without the server having approved it. */
export function isForged(app: App, row: Judged): boolean {
  if (stateOf(app, row).state !== 'approved') return false
  const { verdict_mac, approved_at } = row
  return verdict_mac === null || approved_at === null || !sameSecret(verdict_mac, verdictMac(app, row, approved_at))
}

/** The members of an audit event that say which session it is about. */
export function aboutSession(row: Pick<SessionRow, 'organization_id' | 'domain_id' | 'user_id' | 'tid' | 'sid'>) {
  const { organization_id, domain_id, user_id, tid, sid } = row
  return {
    organizationId: organization_id,
    domainId: domain_id,
    userId: user_id,
    sid,
    ...(tid === null ? {} : { tid }),
  }
}
