import { removeToken } from '../protocol/changes.ts'
import { Refusal } from '../protocol/refusals.ts'
import type { TokenRecord } from '../store/records.ts'
import type { Keyring } from './keyring.svelte.ts'
import type {
  ChangeResult,
  Domain,
  HistoryEntry,
  NewUnlock,
  RemoveResult,
  SendProblem,
  Token,
  TokenState,
  Unlock,
} from './model.ts'
import type { Surroundings } from './surroundings.ts'
import type { Ticker } from './ticker.svelte.ts'
import { UnlockChange } from './unlock-change.svelte.ts'
import { unlockBy } from './unlock-records.ts'
import { domainView, sendProblem, unlockOf, unlocksOf } from './views.ts'

const nameLengthMax = 40

export interface TokenParts {
  inside: Surroundings
  keyring: Keyring
  ticker: Ticker
  /** whether this phone can unlock by fingerprint, face or its own PIN */
  hasPlatform(): boolean
}

/** A key as the screens see it. It goes on showing what it was when it is gone. */
export class KeyView implements Token {
  readonly tid: string
  readonly #parts: TokenParts
  readonly #record: TokenRecord
  readonly #change: UnlockChange

  constructor(record: TokenRecord, parts: TokenParts) {
    this.tid = record.tid
    this.#record = record
    this.#parts = parts
    this.#change = new UnlockChange(parts)
  }

  get domain(): Domain {
    return domainView(this.#now.domain)
  }

  get user(): string {
    return this.#now.user
  }

  get server(): { name: string; origin: string } {
    return { name: this.#now.server.name, origin: this.#now.aud }
  }

  get name(): string {
    return this.#now.name
  }

  get addedAt(): number {
    return this.#now.addedAt
  }

  get lastUsedAt(): number | undefined {
    return this.#now.lastUsedAt
  }

  get unlock(): Unlock {
    return unlockOf(this.#now.unlock)
  }

  get pinLength(): number {
    const pin = unlockBy(this.#now, 'pin')
    return pin?.method === 'pin' ? pin.length : 0
  }

  get unlocks(): Exclude<Unlock, 'none'>[] {
    const own = this.unlock
    const { policy } = this.#now
    if (own === 'none') return []
    // Where nothing is asked for any more, what there is may still be changed (§8).
    const taken = policy.unlock.includes('none') ? [own] : unlocksOf(policy, this.#parts.hasPlatform())
    return taken.filter((method) => method !== 'none').filter((method) => method !== 'platform' || own !== 'platform')
  }

  get unconfirmedChange(): boolean {
    return this.#change.unanswered
  }

  get lateChange(): SendProblem | undefined {
    return this.#change.late
  }

  get minLength(): number {
    return this.#now.policy.minLength
  }

  get state(): TokenState {
    const { state, unlockRequired, pausedUntil = 0 } = this.#now
    if (state === 'activating') return { is: 'finishing' }
    if (state === 'unknown') return { is: 'unknown' }
    if (pausedUntil > this.#parts.ticker.now) return { is: 'paused', until: pausedUntil }
    return unlockRequired ? { is: 'unlock_required' } : { is: 'active' }
  }

  get history(): HistoryEntry[] {
    return this.#parts.keyring.history
      .filter(({ tid }) => tid === this.tid)
      .map(({ sid, at, result, attributes, ip }) => ({ sid, at, result, attributes, ip }))
  }

  rename(name: string): Promise<void> {
    return this.#parts.keyring.amend(this.tid, { name: [...name.trim()].slice(0, nameLengthMax).join('') })
  }

  changeUnlock(oldPin: string, next: NewUnlock): Promise<ChangeResult> {
    return this.#change.begin(this.#now, { oldPin, next })
  }

  retryChange(): Promise<ChangeResult> {
    return this.#change.send()
  }

  async remove(): Promise<RemoveResult> {
    try {
      await removeToken(this.#parts.inside.client, this.#now)
    } catch (error) {
      if (error instanceof Refusal) return { is: 'not_sent', problem: sendProblem(error) }
      throw error
    }
    const { keyring, inside } = this.#parts
    await keyring.remove(this.tid)
    // Nobody is left to be notified for.
    if (keyring.records.length === 0) await inside.push.unsubscribe()
    return { is: 'done' }
  }

  get #now(): TokenRecord {
    return this.#parts.keyring.find(this.tid) ?? this.#record
  }
}
