import type { App } from '../app.ts'
import type { DomainRow, FoundDomain } from '../storage/domains.ts'
import type { SessionRow } from '../storage/sessions.ts'
import type { TokenRow } from '../storage/tokens.ts'
import type { UserRow } from '../storage/users.ts'
import type { Actor } from './actors.ts'
import { matchBypassCode, useBypassCode } from './bypass-codes.ts'
import { type CodeMethod, type CodeVerdict, underBudget } from './code-budget.ts'
import { ApiError, noSuchUser } from './errors.ts'
import { emptySession, insertRefused, takeDaily, tooManySessions } from './new-sessions.ts'
import { findPassword, usePassword } from './one-time-passwords.ts'
import { settingsOf } from './organization-settings.ts'
import { revokeTokens } from './revocation.ts'
import { unthrottled } from './tokens.ts'
import { refuse, transact, type Unit } from './transactions.ts'
import { aboutSession, type SessionView, verdictMac, viewOf } from './verdicts.ts'

/** A code that came with the request for a session. */
export interface PresentedCode {
  domain: FoundDomain
  user: UserRow
  method: CodeMethod
  code: string
}

type Judge = (unit: Unit) => Promise<CodeVerdict>

/** Looks a code up before the unit; what it returns takes it, in the unit. */
const kinds: Record<CodeMethod, (app: App, presented: PresentedCode) => Promise<Judge>> = {
  async bypasscode(app, { user, code }) {
    const match = await matchBypassCode(app, { organizationId: user.organization_id, userId: user.id }, code)
    return (unit) => useBypassCode(app, unit, match)
  },
  async otp(app, { user, code }) {
    const found = await findPassword(app, { organizationId: user.organization_id, userId: user.id }, code)
    return (unit) => usePassword(app, unit, found)
  },
}

const reasons = { wrong: 'wrong_code', spent: 'code_spent', locked: 'codes_locked' } as const

/** Judges a code at once: the session is approved or denied when it is created, and never falls through to a push. */
export async function judgeCode(app: App, actor: Actor, presented: PresentedCode): Promise<SessionView> {
  const { domain, user, method } = presented
  requireMethod(domain, method)
  const judge = await kinds[method](app, presented)
  return transact(app, async (unit) => {
    // The lock of the membership, before all others: who removes the member denies what was approved until then.
    if (!(await unit.tx.members.lock(user.organization_id, domain.id, user.id))) return refuse(noSuchUser())
    const token = await unit.tx.tokens.lockLive(user.organization_id, domain.id, user.id)
    if (!(await takeDaily(app, unit, presented))) return refuse(tooManySessions())
    const owner = { organizationId: user.organization_id, ownerId: user.id, settings: settingsOf(domain) }
    const verdict = await underBudget(app, unit, actor, { method, ...owner, judge: () => judge(unit) })
    const row = { ...emptySession(app, domain, user), method }
    if (verdict === 'accepted') return insertApproved(app, unit, actor, { row, token })
    if (verdict === 'wrong' && method === 'bypasscode') await countAsUnlock(app, unit, actor, { domain, token })
    return insertRefused(app, unit, actor, { row, reason: reasons[verdict] })
  })
}

async function insertApproved(
  app: App,
  unit: Unit,
  actor: Actor,
  { row, token }: { row: SessionRow; token: TokenRow | undefined },
): Promise<SessionView> {
  const at = app.now()
  const approved = { ...row, state: 'approved', approved_at: at, verdict_mac: verdictMac(app, row, at) }
  await unit.tx.sessions.insert(approved)
  // Whoever proved to be the user is asked on the phone again, however many requests went unanswered before.
  if (token?.state === 'active' && (token.unapproved_sessions > 0 || token.throttled_until > 0)) {
    const counters = { ...token, ...unthrottled }
    await unit.tx.tokens.updateCounters(token.organization_id, token.tid, counters)
  }
  unit.audit({ ...aboutSession(approved), event: 'session.approved', actor, data: { method: row.method } })
  return viewOf(app, approved)
}

/** LoginTC's rule, where a domain asks for it: wrong bypass codes count like wrong PINs, and revoke the token. */
async function countAsUnlock(
  app: App,
  unit: Unit,
  actor: Actor,
  { domain, token }: { domain: DomainRow; token: TokenRow | undefined },
): Promise<void> {
  if (domain.bypass_counts_as_unlock !== 1 || token?.state !== 'active') return
  const unlock_failures = token.unlock_failures + 1
  if (unlock_failures < domain.max_allowed_retries) {
    await unit.tx.tokens.updateCounters(token.organization_id, token.tid, { ...token, unlock_failures })
  } else {
    const by = { organizationId: token.organization_id, kind: actor.kind, id: actor.id }
    await revokeTokens(app, unit, by, { tokens: [token], reason: 'bypass_retries' })
  }
}

function requireMethod(domain: DomainRow, method: CodeMethod): void {
  const enabled = method === 'bypasscode' ? domain.bypass_enabled : domain.otp_enabled
  if (enabled) return
  const kind = method === 'bypasscode' ? 'Bypass codes' : 'One-time passwords'
  throw new ApiError(`api.error.forbidden.${method}`, `${kind} are switched off in this domain.`)
}
