// The state machines of docs/specs/device-protocol.md §4, §7, §9, §10 and §12 once more, as small as they can be said. Passing
// time is an event here: what lapses has ended when the clock says so, and what has ended never changes again.

export type Kind = 'oneStep' | 'pin'
export const kinds: Kind[] = ['oneStep', 'pin']
type Why = 'mistake' | 'not_me' | 'other'
export type Said = 'approve' | 'wrongPin' | 'wrongNumber' | Why

/** What an answer says that somebody hears: the status and the members that tell one outcome from another. */
export interface Heard {
  status: number
  error?: string
  state?: string
  code?: string
  remaining?: number
}

export interface Owner {
  username: string
  /** '' while there is no such user */
  id: string
  memberOf: Set<Kind>
}

export interface Token {
  owner: Owner
  kind: Kind
  state: 'pending' | 'active' | 'expired' | 'revoked'
  codeExpires: number
  /** open activations, oldest first */
  activations: { expires: number }[]
  generation: number
  unlockFailures: number
  numberFailures: number
  unapproved: number
  throttledUntil: number
  suspendedUntil: number
  /** as the server named them */
  code: string
  tid: string
}

export interface Session {
  token: Token
  state: 'pending' | 'approved' | 'denied' | 'cancelled' | 'expired'
  reason: string
  /** false for one that was refused when it was asked for */
  asked: boolean
  matched: boolean
  expires: number
  approvedAt: number
  answers: number
  numberFailures: number
  /** as the server named it */
  sid: string
}

const seconds = 1_000
const hour = 3_600 * seconds
const codeLife = 7 * 24 * hour
const activationLife = 600 * seconds
const requestLife = 120 * seconds
const approvalLife = 600 * seconds

const noUser: Heard = { status: 404, error: 'api.error.notfound.user' }
const noToken: Heard = { status: 404, error: 'api.error.notfound.token' }
const done: Heard = { status: 200 }
const gone: Heard = { status: 410, error: 'token_revoked' }
const malformed: Heard = { status: 400, error: 'malformed' }
const activationFailed: Heard = { status: 400, error: 'activation_failed' }
const badSignature: Heard = { status: 401, error: 'bad_signature' }

export class Model {
  now: number
  readonly owners: Owner[]
  readonly tokens: Token[] = []
  readonly sessions: Session[] = []

  constructor(now: number, owners: Owner[]) {
    this.now = now
    this.owners = owners
  }

  advance(ms: number): void {
    this.now += ms
    for (const token of this.tokens) {
      token.activations = token.activations.filter(({ expires }) => this.now < expires)
      if (token.state === 'pending' && this.now >= token.codeExpires) token.state = 'expired'
    }
    for (const session of this.sessions) {
      if (session.state === 'pending' && this.now >= session.expires) end(session, 'expired', 'timeout')
      if (session.state === 'approved' && this.now >= session.approvedAt + approvalLife) {
        end(session, 'expired', 'approval_expired')
      }
    }
  }

  /** When something will lapse, of itself. */
  deadlines(): Record<'request' | 'approval' | 'suspension' | 'throttle' | 'activation' | 'code', number[]> {
    const { tokens, sessions } = this
    const ahead = (times: number[]) => times.filter((time) => time > this.now)
    return {
      request: ahead(sessions.flatMap((row) => (row.state === 'pending' ? [row.expires] : []))),
      approval: ahead(sessions.flatMap((row) => (row.state === 'approved' ? [row.approvedAt + approvalLife] : []))),
      suspension: ahead(tokens.map((row) => row.suspendedUntil)),
      throttle: ahead(tokens.map((row) => row.throttledUntil)),
      activation: ahead(tokens.flatMap((row) => row.activations.map(({ expires }) => expires))),
      code: ahead(tokens.flatMap((row) => (row.state === 'pending' ? [row.codeExpires] : []))),
    }
  }

  // What the two sides see

  live(owner: Owner, kind: Kind): Token | undefined {
    const isLive = (row: Token) => row.state === 'pending' || row.state === 'active'
    return this.tokens.find((row) => row.owner === owner && row.kind === kind && isLive(row))
  }

  tokenView(owner: Owner, kind: Kind): Heard {
    if (!owner.memberOf.has(kind)) return noUser
    const token = this.live(owner, kind)
    if (!token) return noToken
    return token.state === 'active' ? { ...done, state: 'active' } : { ...done, state: 'pending', code: token.code }
  }

  sessionView({ state, reason }: Session): { state: string; reason: string } {
    return { state: state === 'pending' || state === 'approved' ? state : 'denied', reason }
  }

  /** A device that asks about everything it may ever have shown. */
  syncView(token: Token, have: string[]): object {
    if (token.state !== 'active') return { ok: false, code: gone.error }
    const own = this.sessions.filter((row) => row.token === token)
    const closed = own.filter((row) => row.state !== 'pending' && have.includes(row.sid))
    return {
      ok: true,
      requests: own.filter((row) => row.state === 'pending').map((row) => row.sid),
      closed: Object.fromEntries(closed.map((row) => [row.sid, row.state])),
    }
  }

  // The administrator's and the application's requests

  putToken(owner: Owner, kind: Kind): Heard {
    if (owner.memberOf.has(kind) && !this.live(owner, kind)) this.tokens.push(newToken(owner, kind, this.now))
    return this.tokenView(owner, kind)
  }

  deleteToken(owner: Owner, kind: Kind): Heard {
    const token = this.live(owner, kind)
    if (!owner.memberOf.has(kind)) return noUser
    if (!token) return noToken
    this.#revoke(token)
    return done
  }

  addMember(owner: Owner, kind: Kind): Heard {
    if (owner.id === '') return noUser
    owner.memberOf.add(kind)
    return done
  }

  removeMember(owner: Owner, kind: Kind): Heard {
    const token = this.live(owner, kind)
    if (token) this.#revoke(token)
    return owner.memberOf.delete(kind) ? done : noUser
  }

  deleteUser(owner: Owner): Heard {
    for (const kind of kinds) this.removeMember(owner, kind)
    owner.id = ''
    return done
  }

  ask(owner: Owner, kind: Kind, matched: boolean): Heard {
    const token = this.live(owner, kind)
    if (!owner.memberOf.has(kind)) return noUser
    if (token?.state !== 'active') return noToken
    if (token.throttledUntil !== 0 && this.now >= token.throttledUntil) {
      Object.assign(token, { unapproved: 0, throttledUntil: 0 })
    }
    const refusal = this.#refusal(token)
    const session = newSession(token, { now: this.now, matched, refusal })
    if (!refusal) token.unapproved++
    this.sessions.push(session)
    return { ...done, state: session.state }
  }

  #refusal(token: Token): string | undefined {
    if (this.now < token.suspendedUntil) return 'suspended'
    if (this.now < token.throttledUntil) return 'throttled'
    if (this.sessions.filter((row) => row.token === token && row.state === 'pending').length >= 3) return 'throttled'
    if (token.unapproved < 15) return undefined
    token.throttledUntil = this.now + hour
    return 'throttled'
  }

  cancel(session: Session): Heard {
    if (isOpen(session)) end(session, 'cancelled', 'cancelled')
    return done
  }

  // The device's messages

  begin(token: Token): Heard {
    if (token.state !== 'pending') return activationFailed
    token.activations = [...token.activations, { expires: this.now + activationLife }].slice(-5)
    return done
  }

  finish(token: Token, activation: { expires: number } | undefined): Heard {
    if (token.state !== 'pending' || !activation || !token.activations.includes(activation)) return activationFailed
    Object.assign(token, { state: 'active', activations: [] })
    return { ...done, state: 'active' }
  }

  answer(session: Session, said: Said): Heard {
    const { token, state } = session
    if (token.state !== 'active') return gone
    if (session.answers >= 10) return { status: 429, error: 'rate_limited' }
    const isLateReport = state === 'approved' && said === 'not_me'
    const isMalformed =
      (said === 'wrongPin' && token.kind === 'oneStep') || (said === 'wrongNumber' && !session.matched)
    if (state === 'pending' && isMalformed) return malformed
    session.answers++
    if (state !== 'pending' && !isLateReport) return { status: 409, error: 'session_closed', state }
    if (said === 'wrongPin') return this.#wrongPin(token)
    if (said === 'approve' || said === 'wrongNumber') {
      if (token.kind === 'pin') token.unlockFailures = 0
      return said === 'approve' ? this.#approve(session) : this.#wrongNumber(session)
    }
    end(session, 'denied', said)
    if (said === 'not_me') this.#fraud(token)
    return { ...done, state: 'denied' }
  }

  /** The same message once more: judged once, and what it was answered with is said again. */
  repeat(token: Token, generation: number, before: Heard): Heard {
    if (token.state !== 'active') return gone
    return generation === token.generation ? before : badSignature
  }

  /** Of the key or of the PIN, which both need the old PIN where there is one. */
  change(token: Token, what: 'rotate' | 'factor', right: boolean): Heard {
    if (token.state !== 'active') return gone
    if (token.kind === 'oneStep' && what === 'factor') return { status: 403, error: 'factor_required' }
    if (token.kind === 'oneStep' && !right) return malformed
    if (!right) return this.#wrongPin(token)
    token.unlockFailures = 0
    if (what === 'rotate') token.generation++
    return done
  }

  remove(token: Token): Heard {
    if (token.state !== 'active') return gone
    this.#revoke(token)
    return { ...done, state: 'revoked' }
  }

  #approve(session: Session): Heard {
    Object.assign(session, { state: 'approved', approvedAt: this.now })
    Object.assign(session.token, { numberFailures: 0, unapproved: 0, throttledUntil: 0 })
    return { ...done, state: 'approved' }
  }

  #wrongPin(token: Token): Heard {
    token.unlockFailures++
    const remaining = 5 - token.unlockFailures
    if (remaining === 0) this.#revoke(token)
    return { status: 403, error: 'factor_failed', remaining }
  }

  #wrongNumber(session: Session): Heard {
    const { token } = session
    token.numberFailures++
    session.numberFailures++
    const remaining = 3 - session.numberFailures
    if (remaining === 0) end(session, 'denied', 'number_mismatch')
    if (token.numberFailures === 20) this.#suspend(token)
    return { status: 403, error: 'number_mismatch', remaining }
  }

  #fraud(token: Token): void {
    for (const session of this.sessions) {
      if (session.token.owner === token.owner && session.state === 'pending') end(session, 'denied', 'fraud_reported')
    }
    this.#suspend(token)
  }

  #suspend(token: Token): void {
    Object.assign(token, { suspendedUntil: this.now + hour, numberFailures: 0 })
    this.#denyAll(token, 'suspended')
  }

  #revoke(token: Token): void {
    Object.assign(token, { state: 'revoked', activations: [] })
    this.#denyAll(token, 'token_revoked')
  }

  #denyAll(token: Token, reason: string): void {
    for (const session of this.sessions) {
      if (session.token === token && isOpen(session)) end(session, 'denied', reason)
    }
  }
}

export function isOpen({ state }: Session): boolean {
  return state === 'pending' || state === 'approved'
}

function end(session: Session, state: Session['state'], reason: string): void {
  Object.assign(session, { state, reason })
}

function newToken(owner: Owner, kind: Kind, now: number): Token {
  const counters = { unlockFailures: 0, numberFailures: 0, unapproved: 0, throttledUntil: 0, suspendedUntil: 0 }
  const names = { code: '', tid: '' }
  return {
    owner,
    kind,
    state: 'pending',
    codeExpires: now + codeLife,
    activations: [],
    generation: 0,
    ...counters,
    ...names,
  }
}

function newSession(
  token: Token,
  { now, matched, refusal }: { now: number; matched: boolean; refusal: string | undefined },
): Session {
  return {
    token,
    state: refusal ? 'denied' : 'pending',
    reason: refusal ?? '',
    asked: !refusal,
    matched,
    expires: Math.floor(now / seconds) * seconds + requestLife, // a wire time is a whole second
    approvedAt: 0,
    answers: 0,
    numberFailures: 0,
    sid: '',
  }
}
