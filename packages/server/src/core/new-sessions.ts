import type { App } from '../app.ts'
import type { DomainRow, FoundDomain } from '../storage/domains.ts'
import type { SessionRow } from '../storage/sessions.ts'
import type { UserRow } from '../storage/users.ts'
import type { Actor } from './actors.ts'
import { ApiError } from './errors.ts'
import { newId } from './ids.ts'
import { settingsOf } from './organization-settings.ts'
import type { Unit } from './transactions.ts'
import { aboutSession, type SessionView, viewOf } from './verdicts.ts'

const dayMs = 86_400_000

/** A session that has just been asked for and has no request yet. */
export function emptySession(app: App, domain: DomainRow, user: UserRow): SessionRow {
  const now = app.now()
  return {
    organization_id: domain.organization_id,
    sid: newId(app),
    domain_id: domain.id,
    user_id: user.id,
    tid: null,
    method: 'push',
    state: 'pending',
    reason: '',
    challenge: null,
    challenge_hash: null,
    number_mac: null,
    number_failures: 0,
    answers: 0,
    verdict_mac: null,
    evidence_cipher: null,
    created_at: now,
    // A whole second, so that `exp` in the challenge is the very moment.
    expires_at: Math.floor(now / 1000) * 1000 + domain.request_timeout * 1000,
    approved_at: null,
    ended_at: null,
  }
}

/** A refused request is a session, too: the C client ends its process when a creation fails. */
export async function insertRefused(
  app: App,
  unit: Unit,
  actor: Actor,
  { row, reason }: { row: SessionRow; reason: string },
): Promise<SessionView> {
  const refused: SessionRow = {
    ...row,
    state: 'denied',
    reason,
    challenge: null,
    challenge_hash: null,
    number_mac: null,
    ended_at: app.now(),
  }
  await unit.tx.sessions.insert(refused)
  unit.audit({ ...aboutSession(refused), event: 'session.refused', actor, data: { method: row.method, reason } })
  return viewOf(app, refused)
}

/** Takes one of the sessions that a user may have in a day; false when none is left. */
export function takeDaily(
  app: App,
  unit: Unit,
  { domain, user }: { domain: FoundDomain; user: UserRow },
): Promise<boolean> {
  const allowance = { max: settingsOf(domain).sessionsPerDayMax, now: app.now(), windowStart: app.now() - dayMs }
  return unit.tx.limits.use(user.organization_id, user.id, 'sessions', allowance)
}

/** What the session after the last of a day is refused with. */
export function tooManySessions(): ApiError {
  const message = 'This user has had too many sessions today.'
  return new ApiError('api.error.toomanyrequests', message, { retryAfterSeconds: 3_600, limit: 'sessions_of_user' })
}
