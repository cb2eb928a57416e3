import { verifyChallenge } from '../protocol/challenge.ts'
import type { Requests, SignInRequest } from './model.ts'
import { PendingRequest, type RequestParts } from './request.svelte.ts'
import type { PendingEntry, PendingNews } from './tabs.ts'

/** The requests on the screen: fed with what the server says is pending, by this tab's poll or by another's. */
export class RequestList implements Requests {
  readonly #parts: RequestParts
  #all = $state.raw<PendingRequest[]>([])
  #shown = $state<string>()
  #pinned = false
  #unconfirmed = $state.raw<{ tid: string; at: number }[]>([])
  /** every sid that the server was heard of and not yet told to be over, with those that are not shown */
  readonly #known = new Map<string, PendingEntry>()
  /** requests are verified one batch after another, or one could be added twice */
  #applying: Promise<void> = Promise.resolve()

  constructor(parts: RequestParts) {
    this.#parts = parts
    parts.keyring.onLoad(() => this.#followKeys())
  }

  get all(): SignInRequest[] {
    return this.#all
  }

  get open(): SignInRequest[] {
    return this.#all.filter(({ unanswered }) => unanswered)
  }

  get current(): SignInRequest | undefined {
    return this.#all.find(({ sid }) => sid === this.#shown)
  }

  get several(): boolean {
    return this.open.length > 1
  }

  get unconfirmed(): { tid: string; at: number }[] {
    return this.#unconfirmed
  }

  dismissUnconfirmed(): void {
    this.#unconfirmed = []
  }

  show(sid: string): void {
    const request = this.#all.find((candidate) => candidate.sid === sid)
    if (!request) return
    this.#pinned = true
    // What is in sight already was armed when it came: to begin anew would swallow what is being typed.
    if (this.#shown !== sid) this.#focus(request)
  }

  dismiss(sid: string): void {
    const request = this.#all.find((candidate) => candidate.sid === sid)
    if (!request || request.unanswered) return
    this.#all = this.#all.filter((other) => other !== request)
    if (this.#shown === sid) this.#showNewest()
  }

  /** The sids that the server need not tell again when it is asked about these tokens. Any other would end its wait (§8). */
  have(tids: string[]): string[] {
    return [...this.#known.values()].filter(({ tid }) => tids.includes(tid)).map(({ sid }) => sid)
  }

  /** What a tab that has just opened is told. */
  entries(): PendingEntry[] {
    return [...this.#known.values()]
  }

  /** Takes in what is pending and what is over. */
  apply(news: PendingNews): Promise<void> {
    // What went wrong with the news before this must not keep the next from being shown.
    this.#applying = this.#applying.catch(() => {}).then(() => this.#apply(news))
    return this.#applying
  }

  /** Ends what has run out of time, by the server's clock. */
  expire(now: number): void {
    for (const request of this.#all) if (request.expiresAt <= now) this.#end(request, () => request.close('expired'))
  }

  async #apply({ time, tids, entries, closed }: PendingNews): Promise<void> {
    for (const { sid, state } of closed) this.#close(sid, state)
    const pending = new Set(entries.map(({ sid }) => sid))
    for (const [sid, { tid }] of this.#known) if (tids.includes(tid) && !pending.has(sid)) this.#known.delete(sid)
    for (const entry of entries) await this.#add(entry, time)
  }

  async #add(entry: PendingEntry, time: number): Promise<void> {
    const record = this.#parts.keyring.find(entry.tid)
    if (this.#known.has(entry.sid) || !record) return
    this.#known.set(entry.sid, entry)
    if (this.#all.some(({ sid }) => sid === entry.sid)) return
    const verified = await verifyChallenge(entry, record, time * 1000)
    if (verified === 'expired') return
    if (typeof verified === 'string') {
      this.#unconfirmed = [{ tid: entry.tid, at: this.#parts.inside.client.clock.now() }, ...this.#unconfirmed]
      return
    }
    const request = new PendingRequest(verified, this.#parts)
    this.#all = [request, ...this.#all].sort((one, other) => other.createdAt - one.createdAt)
    this.#showNewer(request)
    // The token hears of requests again: a pause, if there was one, is over.
    if (record.pausedUntil !== undefined) await this.#parts.keyring.amend(entry.tid, { pausedUntil: 0 })
  }

  // Keys go in many ways, and in other tabs, too.
  #followKeys(): void {
    const { keyring } = this.#parts
    for (const [sid, { tid }] of this.#known) if (!keyring.find(tid)) this.#known.delete(sid)
    for (const request of this.#all) this.#end(request, () => request.followKey())
  }

  #close(sid: string, state: Parameters<PendingRequest['close']>[0]): void {
    this.#known.delete(sid)
    const request = this.#all.find((candidate) => candidate.sid === sid)
    if (request) this.#end(request, () => request.close(state))
  }

  // What nobody saw needs no result.
  #end(request: PendingRequest, end: () => void): void {
    const { unanswered } = request
    end()
    if (unanswered && !request.unanswered && request.sid !== this.#shown) {
      this.#all = this.#all.filter((other) => other !== request)
    }
  }

  // The newest is shown, but not in the place of a result, of an answer on its way, or of one that the user has chosen.
  #showNewer(request: PendingRequest): void {
    const current = this.#all.find(({ sid }) => sid === this.#shown)
    const yields =
      !current || (current.outcome.is === 'open' && !this.#pinned && current.createdAt <= request.createdAt)
    if (yields) this.#focus(request)
  }

  #showNewest(): void {
    this.#pinned = false
    const next = this.#all.find(({ unanswered }) => unanswered) ?? this.#all[0]
    this.#shown = undefined
    if (next) this.#focus(next)
  }

  #focus(request: PendingRequest): void {
    this.#shown = request.sid
    request.rearm()
  }
}
