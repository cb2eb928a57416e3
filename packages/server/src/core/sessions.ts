import type { Challenge } from '@countersign/protocol/challenge.ts'
import type { DetailedSession, SessionState } from '@countersign/protocol/resources.ts'
import { cleanText, codePoints } from '@countersign/protocol/text.ts'
import type { App } from '../app.ts'
import type { DomainRow } from '../storage/domains.ts'
import type { SessionRow } from '../storage/sessions.ts'
import type { TokenRow } from '../storage/tokens.ts'
import type { UserRow } from '../storage/users.ts'
import { type Actor, requirePermission } from './actors.ts'
import { findDomain, unlockWord } from './domains.ts'
import { ApiError, badRequest } from './errors.ts'
import { newDigits, newId, newNonce } from './ids.ts'
import { plainHash, sameSecret } from './secrets.ts'
import { isIntact, isSuspended, noSuchToken } from './tokens.ts'
import { available, refuse, transact, type Unit } from './transactions.ts'
import { usernameKey } from './usernames.ts'
import { noSuchUser } from './users.ts'

export interface CreateSession {
  domainId: string
  /** `decoded` is a second spelling to try when nobody has the first (C client) */
  user: { id: string } | { username: string; decoded?: string }
  attributes: { key: string; value: string }[]
  ipAddress?: string
  bypasscode?: string
  otp?: string
  numberMatching?: boolean
}

export type SessionView = DetailedSession

export const approvalValidMs = 600_000
const pendingPerTokenMax = 3
const unapprovedInARowMax = 15
const throttleMs = 3_600_000
const sessionsPerDayMax = 1_000
const dayMs = 86_400_000
const numberLength = 6

/** Asks whether this is the user: by a code that came along, or else by a request to the user's authenticator. */
export async function createSession(app: App, actor: Actor, input: CreateSession): Promise<SessionView> {
  requirePermission(actor, 'sessions:create')
  const domain = await findDomain(app, actor, input.domainId)
  const user = await findAsked(app, actor, domain, input.user)
  const request = readRequest(input)
  if (input.bypasscode !== undefined || input.otp !== undefined) return judgeCode(app, actor, { domain, user, input })
  requireNumberMatching(domain, input)
  return requestApproval(app, actor, {
    domain,
    user,
    ...request,
    matched: input.numberMatching === true && domain.number_matching !== 'off',
  })
}

/** The verdict. Always found for a session of this domain that ever existed, whatever became of its user or token. */
export async function getSession(
  app: App,
  actor: Actor,
  input: { domainId: string; sessionId: string; waitMs?: number; readsOnce?: boolean; signal?: AbortSignal },
): Promise<SessionView> {
  requirePermission(actor, 'sessions:read')
  const waitMs = (await waitsForVerdict(app, actor, input)) ? Number.POSITIVE_INFINITY : (input.waitMs ?? 0)
  if (waitMs === 0) return readSession(app, actor, input)
  const watch = app.events.watch([input.sessionId])
  const deadline = performance.now() + waitMs
  try {
    for (;;) {
      const view = await readSession(app, actor, input)
      const leftMs = Math.min(deadline - performance.now(), Date.parse(view.expiresAt) - app.now())
      if (view.state !== 'pending' || leftMs <= 0 || app.events.stopping || input.signal?.aborted) return view
      await watch.next(leftMs, input.signal)
    }
  } finally {
    watch.close()
  }
}

/** Takes a request back: the device drops it, and the session reads as denied. */
export async function cancelSession(
  app: App,
  actor: Actor,
  input: { domainId: string; sessionId: string },
): Promise<void> {
  requirePermission(actor, 'sessions:cancel')
  const { organizationId } = actor
  const { domainId, sessionId } = input
  await transact(app, async (unit) => {
    const cancelled = await unit.tx.sessions.cancel(organizationId, sessionId, domainId, app.now())
    if (!cancelled) {
      // One that has ended already stays as it ended; only one that never was is not found.
      const row = await unit.tx.sessions.find(organizationId, sessionId)
      return row?.domain_id === domainId ? undefined : refuse(noSuchSession())
    }
    const { sid, tid, user_id } = cancelled
    const about = { domainId, userId: user_id, sid, ...(tid === null ? {} : { tid }) }
    unit.audit({ organizationId, event: 'session.cancelled', actor, ...about })
    unit.wake(sid, ...(tid === null ? [] : [tid]))
  })
}

/** A session's state at this moment: time-outs and stale approvals hold before any sweeper has written them down. */
export function stateOf(
  app: App,
  row: Pick<SessionRow, 'state' | 'reason' | 'expires_at' | 'approved_at'>,
): { state: SessionRow['state']; reason: string } {
  const now = app.now()
  if (row.state === 'pending' && now >= row.expires_at) return { state: 'expired', reason: 'timeout' }
  if (row.state === 'approved' && now >= (row.approved_at ?? 0) + approvalValidMs) {
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

/** LoginTC's PAM module gives up at the first "pending" it reads (docs/decisions/0011): in its domains it reads the verdict. */
async function waitsForVerdict(
  app: App,
  actor: Actor,
  { domainId, readsOnce }: { domainId: string; readsOnce?: boolean },
): Promise<boolean> {
  if (!readsOnce) return false
  const domain = await available(app, () => app.storage.domains.find(actor.organizationId, domainId))
  return domain?.type === 'PAM'
}

async function readSession(
  app: App,
  actor: Actor,
  input: { domainId: string; sessionId: string },
): Promise<SessionView> {
  const row = await available(app, () => app.storage.sessions.find(actor.organizationId, input.sessionId))
  if (!row || row.domain_id !== input.domainId) throw noSuchSession()
  return viewOf(app, row)
}

function viewOf(app: App, row: SessionRow, number?: string): SessionView {
  const { state, reason } = trusted(app, row)
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

function trusted(app: App, row: SessionRow): { state: string; reason: string } {
  const current = stateOf(app, row)
  if (current.state !== 'approved') return current
  const { verdict_mac, approved_at } = row
  if (verdict_mac !== null && approved_at !== null && sameSecret(verdict_mac, verdictMac(app, row, approved_at))) {
    return current
  }
  app.log.error({ alarm: 'session.tampered', sid: row.sid }, 'a session was set to approved behind the server’s back')
  return { state: 'denied', reason: 'tampered' }
}

async function findAsked(app: App, actor: Actor, domain: DomainRow, asked: CreateSession['user']): Promise<UserRow> {
  const { members } = app.storage
  const byName = (name: string) => members.findUserByName(actor.organizationId, domain.id, usernameKey(name))
  const user = await available(app, async () => {
    if ('id' in asked) return members.findUser(actor.organizationId, domain.id, asked.id)
    const { username, decoded } = asked
    return (await byName(username)) ?? (decoded === undefined ? undefined : await byName(decoded))
  })
  if (!user) throw noSuchUser()
  return user
}

function readRequest(input: CreateSession): { attrs: Challenge['attrs']; ip?: string } {
  if (input.bypasscode !== undefined && input.otp !== undefined) {
    throw badRequest('otp', 'Send either a bypass code or a one-time password, not both.')
  }
  if (input.attributes.length > 20) throw badRequest('attributes', 'There are at most 20.')
  const attrs = input.attributes.map(({ key, value }, index) => ({
    k: shownText(key, 64, `attributes[${index}].key`),
    v: shownText(value, 256, `attributes[${index}].value`),
  }))
  if (!input.ipAddress) return { attrs }
  if (codePoints(input.ipAddress) > 64) throw badRequest('ipAddress', 'It has at most 64 characters.')
  const ip = cleanText(input.ipAddress)
  return ip === '' ? { attrs } : { attrs, ip }
}

/** Text as the user will see it. What is left of it after cleaning must still say something. */
function shownText(text: string, max: number, field: string): string {
  const clean = cleanText(text)
  if (codePoints(text) > max || clean === '') throw badRequest(field, `It has 1 to ${max} visible characters.`)
  return clean
}

function requireNumberMatching(domain: DomainRow, input: CreateSession): void {
  if (domain.number_matching !== 'required' || input.numberMatching) return
  const message = 'This domain requires number matching: send "numberMatching":true and show the number to the user.'
  throw new ApiError('api.error.numbermatching', message)
}

/** A code is judged at once and never falls through to a push. No kind of code has been issued to anybody yet. */
async function judgeCode(
  app: App,
  actor: Actor,
  { domain, user, input }: { domain: DomainRow; user: UserRow; input: CreateSession },
): Promise<SessionView> {
  const method = input.bypasscode === undefined ? 'otp' : 'bypasscode'
  requireMethod(domain, method)
  return transact(app, async (unit) => {
    if (!(await takeDaily(app, unit, user))) return refuse(tooManySessions())
    const row = { ...emptySession(app, domain, user), method }
    return insertRefused(app, unit, actor, { row, reason: 'wrong_code' })
  })
}

function requireMethod(domain: DomainRow, method: 'bypasscode' | 'otp'): void {
  const enabled = method === 'bypasscode' ? domain.bypass_enabled : domain.otp_enabled
  if (enabled) return
  const kind = method === 'bypasscode' ? 'Bypass codes' : 'One-time passwords'
  throw new ApiError(`api.error.forbidden.${method}`, `${kind} are switched off in this domain.`)
}

interface ApprovalRequest {
  domain: DomainRow
  user: UserRow
  attrs: Challenge['attrs']
  ip?: string
  matched: boolean
}

async function requestApproval(app: App, actor: Actor, request: ApprovalRequest): Promise<SessionView> {
  const { domain, user } = request
  for (;;) {
    const token = await available(app, () => app.storage.tokens.findLive(domain.organization_id, domain.id, user.id))
    if (token?.state !== 'active') throw noSuchToken()
    const number = request.matched ? newDigits(app, numberLength) : undefined
    const row = pendingSession(app, request, token, number)
    const view = await transact(app, (unit) => openSession(app, unit, actor, { token, row, number, user }))
    if (view !== 'token changed') return view
  }
}

type Opening = { token: TokenRow; row: SessionRow; number: string | undefined; user: UserRow }

/** In the unit: what the challenge was built from must still be so, and the token must be allowed one more request. */
async function openSession(app: App, unit: Unit, actor: Actor, { token, row, number, user }: Opening) {
  const current = await unit.tx.tokens.lock(token.organization_id, token.tid)
  if (current?.state !== 'active') return 'token changed' as const
  if (current.factor !== token.factor || current.key_generation !== token.key_generation)
    return 'token changed' as const
  if (!(await takeDaily(app, unit, user))) return refuse(tooManySessions())
  const reason = await refusalReason(app, unit, current)
  if (reason) return insertRefused(app, unit, actor, { row, reason })
  await unit.tx.sessions.insert(row)
  const unapproved_sessions = startsAnew(app, current) ? 1 : current.unapproved_sessions + 1
  await unit.tx.tokens.updateCounters(current.organization_id, current.tid, {
    ...current,
    unapproved_sessions,
    throttled_until: 0,
  })
  unit.audit({
    ...aboutSession(row),
    event: 'session.created',
    actor,
    data: { method: 'push', numberMatching: row.number_mac !== null },
  })
  unit.wake(current.tid)
  return viewOf(app, row, number)
}

/** Why no request may go to this token now; undefined when one may. */
async function refusalReason(app: App, unit: Unit, token: TokenRow): Promise<string | undefined> {
  if (!isIntact(app, token)) {
    app.log.error({ alarm: 'token.tampered', tid: token.tid }, 'a token’s row was changed behind the server’s back')
    return 'token_unusable'
  }
  if (isSuspended(app, token)) return 'suspended'
  if (token.throttled_until > app.now()) return 'throttled'
  const pending = await unit.tx.sessions.countPending(token.organization_id, token.tid, app.now())
  if (pending >= pendingPerTokenMax) return 'throttled'
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

/** A refused request is a session, too: the C client ends its process when a creation fails. */
async function insertRefused(
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

function takeDaily(app: App, unit: Unit, user: UserRow): Promise<boolean> {
  const allowance = { max: sessionsPerDayMax, now: app.now(), windowStart: app.now() - dayMs }
  return unit.tx.limits.use(user.organization_id, user.id, 'sessions', allowance)
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

function emptySession(app: App, domain: DomainRow, user: UserRow): SessionRow {
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

export function noSuchSession(): ApiError {
  return new ApiError('api.error.notfound.session', 'There is no such session.')
}

function tooManySessions(): ApiError {
  const message = 'This user has had too many sessions today.'
  return new ApiError('api.error.toomanyrequests', message, { retryAfterSeconds: 3_600 })
}
