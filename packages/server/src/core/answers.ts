import { fromBase64url } from '@countersign/protocol/base64url.ts'
import type { Challenge } from '@countersign/protocol/challenge.ts'
import type { App } from '../app.ts'
import type { DomainRow } from '../storage/domains.ts'
import type { SessionRow } from '../storage/sessions.ts'
import type { TokenRow } from '../storage/tokens.ts'
import type { Payloads } from './device-schemas.ts'
import { canDo, satisfies } from './domains.ts'
import { ApiError } from './errors.ts'
import { holdKeys } from './key-holds.ts'
import { earlierReply, type MessageId, outcome, type Reply, rememberReply } from './replies.ts'
import { revokeTokens } from './revocation.ts'
import { keyIdOf, sameSecret } from './secrets.ts'
import { badSignature, isSameKey, malformed, rateLimited, tokenRevoked, verifyMessage } from './signed-messages.ts'
import { aboutToken, deviceOf, isIntact, isSuspended, unthrottled } from './tokens.ts'
import { refuse, transact, type Unit } from './transactions.ts'
import { countWrongProof, factorRequired, judgeProof, type ReadProof, readProof } from './unlock.ts'
import { aboutSession, numberMac, stateOf, verdictMac } from './verdicts.ts'

type Answer = Payloads['answer']
type Approve = Extract<Answer, { ans: 'approve' }>
type Deny = Extract<Answer, { ans: 'deny' }>

/** Everything a verdict depends on, read under the locks of token and session. */
interface Case {
  unit: Unit
  token: TokenRow
  session: SessionRow
  domain: DomainRow
  challenge: Challenge
  /** the message as it came, which is the evidence of an approval */
  text: string
}

const answersPerMinuteMax = 20
const answersPerSessionMax = 10
const wrongNumbersPerSessionMax = 3
const wrongNumbersInARowMax = 20
const suspensionMs = 3_600_000
const minuteMs = 60_000

/**
 * Judges a signed answer: each message once, each session at most one final verdict. Everything it changes, counters
 * included, commits together with its audit event before the device or anybody else hears of it.
 */
export async function answerSession(app: App, text: string): Promise<object> {
  const { token, payload, payloadHash } = await verifyMessage(app, 'answer', text)
  const proof = await readProofOf(app, token, payload)
  return transact(app, async (unit) => {
    const locked = await lockTokens(unit, token, payload)
    const problem = tokenProblem(app, locked, token)
    if (problem || !locked) return refuse(problem ?? badSignature())
    const session = await unit.tx.sessions.lock(token.organization_id, payload.sid)
    if (session?.tid !== token.tid) return refuse(unknownSession())
    const { organization_id: organizationId, tid } = token
    const id: MessageId = { organizationId, tid, jti: payload.jti, payloadHash, sid: session.sid }
    const earlier = await earlierReply(unit.tx, id)
    if (earlier) return outcome(earlier)
    const counted = await countAnswer(app, unit, locked, session)
    if ('retryAfter' in counted) return refuse(rateLimited(counted.retryAfter, 'answers'))
    const domain = await unit.tx.domains.find(organizationId, token.domain_id)
    const challenge = readChallenge(session)
    if (!domain || !challenge) return refuse(unknownSession())
    const reply = await judge(app, { unit, token: counted.token, session, domain, challenge, text }, payload, proof)
    if (reply === 'malformed') throw malformed() // and nothing stays counted (§3)
    await rememberReply(app, unit.tx, id, reply)
    return outcome(reply)
  })
}

/** The proof over what was signed: the hash in it is the message's own; judge() compares that first. */
function readProofOf(app: App, token: TokenRow, payload: Answer): Promise<ReadProof> {
  const hash = fromBase64url(payload.ch) ?? new Uint8Array(32)
  const proof = payload.ans === 'approve' ? payload.uv : undefined
  return readProof(app, token, { proof, tid: payload.tid, op: 'answer', ref: payload.sid, ans: 'approve', hash })
}

/** A fraud report touches the user's other sessions, so it locks all their tokens, in the order in which everybody does. */
async function lockTokens(unit: Unit, token: TokenRow, payload: Answer): Promise<TokenRow | undefined> {
  const { organization_id: organizationId, user_id, tid } = token
  if (payload.ans === 'deny' && payload.why === 'not_me') {
    await unit.tx.tokens.lockLiveOf(organizationId, { userIds: [user_id] })
  }
  return unit.tx.tokens.lock(organizationId, tid)
}

function tokenProblem(app: App, locked: TokenRow | undefined, verified: TokenRow): ApiError | undefined {
  if (locked?.state !== 'active') return tokenRevoked()
  if (!isSameKey(locked, verified) || !isIntact(app, locked)) return badSignature()
  return undefined
}

/** Counts this answer against the token's minute and the session's ten; durable, since it bounds guessing. */
async function countAnswer(
  app: App,
  unit: Unit,
  token: TokenRow,
  session: SessionRow,
): Promise<{ token: TokenRow } | { retryAfter: number }> {
  const fresh = app.now() - token.answers_since >= minuteMs
  const answers = fresh ? 1 : token.answers + 1
  const answers_since = fresh ? app.now() : token.answers_since
  if (answers > answersPerMinuteMax) return { retryAfter: Math.ceil((answers_since + minuteMs - app.now()) / 1000) }
  if (session.answers >= answersPerSessionMax) return { retryAfter: minuteMs / 1000 }
  await unit.tx.sessions.countAnswer(session.organization_id, session.sid)
  return { token: { ...token, answers, answers_since } }
}

/** The order of docs/specs/device-protocol.md §8: state, hash, deny, unlock, number. */
async function judge(app: App, about: Case, payload: Answer, proof: ReadProof): Promise<Reply | 'malformed'> {
  const { unit, token, session } = about
  const { state } = stateOf(app, session)
  const lateReport = state === 'approved' && payload.ans === 'deny' && payload.why === 'not_me'
  if ((state !== 'pending' && !lateReport) || isSuspended(app, token)) {
    await saveToken(unit, token)
    const closedAs = isSuspended(app, token) && state === 'pending' ? 'denied' : state
    const data = { problem: 'session_closed', state: closedAs, answer: payload.ans }
    unit.audit({ ...aboutSession(session), event: 'session.answer_refused', actor: deviceOf(token), data })
    return { error: sessionClosed(closedAs) }
  }
  if (!sameSecret(session.challenge_hash ?? '', payload.ch)) return challengeMismatch(app, about)
  if (payload.ans === 'deny') return deny(app, about, payload)
  return judgeApproval(app, about, payload, proof)
}

async function judgeApproval(app: App, about: Case, payload: Approve, proof: ReadProof): Promise<Reply | 'malformed'> {
  const { unit, token, domain, challenge } = about
  const unlockAsked = challenge.unlock !== 'none' || domain.key_type !== 'ONE_STEP'
  if (!unlockAsked && payload.uv) return 'malformed'
  if (challenge.match.type === 'none' && payload.num !== undefined) return 'malformed'
  if (!unlockAsked) return judgeNumber(app, about, payload)
  const suffices = satisfies(domain, token) && canDo(token, challenge.unlock)
  const verdict = suffices ? judgeProof(app, token, proof) : 'missing'
  if (verdict === 'wrong') return { error: await countWrongProof(app, unit, { token, domain }) }
  if (verdict !== 'missing') return judgeNumber(app, { ...about, token: verdict.unlocked }, payload)
  await saveToken(unit, token)
  return { error: factorRequired() }
}

function judgeNumber(app: App, about: Case, payload: Approve): Promise<Reply> {
  const { challenge, session } = about
  const wrong = challenge.match.type === 'enter' && !isRightNumber(app, session, payload.num)
  return wrong ? wrongNumber(app, about) : approve(app, about)
}

async function approve(app: App, { unit, token, session, text }: Case): Promise<Reply> {
  const at = app.now()
  const evidence = JSON.stringify({ answer: text, key: JSON.parse(token.public_key ?? 'null') })
  const place = { table: 'sessions', column: 'evidence_cipher', row: session.sid }
  const evidenceCipher = app.secrets.encrypt(place, evidence)
  const approval = { at, verdictMac: verdictMac(app, session, at), evidenceCipher, keyId: keyIdOf(evidenceCipher) }
  if (!(await unit.tx.sessions.approve(session.organization_id, session.sid, approval))) {
    await holdKeys(app, unit, evidenceCipher)
    // Its time ran out between the look at it and this write.
    await saveToken(unit, token)
    const data = { problem: 'session_closed', state: 'expired', answer: 'approve' }
    unit.audit({ ...aboutSession(session), event: 'session.answer_refused', actor: deviceOf(token), data })
    return { error: sessionClosed('expired') }
  }
  await saveToken(unit, { ...token, ...unthrottled, number_failures: 0 })
  const data = { challengeHash: session.challenge_hash, thumbprint: token.thumbprint }
  unit.audit({ ...aboutSession(session), event: 'session.approved', actor: deviceOf(token), data })
  unit.wake(session.sid, token.tid)
  return { body: { sid: session.sid, state: 'approved' } }
}

async function deny(app: App, about: Case, payload: Deny): Promise<Reply> {
  const { unit, token, session } = about
  const late = session.state === 'approved'
  await endSession(app, about, payload.why)
  await saveToken(unit, token)
  const data = { why: payload.why, ...(late ? { late: true } : {}) }
  unit.audit({ ...aboutSession(session), event: 'session.denied', actor: deviceOf(token), data })
  if (payload.why === 'not_me') await reportFraud(app, about, late)
  return { body: { sid: session.sid, state: 'denied' } }
}

/** Somebody has the password: nothing of this user stays open, and the domain says what becomes of the token (§10). */
async function reportFraud(app: App, { unit, token, session, domain }: Case, late: boolean): Promise<void> {
  const { organization_id: organizationId, user_id, tid } = token
  const others = await unit.tx.sessions.denyPendingOfUser(organizationId, user_id, 'fraud_reported', app.now())
  unit.wake(...others.flatMap((other) => [other.sid, ...(other.tid === null ? [] : [other.tid])]))
  const data = { late, reaction: domain.on_fraud, alsoDenied: others.map((other) => other.sid) }
  unit.audit({ ...aboutSession(session), event: 'session.fraud_reported', actor: deviceOf(token), data })
  const alarm = late ? 'late_fraud_report' : 'fraud_reported'
  app.log.warn({ alarm, sid: session.sid, tid }, 'a user says that a request was not theirs')
  if (domain.on_fraud === 'revoke') {
    await revokeTokens(app, unit, { organizationId, ...deviceOf(token) }, { tokens: [token], reason: 'fraud_reported' })
  } else if (domain.on_fraud === 'suspend') await suspend(app, unit, token, 'fraud_reported')
}

/** No request reaches the token for an hour, and what was open or approved is denied. */
async function suspend(app: App, unit: Unit, token: TokenRow, reason: string): Promise<void> {
  const { organization_id: organizationId, tid } = token
  const suspended_until = app.now() + suspensionMs
  await saveToken(unit, { ...token, suspended_until, suspended_reason: reason, number_failures: 0 })
  const denied = await unit.tx.sessions.denyOfTokens(organizationId, [tid], 'suspended', app.now())
  const data = { reason, until: suspended_until, sessions: denied.map((row) => row.sid) }
  unit.audit({ ...aboutToken(token), event: 'token.suspended', actor: deviceOf(token), data })
  unit.wake(tid, ...denied.map((row) => row.sid))
}

async function wrongNumber(app: App, about: Case): Promise<Reply> {
  const { unit, session } = about
  const token = { ...about.token, number_failures: about.token.number_failures + 1 }
  const failures = session.number_failures + 1
  const remaining = Math.max(0, wrongNumbersPerSessionMax - failures)
  await unit.tx.sessions.setNumberFailures(session.organization_id, session.sid, failures)
  await saveToken(unit, token)
  const data = { problem: 'number_mismatch', remaining }
  unit.audit({ ...aboutSession(session), event: 'session.answer_refused', actor: deviceOf(token), data })
  if (remaining === 0) {
    await endSession(app, about, 'number_mismatch')
    unit.audit({
      ...aboutSession(session),
      event: 'session.denied',
      actor: deviceOf(token),
      data: { why: 'number_mismatch' },
    })
  }
  if (token.number_failures >= wrongNumbersInARowMax) await suspend(app, unit, token, 'number_failures')
  return { error: new ApiError('number_mismatch', 'That is not the number on the screen.', { extra: { remaining } }) }
}

async function challengeMismatch(app: App, { unit, token, session }: Case): Promise<Reply> {
  await saveToken(unit, token)
  unit.audit({ ...aboutSession(session), event: 'session.challenge_mismatch', actor: deviceOf(token) })
  app.log.error({ alarm: 'challenge_mismatch', sid: session.sid }, 'a device was shown something else than was asked')
  return {
    error: new ApiError('challenge_mismatch', 'What this device shows is not what was asked. Please look again.'),
  }
}

async function endSession(app: App, { unit, session }: Case, reason: string): Promise<void> {
  const { organization_id: organizationId, sid, state } = session
  if (!(await unit.tx.sessions.end(organizationId, sid, state, { state: 'denied', reason, at: app.now() }))) {
    throw new Error('A locked session could not be ended.')
  }
  unit.wake(sid, ...(session.tid === null ? [] : [session.tid]))
}

function isRightNumber(app: App, session: SessionRow, number: unknown): boolean {
  if (typeof number !== 'string' || !/^[0-9]{2,6}$/.test(number)) return false
  return sameSecret(numberMac(app, session.sid, number), session.number_mac ?? '')
}

/** The session's challenge as it was frozen; undefined for one that never had any. */
export function readChallenge(session: Pick<SessionRow, 'challenge'>): Challenge | undefined {
  if (session.challenge === null) return undefined
  return JSON.parse(Buffer.from(session.challenge, 'base64url').toString('utf8')) as Challenge
}

function saveToken(unit: Unit, token: TokenRow) {
  return unit.tx.tokens.updateCounters(token.organization_id, token.tid, token)
}

function unknownSession(): ApiError {
  return new ApiError('unknown_session', 'There is no such request.')
}

function sessionClosed(state: string): ApiError {
  return new ApiError('session_closed', 'This request is over.', { extra: { state } })
}
