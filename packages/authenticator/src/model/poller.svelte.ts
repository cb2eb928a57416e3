import type { SyncResult } from '@countersign/protocol/device-messages.ts'
import { Refusal } from '../protocol/refusals.ts'
import { readServer } from '../protocol/replies.ts'
import { sync, tokensMax } from '../protocol/sync.ts'
import { callPatiently, pauseMs } from '../protocol/transport.ts'
import type { TokenRecord } from '../store/records.ts'
import type { Keyring } from './keyring.svelte.ts'
import type { Connection } from './model.ts'
import type { RequestList } from './requests.svelte.ts'
import type { Surroundings } from './surroundings.ts'
import type { ConnectionState } from './tabs.ts'
import type { Ticker } from './ticker.svelte.ts'

const waitSeconds = 25
/** a server that answers polls at once, again and again, is not asked more often than this */
const pollGapMs = 250
const minuteMs = 60_000
/** A key that the server does not take is not asked about for so long: its refusals would end every poll at once. */
const restMs = { activating: 5_000, other: minuteMs }

export interface PollerParts {
  inside: Surroundings
  keyring: Keyring
  requests: RequestList
  ticker: Ticker
  /** what the server knows of a token's notifications, after each poll */
  onPush(record: TokenRecord, push: 'ok' | 'none' | 'stale'): void
  /** the server's key for notifications */
  onVapid(vapid: string | undefined): void
}

/** Asks the server what is pending, all the time that the page is visible, from one tab at a time. */
export class Poller implements Connection {
  readonly #parts: PollerParts
  #state = $state<Connection['state']>('idle')
  #lastConnectedAt = $state<number>()
  #nextTryAt = $state<number>()
  #skewMinutes = $state(0)
  #outdated = $state(false)
  #run: AbortController | undefined
  #poll = new AbortController()
  #failures = 0
  /** this is the tab that polls */
  #leads = false
  /** the tokens that the open poll is about */
  #polled = ''
  #described = false
  /** until when refused keys are left out, by tid */
  readonly #resting = new Map<string, number>()

  constructor(parts: PollerParts) {
    this.#parts = parts
    parts.inside.page.onChange(() => {
      if (parts.inside.page.visible) void parts.keyring.load()
      this.#follow()
    })
    parts.inside.tabs.onMessage((message) => {
      if (message.kind === 'pending') void parts.requests.apply(message.news)
      if (message.kind === 'connection' && !this.#leads) this.#show(message.state)
      if (message.kind === 'hello' && this.#leads) this.#tellAll()
    })
  }

  get state(): Connection['state'] {
    return this.#state
  }

  get lastConnectedAt(): number | undefined {
    return this.#lastConnectedAt
  }

  get nextTryAt(): number | undefined {
    return this.#nextTryAt
  }

  get server(): string {
    return new URL(this.#parts.inside.client.transport.origin).host
  }

  get skewMinutes(): number {
    return this.#skewMinutes
  }

  get outdated(): boolean {
    return this.#outdated
  }

  /** Begins, with what is remembered of earlier visits. */
  start(lastConnectedAt: number | undefined): void {
    this.#parts.keyring.onLoad(() => {
      const isRunning = this.#run !== undefined
      if (isRunning !== this.#parts.keyring.records.length > 0) this.#follow()
      // Another tab has added a key or taken one away.
      else if (this.#leads && this.#polled !== this.#tids) this.#poll.abort()
    })
    this.#lastConnectedAt = lastConnectedAt
    this.#noteSkew()
    this.#parts.inside.tabs.tell({ kind: 'hello' })
    this.#follow()
  }

  stop(): void {
    this.#run?.abort()
    this.#run = undefined
    this.#poll.abort()
    this.#state = 'idle'
    this.#nextTryAt = undefined
  }

  /** Asks at once, also when a poll is open: there may be a new token, or something does not fit. */
  retryNow(): void {
    this.#failures = 0
    this.#resting.clear()
    if (this.#run) this.#poll.abort()
    else this.#follow()
  }

  // Polls while the page is visible and there is a key; what changes meanwhile is noticed by the loop itself.
  #follow(): void {
    const { inside, keyring, ticker } = this.#parts
    const { page } = inside
    if (!page.visible || keyring.records.length === 0) {
      this.stop()
      return
    }
    ticker.update()
    if (this.#run) {
      this.#wake()
      return
    }
    const run = new AbortController()
    this.#run = run
    if (this.#state === 'idle') this.#state = 'connecting'
    void page.lead(run.signal, () => this.#loop(run.signal))
  }

  #wake(): void {
    if (this.#nextTryAt !== undefined) this.#poll.abort()
  }

  async #loop(signal: AbortSignal): Promise<void> {
    this.#leads = true
    while (!signal.aborted) {
      this.#poll = new AbortController()
      const either = AbortSignal.any([signal, this.#poll.signal])
      await this.#once(either).catch((error: unknown) => {
        if (!either.aborted) throw error
      })
      if (this.#parts.keyring.records.length === 0) this.stop()
    }
    this.#leads = false
  }

  async #once(signal: AbortSignal): Promise<void> {
    const { transport } = this.#parts.inside.client
    try {
      await this.#describe(signal)
      await this.#ask(signal)
      this.#failures = 0
      await transport.sleep(pollGapMs, signal)
    } catch (error) {
      if (signal.aborted) throw error
      // Anything else is a mistake of ours, or of the browser's store: tried again all the same, or nothing would ever arrive.
      if (!(error instanceof Refusal)) console.error(error)
      await this.#failed(error instanceof Refusal ? error : new Refusal('strange_answer', { cause: error }), signal)
    }
  }

  async #describe(signal: AbortSignal): Promise<void> {
    if (this.#described) return
    const server = readServer(
      await callPatiently(this.#parts.inside.client.transport, { path: '/server', signal }, { times: 0 }),
    )
    this.#outdated = !server.versions.includes(1)
    this.#described = true
    this.#parts.onVapid(server.vapid)
  }

  async #ask(signal: AbortSignal): Promise<void> {
    const { inside, keyring, requests, ticker } = this.#parts
    const now = inside.client.clock.now()
    const awake = keyring.records.filter(({ tid }) => (this.#resting.get(tid) ?? 0) <= now)
    const tokens = awake.slice(0, tokensMax)
    if (tokens.length === 0) return inside.client.transport.sleep(restMs.activating, signal)
    this.#polled = this.#tids
    // The first answer comes at once: only then is it known that there is a connection.
    const wait = this.#state === 'online' ? waitSeconds : 0
    const have = requests.have(tokens.map(({ tid }) => tid))
    const reply = await sync(inside.client, tokens, { waitSeconds: wait, have, signal })
    await this.#connected()
    ticker.update()
    for (const result of reply.results) await this.#note(result, tokens)
    const heard = reply.results.filter((result) => result.ok)
    const news = {
      time: reply.time,
      tids: heard.map(({ kid }) => kid),
      entries: heard.flatMap(({ kid, requests: pending }) => pending.map((entry) => ({ ...entry, tid: kid }))),
      closed: heard.flatMap(({ closed }) => closed),
    }
    await requests.apply(news)
    inside.tabs.tell({ kind: 'pending', news })
  }

  async #note(result: SyncResult, asked: TokenRecord[]): Promise<void> {
    const { inside, keyring } = this.#parts
    const record = keyring.find(result.kid)
    if (!record) return
    // Activated since it was asked about: a refusal of before says nothing.
    if (!result.ok && record.state !== asked.find(({ tid }) => tid === record.tid)?.state) return
    const now = inside.client.clock.now()
    if (result.ok) {
      this.#resting.delete(record.tid)
      return this.#noteGood(record, result)
    }
    this.#resting.set(record.tid, now + (record.state === 'activating' ? restMs.activating : restMs.other))
    if (result.code === 'token_revoked') {
      return keyring.end(record.tid, record.state === 'activating' ? 'activation' : 'server', now)
    }
    if (result.code !== 'bad_signature') return
    const expires = record.activation?.expires ?? 0
    // It may still become active as long as a finish can arrive; after that it never will.
    if (record.state === 'activating' && expires * 1000 < now) return keyring.end(record.tid, 'activation', now)
    if (record.state === 'active') await keyring.amend(record.tid, { state: 'unknown' })
  }

  async #noteGood(record: TokenRecord, result: SyncResult & { ok: true }): Promise<void> {
    const { policy, factor, push } = result
    const unlockRequired = factor === 'required'
    const isNews =
      record.state !== 'active' ||
      record.policy.rev !== policy.rev ||
      (record.unlockRequired ?? false) !== unlockRequired
    if (isNews) {
      await this.#parts.keyring.update(record.tid, (current) => {
        if (!current) return undefined
        const { activation: _, ...rest } = current
        return { ...rest, state: 'active', policy, unlockRequired }
      })
    }
    this.#parts.onPush(record, push)
  }

  async #connected(): Promise<void> {
    const { store, client } = this.#parts.inside
    this.#state = 'online'
    this.#nextTryAt = undefined
    this.#lastConnectedAt = client.clock.now()
    this.#noteSkew()
    this.#tellConnection()
    await store.setFacts({ lastConnectedAt: this.#lastConnectedAt, clockOffsetMs: client.clock.offsetMs })
  }

  async #failed(refusal: Refusal, signal: AbortSignal): Promise<void> {
    const { client } = this.#parts.inside
    if (refusal.time !== undefined) client.clock.learn(refusal.time)
    this.#state = refusal.code === 'no_answer' ? 'offline' : 'server'
    const pause = pauseMs(client.transport, this.#failures++, refusal.retryAfterSeconds)
    this.#nextTryAt = client.clock.now() + pause
    this.#tellConnection()
    await client.transport.sleep(pause, signal)
    this.#nextTryAt = undefined
  }

  #noteSkew(): void {
    this.#skewMinutes = Math.round(-this.#parts.inside.client.clock.offsetMs / minuteMs)
  }

  get #tids(): string {
    return this.#parts.keyring.records.map(({ tid }) => tid).join()
  }

  #show({ state, lastConnectedAt, nextTryAt }: ConnectionState): void {
    this.#state = this.#run ? state : 'idle'
    this.#lastConnectedAt = lastConnectedAt
    this.#nextTryAt = nextTryAt
  }

  #tellConnection(): void {
    const { state, lastConnectedAt, nextTryAt } = this
    this.#parts.inside.tabs.tell({ kind: 'connection', state: { state, lastConnectedAt, nextTryAt } })
  }

  #tellAll(): void {
    const { inside, requests, keyring } = this.#parts
    const time = Math.floor(inside.client.clock.now() / 1000)
    const tids = keyring.records.map(({ tid }) => tid)
    inside.tabs.tell({ kind: 'pending', news: { time, tids, entries: requests.entries(), closed: [] } })
    this.#tellConnection()
  }
}
