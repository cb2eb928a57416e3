import { changePin, removeToken } from '../protocol/changes.ts'
import { problemOf } from '../protocol/pins.ts'
import { Refusal } from '../protocol/refusals.ts'
import type { TokenRecord } from '../store/records.ts'
import type { Keyring } from './keyring.svelte.ts'
import type { ChangeResult, Domain, HistoryEntry, RemoveResult, Token, TokenState, Unlock } from './model.ts'
import type { Surroundings } from './surroundings.ts'
import type { Ticker } from './ticker.svelte.ts'
import { domainView, sendProblem, unlockOf } from './views.ts'

const nameLengthMax = 40

export interface TokenParts {
  inside: Surroundings
  keyring: Keyring
  ticker: Ticker
}

/** A key as the screens see it. It goes on showing what it was when it is gone. */
export class KeyView implements Token {
  readonly tid: string
  readonly #parts: TokenParts
  readonly #record: TokenRecord

  constructor(record: TokenRecord, parts: TokenParts) {
    this.tid = record.tid
    this.#record = record
    this.#parts = parts
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
    const { unlock } = this.#now
    return unlock?.method === 'pin' ? unlock.length : 0
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

  async changePin(oldPin: string, newPin: string): Promise<ChangeResult> {
    const record = this.#now
    const old = record.unlock
    if (old.method !== 'pin') return { is: 'unsupported' }
    const kind = record.policy.kind === 'passcode' ? 'passcode' : 'pin'
    const problem = problemOf(newPin, kind, record.policy)
    if (problem) return { is: 'refused', problem }
    try {
      const unlock = await changePin(this.#parts.inside.client, record, { old, oldPin, newPin, kind })
      await this.#parts.keyring.amend(this.tid, { unlock, unlockRequired: false })
      return { is: 'done' }
    } catch (error) {
      if (error instanceof Refusal) return this.#notChanged(error)
      throw error
    }
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

  async #notChanged(refusal: Refusal): Promise<ChangeResult> {
    const { code, remaining } = refusal
    if (code === 'factor_failed' && remaining > 0) return { is: 'wrong_pin', remaining }
    if (code === 'factor_failed' || code === 'token_revoked') {
      const { keyring, inside } = this.#parts
      await keyring.end(this.tid, code === 'factor_failed' ? 'pin' : 'server', inside.client.clock.now())
      return { is: 'key_ended' }
    }
    return code === 'factor_required' ? { is: 'unsupported' } : { is: 'not_sent', problem: sendProblem(refusal) }
  }
}
