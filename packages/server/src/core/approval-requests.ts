import type { Challenge } from '@countersign/protocol/challenge.ts'
import { cleanText } from '@countersign/protocol/text.ts'
import type { App } from '../app.ts'
import type { FoundDomain } from '../storage/domains.ts'
import type { SessionRow } from '../storage/sessions.ts'
import type { TokenRow } from '../storage/tokens.ts'
import type { UserRow } from '../storage/users.ts'
import type { Actor } from './actors.ts'
import { unlockWord } from './domains.ts'
import { newDigits, newNonce } from './ids.ts'
import { emptySession, insertRefused, takeDaily, tooManySessions } from './new-sessions.ts'
import { settingsOf } from './organization-settings.ts'
import { nextPush } from './push-times.ts'
import { type PlannedPush, startPush } from './pushes.ts'
import { plainHash } from './secrets.ts'
import { reportTampering } from './tampering.ts'
import { isIntact, isSuspended, noSuchToken, tamperedToken } from './tokens.ts'
import { available, refuse, transact, type Unit } from './transactions.ts'
import { aboutSession, numberMac, type SessionView, viewOf } from './verdicts.ts'

const unapprovedInARowMax = 15
const throttleMs = 3_600_000
const numberLength = 6

/** What is asked of a member's authenticator. */
export interface ApprovalRequest {
  domain: FoundDomain
  user: UserRow
  attrs: Challenge['attrs']
  ip?: string
  matched: boolean
}

/** Sends a request to the member's authenticator. Without an active token: `api.error.notfound.token`. */
export async function requestApproval(app: App, actor: Actor, request: ApprovalRequest): Promise<SessionView> {
  const { domain, user } = request
  for (;;) {
    const token = await available(app, () => app.storage.tokens.findLive(domain.organization_id, domain.id, user.id))
    if (token?.state !== 'active') throw noSuchToken()
    if (!isIntact(app, token)) await reportTampering(app, tamperedToken(token))
    const number = request.matched ? newDigits(app, numberLength) : undefined
    const row = pendingSession(app, request, token, number)
    const opened = await transact(app, (unit) => openSession(app, unit, actor, { token, row, number, domain, user }))
    if (opened === 'token changed') continue
    if (opened.push) startPush(app, opened.push)
    return opened.view
  }
}

type Opened = { view: SessionView; push?: PlannedPush }
type Opening = { token: TokenRow; row: SessionRow; number: string | undefined; domain: FoundDomain; user: UserRow }

/** In the unit: what the challenge was built from must still be so, and the token must be allowed one more request. */
async function openSession(
  app: App,
  unit: Unit,
  actor: Actor,
  { token, row, number, ...asked }: Opening,
): Promise<Opened | ReturnType<typeof refuse> | 'token changed'> {
  const current = await unit.tx.tokens.lock(token.organization_id, token.tid)
  if (current?.state !== 'active') return 'token changed'
  if (current.factor !== token.factor || current.key_generation !== token.key_generation) return 'token changed'
  if (!(await takeDaily(app, unit, asked))) return refuse(tooManySessions())
  const reason = await refusalReason(app, unit, { token: current, ...asked })
  if (reason) return { view: await insertRefused(app, unit, actor, { row, reason }) }
  await unit.tx.sessions.insert(row)
  const unapproved_sessions = startsAnew(app, current) ? 1 : current.unapproved_sessions + 1
  const { dueAt, ...times } = nextPush(app.now(), current, isSubscribed(app, current))
  const counters = { ...current, ...times, unapproved_sessions, throttled_until: 0 }
  await unit.tx.tokens.updateCounters(current.organization_id, current.tid, counters)
  unit.audit({
    ...aboutSession(row),
    event: 'session.created',
    actor,
    data: { method: 'push', numberMatching: row.number_mac !== null },
  })
  unit.wake(current.tid)
  const view = viewOf(app, row, number)
  if (dueAt === undefined) return { view }
  const { sid, expires_at: expiresAt } = row
  // The poll of this moment: it may be answered before anybody looks after the commit.
  return { view, push: { token: current, sid, dueAt, expiresAt, poll: app.polls.outcome(current.tid) } }
}

function isSubscribed(app: App, token: TokenRow): boolean {
  return app.delivery.webPush !== undefined && token.push_endpoint_cipher !== null
}

/** Why no request may go to this token now; undefined when one may. */
async function refusalReason(
  app: App,
  unit: Unit,
  { token, domain }: Pick<Opening, 'token' | 'domain'>,
): Promise<string | undefined> {
  if (!isIntact(app, token)) return 'token_unusable'
  if (isSuspended(app, token)) return 'suspended'
  if (token.throttled_until > app.now()) return 'throttled'
  const pending = await unit.tx.sessions.countPending(token.organization_id, token.tid, app.now())
  if (pending >= settingsOf(domain).pendingSessionsMax) return 'throttled'
  if (token.unapproved_sessions < unapprovedInARowMax || startsAnew(app, token)) return undefined
  await unit.tx.tokens.updateCounters(token.organization_id, token.tid, {
    ...token,
    throttled_until: app.now() + throttleMs,
  })
  app.log.warn({ alarm: 'session.throttled', tid: token.tid }, 'fifteen requests in a row were not approved')
  return 'throttled'
}

/** A throttle that is over takes the count that led to it along. */
function startsAnew(app: App, token: TokenRow): boolean {
  return token.throttled_until !== 0 && token.throttled_until <= app.now()
}

function pendingSession(app: App, request: ApprovalRequest, token: TokenRow, number: string | undefined): SessionRow {
  const { domain, user, attrs, ip } = request
  const row = { ...emptySession(app, domain, user), tid: token.tid }
  const challenge: Challenge = {
    v: 1,
    aud: app.config.deviceUrl,
    tid: token.tid,
    sid: row.sid,
    nonce: newNonce(app, 32),
    iat: Math.floor(row.created_at / 1000),
    exp: row.expires_at / 1000,
    domain: { id: domain.id, name: cleanText(domain.name) },
    user: cleanText(user.username),
    ...(ip === undefined ? {} : { ip }),
    attrs,
    via: 'api',
    unlock: unlockWord(domain, token),
    match: number === undefined ? { type: 'none' } : { type: 'enter', len: number.length },
  }
  const bytes = JSON.stringify(challenge)
  return {
    ...row,
    challenge: Buffer.from(bytes, 'utf8').toString('base64url'),
    challenge_hash: plainHash(bytes),
    number_mac: number === undefined ? null : numberMac(app, row.sid, number),
  }
}
