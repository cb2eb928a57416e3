import { readActivationCode } from '@countersign/protocol/activation-code.ts'
import type { BeginReply, Factor } from '@countersign/protocol/device-messages.ts'
import { readLink } from '../link.ts'
import { begin, sendFinish } from '../protocol/activation.ts'
import { newPinUnlock, pinFactor, problemOf } from '../protocol/pins.ts'
import { isCalledOff } from '../protocol/platform.ts'
import { Refusal } from '../protocol/refusals.ts'
import { tokensMax } from '../protocol/sync.ts'
import type { TokenRecord, UnlockRecord } from '../store/records.ts'
import { type Finish, type FinishParts, fateOf, prepareFinish, type Unfinished } from './finish.ts'
import type { Activation, ActivationStep, Offer, Token, UnlockProblem } from './model.ts'
import { type Attempt, asksFor, malformedCode, offerView, stepAfterRefusal } from './offers.ts'
import { kindOf, sendProblem } from './views.ts'

export interface ActivationParts extends FinishParts {
  tokenView(tid: string): Token | undefined
  /** a token has become active */
  onActive(record: TokenRecord): void
}

/** From a code to a key. Nothing is stored before the unlock is chosen, and everything before finish is sent. */
export class ActivationFlow implements Activation {
  readonly #parts: ActivationParts
  #step = $state.raw<ActivationStep>({ at: 'idle' })
  #attempt: Attempt | undefined
  #offered: { reply: BeginReply; view: Offer } | undefined
  #finish: Finish | undefined
  /** ends the pause before the next try; undefined when nothing is being sent */
  #hurry: (() => void) | undefined

  constructor(parts: ActivationParts) {
    this.#parts = parts
  }

  get step(): ActivationStep {
    return this.#step
  }

  start(): void {
    this.#attempt = undefined
    this.#offered = undefined
    this.#step = { at: 'code', code: '' }
  }

  enterCode(typed: string): void {
    if (this.#step.at !== 'code') return
    const code = readActivationCode(typed)
    if (!code) {
      this.#step = { at: 'code', code: typed, problem: malformedCode(typed) }
      return
    }
    this.#step = { at: 'username', code, username: '' }
  }

  readQr(text: string): boolean {
    const link = readLink(text)
    if (!link) return false
    void this.open(link)
    return true
  }

  /** Follows an activation link, scanned or opened. */
  async open({ origin, code, secret, username }: NonNullable<ReturnType<typeof readLink>>): Promise<void> {
    if (origin !== this.#parts.inside.client.transport.origin) {
      this.#step = { at: 'code', code: '', problem: { is: 'other_server', origin } }
      return
    }
    if (secret !== undefined) return this.#begin({ code, proof: { secret } })
    this.#step = { at: 'username', code, username: username ?? '' }
  }

  async enterUsername(typed: string): Promise<void> {
    if (this.#step.at !== 'username' || typed.trim() === '') return
    return this.#begin({ code: this.#step.code, proof: { username: typed.trim() } })
  }

  async confirm(): Promise<void> {
    if (this.#step.at !== 'confirm') return
    const { offer } = this.#step
    if (asksFor(offer)) this.#step = { at: 'unlock', offer, busy: false }
    else if (offer.unlock.length === 0) this.#step = { at: 'refused', why: 'unsupported' }
    else await this.#choose(async () => ({ unlock: { method: 'none' }, factor: { m: 'none' } }))
  }

  decline(): void {
    if (this.#step.at === 'confirm' || this.#step.at === 'unlock') this.#forget()
  }

  async choosePin(pin: string): Promise<void> {
    const offered = this.#offered
    if (this.#step.at !== 'unlock' || this.#step.busy || !offered) return
    const { policy, tid } = offered.reply
    const kind = kindOf(policy)
    const problem = problemOf(pin, kind, policy)
    if (problem) return this.#unlock(problem)
    await this.#choose(async (old) => {
      const unlock = await newPinUnlock(pin, kind, old?.method === 'pin' ? old : undefined)
      return { unlock, factor: await pinFactor(pin, tid, unlock) }
    })
  }

  async choosePlatform(): Promise<void> {
    const offered = this.#offered
    if (this.#step.at !== 'unlock' || this.#step.busy || !offered?.view.unlock.includes('platform')) return
    await this.#choose(() => this.#parts.inside.platform.register(offered.reply))
  }

  async retry(): Promise<void> {
    if (this.#hurry) {
      this.#hurry()
      return
    }
    if (this.#step.at === 'asking' && this.#step.problem && this.#attempt) return this.#begin(this.#attempt)
    if (this.#step.at === 'finishing' && this.#step.problem && this.#finish) return this.#send()
  }

  back(): void {
    const step = this.#step
    if (step.at === 'username') this.#step = { at: 'code', code: step.code }
    else if (step.at === 'unlock') this.#step = { at: 'confirm', offer: step.offer }
    else if (step.at !== 'finishing') this.#forget()
  }

  done(): void {
    if (this.#step.at === 'ready' || this.#step.at === 'refused') this.#forget()
  }

  /**
   * Goes on with an activation whose finish had no answer before the page was left: sends the same message again, or asks for
   * the PIN again, because a message with a PIN in it is not kept. For nothing but that: the first may have arrived.
   */
  async resume(record: Unfinished): Promise<void> {
    if (this.#step.at !== 'idle' || (await this.#settle(record)) !== 'open' || this.#step.at !== 'idle') return
    const { aid, nonce, expires, jws } = record.activation
    if (expires * 1000 <= this.#parts.inside.client.clock.now()) return
    const time = Math.floor(this.#parts.inside.client.clock.now() / 1000)
    const policy = { ...record.policy, unlock: [record.unlock.method] }
    const offered = await this.#offerOf({ ...record, aid, nonce, expires, time, policy })
    if (this.#step.at !== 'idle') return // the user has begun another meanwhile
    this.#offered = offered
    const offer = offered.view
    if (jws === undefined) {
      this.#step = { at: 'unlock', offer, busy: false }
      return
    }
    this.#finish = { record, jws }
    await this.#send()
  }

  async #begin(attempt: Attempt): Promise<void> {
    this.#attempt = attempt
    this.#step = { at: 'asking' }
    if (this.#parts.keyring.records.length >= tokensMax) {
      this.#step = { at: 'refused', why: 'too_many_keys' }
      return
    }
    try {
      const reply = await begin(this.#parts.inside.client, attempt.code, attempt.proof)
      if (this.#attempt !== attempt) return // the user has left meanwhile
      await this.#offer(reply)
      if (this.#offered && this.#step.at === 'asking') this.#step = { at: 'confirm', offer: this.#offered.view }
    } catch (error) {
      if (!(error instanceof Refusal)) throw error
      if (this.#attempt === attempt) this.#step = stepAfterRefusal(error, attempt)
    }
  }

  async #offer(reply: BeginReply): Promise<void> {
    this.#offered = await this.#offerOf(reply)
  }

  async #offerOf(reply: BeginReply): Promise<{ reply: BeginReply; view: Offer }> {
    const { client, platform } = this.#parts.inside
    const hasPlatform = reply.policy.unlock.includes('platform') && (await platform.available())
    return { reply, view: offerView(reply, client.transport.origin, hasPlatform) }
  }

  #unlock(problem: UnlockProblem): void {
    if (this.#offered) this.#step = { at: 'unlock', offer: this.#offered.view, busy: false, problem }
  }

  async #choose(make: (old?: UnlockRecord) => Promise<{ unlock: UnlockRecord; factor: Factor }>): Promise<void> {
    const offered = this.#offered
    if (!offered) return
    if (offered.reply.expires * 1000 <= this.#parts.inside.client.clock.now()) return this.#again()
    const { reply, view } = offered
    this.#step = { at: 'unlock', offer: view, busy: true }
    try {
      const old = this.#parts.keyring.find(reply.tid)
      const { unlock, factor } = await make(old?.unlock)
      this.#step = { at: 'finishing', offer: view }
      this.#finish = await prepareFinish(this.#parts, reply, { unlock, factor })
    } catch (error) {
      if (this.#step.at !== 'unlock') throw error
      return this.#unlock({ is: isCalledOff(error) ? 'cancelled' : 'unavailable' })
    }
    await this.#send()
  }

  // The ten minutes of the offer are over: the code may be presented again.
  async #again(): Promise<void> {
    if (this.#attempt) await this.#begin(this.#attempt)
    else this.#forget()
  }

  async #send(): Promise<void> {
    const finish = this.#finish
    const offer = this.#offered?.view
    if (!finish || !offer) return
    this.#step = { at: 'finishing', offer }
    const onLate = (refusal: Refusal) => {
      this.#step = { at: 'finishing', offer, problem: sendProblem(refusal) }
      return new Promise<void>((resolve) => {
        this.#hurry = resolve
      })
    }
    try {
      const { client } = this.#parts.inside
      await sendFinish(client, finish.record, finish.jws, { times: Number.POSITIVE_INFINITY, onLate })
      await this.#activated(finish.record)
    } catch (error) {
      if (!(error instanceof Refusal)) throw error
      await this.#refused(error, finish.record, offer)
    } finally {
      this.#hurry = undefined
    }
  }

  async #refused(refusal: Refusal, record: Unfinished, offer: Offer): Promise<void> {
    if (refusal.undecided) {
      this.#step = { at: 'finishing', offer, problem: sendProblem(refusal) }
      return
    }
    this.#finish = undefined
    if (refusal.code === 'token_revoked') await this.#parts.keyring.remove(record.tid)
    // An earlier finish, whose answer was lost, may have gone through all the same (§5): the keys stay until that is known.
    else if ((await this.#settle(record)) === 'active') return
    else if (refusal.code === 'factor_required' || refusal.code === 'malformed') return this.#chooseAgain(record)
    this.#step = { at: 'refused', why: 'withdrawn' }
  }

  // What was to unlock it was not taken, and nothing is used up (§5): the domain wants another now, or the credential is none.
  async #chooseAgain({ tid, policy, unlock }: Unfinished): Promise<void> {
    const offered = this.#offered
    await this.#parts.keyring.remove(tid)
    if (this.#attempt) await this.#begin(this.#attempt)
    else if (offered) {
      const others = policy.unlock.filter((method) => method !== unlock.method)
      await this.#offer({ ...offered.reply, policy: { ...policy, unlock: others } })
      const offer = this.#offered?.view
      this.#step = offer?.unlock.length ? { at: 'confirm', offer } : { at: 'refused', why: 'unsupported' }
    }
    if (this.#step.at === 'confirm' && asksFor(this.#step.offer)) this.#unlock({ is: 'not_taken' })
  }

  async #settle(record: Unfinished): Promise<'active' | 'ended' | 'open'> {
    const fate = await fateOf(this.#parts, record)
    if (fate === 'active') await this.#activated(record)
    return fate
  }

  async #activated({ tid }: Unfinished): Promise<void> {
    this.#finish = undefined
    await this.#parts.keyring.update(tid, (current) => {
      if (!current) return undefined
      const { activation: _, ...rest } = current
      return { ...rest, state: 'active' }
    })
    const record = this.#parts.keyring.find(tid)
    const token = this.#parts.tokenView(tid)
    if (!record || !token) return
    this.#attempt = undefined
    this.#step = { at: 'ready', token }
    this.#parts.onActive(record)
  }

  #forget(): void {
    this.#attempt = undefined
    this.#offered = undefined
    this.#step = { at: 'idle' }
  }
}
