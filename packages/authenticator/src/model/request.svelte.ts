import type { ClosedState, DenyReason, UnlockProof } from '@countersign/protocol/device-messages.ts'
import { approvalBinding, readNumber, sendAnswer, signApproval, signDenial } from '../protocol/answers.ts'
import type { VerifiedChallenge } from '../protocol/challenge.ts'
import { provePin } from '../protocol/pins.ts'
import { isCalledOff } from '../protocol/platform.ts'
import { Refusal } from '../protocol/refusals.ts'
import type { HistoryRecord, TokenRecord, UnlockRecord } from '../store/records.ts'
import type { Keyring } from './keyring.svelte.ts'
import type { Answer, Domain, Outcome, RequestProblem, SignInRequest, Unlock } from './model.ts'
import type { Surroundings } from './surroundings.ts'
import type { Ticker } from './ticker.svelte.ts'
import { doubtedAmong, settledBy, unlockBy } from './unlock-records.ts'
import { domainView, unlockOf } from './views.ts'

const armingMs = 700
const undoMs = 600_000
/** what the server does with a token after "This wasn't me", unless its domain says otherwise */
const pauseMs = 3_600_000

export interface RequestParts {
  inside: Surroundings
  keyring: Keyring
  ticker: Ticker
  /** something does not fit what the server knows: ask it again */
  onMismatch(): void
}

/** One verified request, and the way of its answer. */
export class PendingRequest implements SignInRequest {
  readonly sid: string
  readonly tid: string
  readonly domain: Domain
  readonly user: string
  readonly ip: string | undefined
  readonly attributes: { name: string; value: string }[]
  readonly via: 'api' | 'radius' | 'panel'
  readonly createdAt: number
  readonly expiresAt: number
  readonly numberLength: number
  readonly #verified: VerifiedChallenge
  readonly #parts: RequestParts
  #outcome = $state.raw<Outcome>({ is: 'open' })
  #armed = $state(false)
  #arming = new AbortController()
  /** an answer that may have arrived: only these very bytes may be sent again */
  #unsettled: { jws: string; answer: Answer } | undefined
  #hurry: (() => void) | undefined
  #pinTriesLeft: number | undefined

  constructor(verified: VerifiedChallenge, parts: RequestParts) {
    const { challenge } = verified
    this.#verified = verified
    this.#parts = parts
    this.sid = challenge.sid
    this.tid = challenge.tid
    this.domain = domainView(challenge.domain)
    this.user = challenge.user
    this.ip = challenge.ip
    this.attributes = challenge.attrs.map(({ k, v }) => ({ name: k, value: v }))
    this.via = challenge.via
    this.createdAt = challenge.iat * 1000
    this.expiresAt = challenge.exp * 1000
    this.numberLength = challenge.match.type === 'enter' ? challenge.match.len : 0
    this.rearm()
  }

  get unlock(): Unlock {
    const { unlock } = this.#verified.challenge
    const own = this.#own
    return own ? unlockOf(own) : unlock
  }

  get secondsTotal(): number {
    return Math.max(1, (this.expiresAt - this.createdAt) / 1000)
  }

  get secondsLeft(): number {
    return Math.max(0, Math.ceil((this.expiresAt - this.#parts.ticker.now) / 1000))
  }

  get armed(): boolean {
    return this.#armed
  }

  get outcome(): Outcome {
    return this.#outcome
  }

  rearm(): void {
    this.#arming.abort()
    this.#arming = new AbortController()
    this.#armed = false
    void this.#arm(this.#arming.signal)
  }

  isNumber(typed: string): boolean {
    return this.numberLength === 0 || readNumber(typed, this.numberLength) !== undefined
  }

  async approve({ number = '', pin = '' }: { number?: string; pin?: string }): Promise<void> {
    if (!this.#armed || this.#outcome.is !== 'open') return
    const problem = this.#missing(number, pin)
    if (problem) return this.#open(problem)
    const answer: Answer = { is: 'approve' }
    this.#outcome = { is: 'sending', answer, late: false }
    const num = this.numberLength > 0 ? readNumber(number, this.numberLength) : undefined
    const jws = await this.#signed(async (signer) => {
      const uv = await this.#prove(pin)
      const proof = { ...(num !== undefined && { num }), ...(uv && { uv }) }
      return signApproval(this.#parts.inside.client, signer, this.#verified, proof)
    })
    if (jws !== undefined) return this.#deliver(jws, answer)
    this.#open({ is: 'cancelled' })
    this.followKey()
  }

  async deny(why: DenyReason): Promise<void> {
    const before = this.#outcome
    if (!(before.is === 'open' && this.#armed) && !(before.is === 'approved' && why === 'not_me')) return
    const answer: Answer = { is: 'deny', why }
    this.#outcome = { is: 'sending', answer, late: false }
    const { client } = this.#parts.inside
    const jws = await this.#signed((signer) => signDenial(client, signer, this.#verified, why))
    if (jws !== undefined) return this.#deliver(jws, answer)
    this.#outcome = before
    this.followKey()
  }

  async retry(): Promise<void> {
    this.#hurry?.()
    if (this.#outcome.is !== 'failed') return
    // What the server has refused for good is not sent again: the request is asked anew.
    if (!this.#unsettled) {
      this.#outcome = { is: 'open' }
      this.rearm()
      return
    }
    const { jws, answer } = this.#unsettled
    this.#outcome = { is: 'sending', answer, late: false }
    await this.#deliver(jws, answer)
  }

  /** It is over, as the server or the clock says. An answer on its way is told by its own reply, if there is a network for it. */
  close(state: ClosedState): void {
    const outcome = this.#outcome
    const { is } = outcome
    if (is === 'sending' && outcome.late && state === 'expired') {
      this.#outcome = { is: 'unknown', answer: outcome.answer }
      return
    }
    if (is !== 'open' && is !== 'failed') return
    this.#outcome = { is: 'closed', state }
    const results = { approved: 'elsewhere', denied: 'elsewhere', cancelled: 'cancelled', expired: 'expired' } as const
    void this.#remember(results[state])
  }

  /** Ends when its key is gone, by whatever and in whichever tab: nothing can be signed any more. */
  followKey(): void {
    const { is } = this.#outcome
    if (this.#record || (is !== 'open' && is !== 'failed')) return
    const note = this.#parts.keyring.ended.find(({ tid }) => tid === this.tid)
    if (note) this.#outcome = { is: 'key_ended', by: note.by === 'pin' ? 'pin' : 'server' }
    else this.close('denied')
  }

  /** Whether it still waits for an answer, or for the fate of one. */
  get unanswered(): boolean {
    return ['open', 'sending', 'failed'].includes(this.#outcome.is)
  }

  async #arm(signal: AbortSignal): Promise<void> {
    const { sleep } = this.#parts.inside.client.transport
    await sleep(armingMs, signal).catch(() => {}) // begun again meanwhile
    if (!signal.aborted) this.#armed = true
  }

  get #record(): TokenRecord | undefined {
    return this.#parts.keyring.find(this.tid)
  }

  /** what unlocks the key as this request asks for it; undefined when it asks for nothing, too */
  get #own(): UnlockRecord | undefined {
    const { unlock } = this.#verified.challenge
    return this.#record && unlock !== 'none' ? unlockBy(this.#record, unlock) : undefined
  }

  /** undefined when it could not be signed: the dialogue was called off or has failed, or the key is gone */
  async #signed(sign: (signer: TokenRecord) => Promise<string>): Promise<string | undefined> {
    const record = this.#record
    try {
      return record && (await sign(record))
    } catch (error) {
      if (!isCalledOff(error)) console.error(error)
      return undefined
    }
  }

  #open(problem: RequestProblem): void {
    this.#outcome = { is: 'open', problem }
  }

  #missing(number: string, pin: string): RequestProblem | undefined {
    const wanted = this.#verified.challenge.unlock
    if (wanted !== 'none' && !this.#own) return { is: 'unlock_required' }
    if (!this.isNumber(number)) return { is: 'number_missing' }
    return wanted === 'pin' && pin === '' ? { is: 'pin_missing' } : undefined
  }

  async #prove(pin: string): Promise<UnlockProof | undefined> {
    const unlock = this.#own
    const binding = approvalBinding(this.#verified)
    if (unlock?.method === 'pin') return provePin(pin, unlock, binding)
    return unlock?.method === 'platform' ? this.#parts.inside.platform.prove(unlock, binding) : undefined
  }

  async #deliver(jws: string, answer: Answer): Promise<void> {
    this.#unsettled = { jws, answer }
    try {
      const onLate = () => {
        if (this.#outcome.is === 'sending') this.#outcome = { is: 'sending', answer, late: true }
        return new Promise<void>((resolve) => {
          this.#hurry = resolve
        })
      }
      const state = await sendAnswer(this.#parts.inside.client, jws, { times: Number.POSITIVE_INFINITY, onLate })
      this.#unsettled = undefined
      await this.#settle(state, answer)
    } catch (error) {
      if (!(error instanceof Refusal)) throw error
      if (!error.undecided) this.#unsettled = undefined
      await this.#refused(error, answer)
    }
  }

  async #settle(state: ClosedState, answer: Answer): Promise<void> {
    const { keyring, inside } = this.#parts
    const at = inside.client.clock.now()
    if (answer.is === 'approve' && state === 'approved') {
      this.#outcome = { is: 'approved', at, undoUntil: at + undoMs }
      const own = this.#own
      await keyring.update(
        this.tid,
        (record) => record && { ...(own ? settledBy(record, own) : record), lastUsedAt: at },
      )
      return this.#remember('approved')
    }
    if (answer.is === 'approve' || state !== 'denied') {
      this.#outcome = { is: 'closed', state }
      return this.#remember(state === 'expired' || state === 'cancelled' ? state : 'elsewhere')
    }
    this.#outcome = { is: 'denied', at, why: answer.why }
    const isAlarm = answer.why === 'not_me'
    await keyring.amend(this.tid, { lastUsedAt: at, ...(isAlarm && { pausedUntil: at + pauseMs }) })
    return this.#remember(isAlarm ? 'not_me' : 'denied')
  }

  async #refused({ code, remaining, state }: Refusal, answer: Answer): Promise<void> {
    if (code === 'factor_failed' && remaining > 0) {
      this.#pinTriesLeft = remaining
      // Of two that may be the one, the other is asked for now: a PIN of another length, or another credential.
      const { unlock } = this.#verified.challenge
      await this.#parts.keyring.update(this.tid, (record) => record && doubtedAmong(record, unlock))
      return this.#open({ is: 'wrong_pin', remaining })
    }
    if (code === 'factor_failed') return this.#keyEnded('pin')
    if (code === 'token_revoked') return this.#keyEnded(this.#pinTriesLeft === 1 ? 'pin' : 'server')
    if (code === 'number_mismatch') {
      this.#outcome =
        remaining > 0 ? { is: 'open', problem: { is: 'wrong_number', remaining } } : { is: 'locked', by: 'number' }
      return remaining > 0 ? undefined : this.#remember('denied')
    }
    if (code === 'factor_required') {
      this.#open({ is: 'unlock_required' })
      return this.#parts.keyring.amend(this.tid, { unlockRequired: true })
    }
    if (code === 'session_closed' || code === 'unknown_session') return this.#closed(state ?? 'cancelled')
    this.#outcome = { is: 'failed', answer }
    this.#parts.onMismatch()
  }

  #closed(state: string): void {
    this.#outcome = { is: 'open' }
    const known = (['approved', 'denied', 'expired'] as const).find((word) => word === state)
    this.close(known ?? 'cancelled')
  }

  async #keyEnded(by: 'pin' | 'server'): Promise<void> {
    this.#outcome = { is: 'key_ended', by }
    await this.#parts.keyring.end(this.tid, by, this.#parts.inside.client.clock.now())
  }

  async #remember(result: HistoryRecord['result']): Promise<void> {
    const { keyring, inside } = this.#parts
    if (!this.#record) return
    const { sid, tid, attributes, ip } = this
    const at = inside.client.clock.now()
    await keyring.remember({
      sid,
      tid,
      at,
      result,
      attributes: attributes.slice(0, 3),
      ...(ip !== undefined && { ip }),
    })
  }
}
