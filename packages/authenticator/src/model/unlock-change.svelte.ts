import type { Factor, UnlockProof } from '@countersign/protocol/device-messages.ts'
import type { UnlockBinding } from '@countersign/protocol/unlock.ts'
import { changeBinding, isRemembered, newChangeId, sendFactor, signFactor } from '../protocol/changes.ts'
import { newPinUnlock, pinFactor, problemOf, provePin } from '../protocol/pins.ts'
import { isCalledOff } from '../protocol/platform.ts'
import { Refusal, type RefusalCode } from '../protocol/refusals.ts'
import type { ChangeId, TokenRecord, UnlockRecord } from '../store/records.ts'
import type { Keyring } from './keyring.svelte.ts'
import type { ChangeResult, NewUnlock, SendProblem } from './model.ts'
import type { Surroundings } from './surroundings.ts'
import {
  doubted,
  doubtedAmong,
  isOfPins,
  mayBeOtherwise,
  settledBy,
  unlockBy,
  withChange,
  withId,
  withoutChange,
  withUnknown,
} from './unlock-records.ts'
import { kindOf, sendProblem } from './views.ts'

/** after so long without an answer the user is told */
const lateMs = 4_000
const notTaken: RefusalCode[] = ['factor_required', 'factor_failed', 'malformed']

/** A change under way. The message is in memory only: with it, and what is stored, a PIN could be searched for (§6). */
interface Change {
  jws: string
  id: ChangeId
  unlock: UnlockRecord
  /** the token as it was */
  before: TokenRecord
}

interface Wish {
  oldPin: string
  next: NewUnlock
}

/**
 * Changes what unlocks a key, once: a message without an answer is sent again as it was. If the page was closed meanwhile, it is
 * made again under the same jti, and comes out the same where the same two PINs are typed.
 */
export class UnlockChange {
  readonly #inside: Surroundings
  readonly #keyring: Keyring
  #sent = $state.raw<Change>()
  #late = $state.raw<SendProblem>()
  #sending: Promise<ChangeResult> | undefined
  /** ends the pause before the next try */
  #hurry: (() => void) | undefined

  constructor({ inside, keyring }: { inside: Surroundings; keyring: Keyring }) {
    this.#inside = inside
    this.#keyring = keyring
  }

  /** A change was sent and has no answer. */
  get unanswered(): boolean {
    return this.#sent !== undefined
  }

  /** Why there is no answer yet, while it is being sent; undefined as long as nobody need know. */
  get late(): SendProblem | undefined {
    return this.#late
  }

  /** Proves the old unlock, and sends the new one. Where one of them is the platform's, call it from a tap. */
  async begin(record: TokenRecord, wish: Wish): Promise<ChangeResult> {
    const { unlock: old, policy } = record
    const problem = wish.next === 'platform' ? undefined : problemOf(wish.next.pin, kindOf(policy), policy)
    if (problem) return { is: 'refused', problem }
    if (old.method === 'none') return { is: 'unsupported' }
    const id = this.#idOf(record, wish)
    const proven = await this.#prove(record, id.jti, wish).catch((error: unknown) => ({
      calledOff: isCalledOff(error),
    }))
    if ('calledOff' in proven) {
      return { is: 'refused', problem: { is: proven.calledOff ? 'cancelled' : 'unavailable' } }
    }
    const { unlock, ...own } = proven
    const jws = await signFactor(this.#inside.client, record, { ...id, ...own })
    await this.#keyring.update(record.tid, (current) => current && withChange(current, unlock, id))
    this.#sent = { jws, id, unlock, before: record }
    return this.send()
  }

  /** Sends what has no answer; what is being sent already, without a further pause. */
  send(): Promise<ChangeResult> {
    this.#hurry?.()
    this.#sending ??= this.#send().finally(() => {
      this.#sending = undefined
    })
    return this.#sending
  }

  async #send(): Promise<ChangeResult> {
    const change = this.#sent
    if (!change) return { is: 'unsupported' }
    try {
      await this.#deliver(change)
    } catch (error) {
      if (error instanceof Refusal) return this.#refused(error, change)
      throw error
    }
    this.#sent = undefined
    await this.#keyring.update(change.before.tid, (record) => {
      return record && { ...settledBy(record, change.unlock), unlockRequired: false }
    })
    return { is: 'done' }
  }

  // A network that swallows everything is silent for as long as a call may take: that is too long to say nothing.
  async #deliver(change: Change): Promise<void> {
    const { client } = this.#inside
    const over = new AbortController()
    const onLate = (refusal: Refusal) => {
      this.#late = sendProblem(refusal)
      return new Promise<void>((resolve) => {
        this.#hurry = resolve
      })
    }
    client.transport.sleep(lateMs, over.signal).then(
      () => {
        if (!over.signal.aborted) this.#late ??= { is: 'server' }
      },
      () => {}, // it has come to an end before
    )
    try {
      await sendFactor(client, change.before, {
        ...change,
        onLate,
        onSignedAgain: (again) => this.#keep(change, again),
      })
    } finally {
      over.abort()
      this.#hurry = undefined
      this.#late = undefined
    }
  }

  // The server knows it again by all that was signed, the time too.
  async #keep(change: Change, again: Pick<Change, 'jws' | 'id'>): Promise<void> {
    this.#sent = { ...change, ...again }
    await this.#keyring.update(change.before.tid, (record) => record && withId(record, again.id))
  }

  #idOf(record: TokenRecord, { next }: Wish): ChangeId {
    const { client } = this.#inside
    const id = next !== 'platform' && isOfPins(record) ? record.unsettled?.id : undefined
    return id && isRemembered(client, id) ? id : newChangeId(client)
  }

  // What the phone's own dialogue asks comes first: browsers show it right after a tap only.
  async #prove(
    record: TokenRecord,
    jti: string,
    { oldPin, next }: Wish,
  ): Promise<{ unlock: UnlockRecord; factor: Factor; uv: UnlockProof }> {
    const { tid, unlock: old, policy } = record
    const binding = changeBinding(tid, jti)
    if (next === 'platform') {
      const registered = await this.#inside.platform.register({ ...record, nonce: jti })
      return { ...registered, uv: await this.#proveOld(old, oldPin, binding) }
    }
    const uv = await this.#proveOld(old, oldPin, binding)
    // One salt and mixKey for all: whichever PIN turns out to count can be proven.
    const known = unlockBy(record, 'pin')
    const unlock = await newPinUnlock(next.pin, kindOf(policy), known?.method === 'pin' ? known : undefined)
    return { unlock, uv, factor: await pinFactor(next.pin, tid, unlock) }
  }

  #proveOld(old: UnlockRecord, oldPin: string, binding: UnlockBinding): Promise<UnlockProof> {
    if (old.method === 'platform') return this.#inside.platform.prove(old, binding)
    if (old.method === 'pin') return provePin(oldPin, old, binding)
    throw new TypeError('A key that nothing unlocks has nothing to prove')
  }

  async #refused(refusal: Refusal, { before, unlock, id }: Change): Promise<ChangeResult> {
    if (refusal.undecided) return { is: 'not_sent', problem: sendProblem(refusal) }
    this.#sent = undefined
    const { tid } = before
    const { code, remaining } = refusal
    if (code === 'token_revoked' || (code === 'factor_failed' && remaining === 0)) {
      await this.#keyring.end(tid, code === 'factor_failed' ? 'pin' : 'server', this.#inside.client.clock.now())
      return { is: 'key_ended' }
    }
    // The server has forgotten its answer, or gave it to other PINs: what became of the change is not known.
    if (code === 'clock_skew' || code === 'replayed') {
      await this.#keyring.update(tid, (record) => record && withUnknown(record, unlock))
      return { is: 'unknown' }
    }
    // This one has changed nothing, nor has one of the same jti before it.
    const restored = before.unsettled?.id?.jti === id.jti ? withoutChange(before) : before
    const isOtherwise = code === 'factor_required' && mayBeOtherwise(restored)
    const { method } = before.unlock
    await this.#keyring.update(tid, (record) => {
      if (!record) return undefined
      const now = { ...record, unlock: restored.unlock, unsettled: restored.unsettled }
      if (code === 'factor_failed') return doubtedAmong(now, method)
      return isOtherwise ? doubted(now, method) : now
    })
    if (isOtherwise) return { is: 'unknown' }
    if (code === 'factor_failed' && before.unlock.method === 'pin') return { is: 'wrong_pin', remaining }
    return notTaken.includes(code)
      ? { is: 'refused', problem: { is: 'not_taken' } }
      : { is: 'not_sent', problem: sendProblem(refusal) }
  }
}
