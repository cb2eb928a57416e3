import { setTimeout as sleep } from 'node:timers/promises'
import type { Approval, DeviceError, SignInRequest, StoredToken, SyncOutcome } from '@countersign/sdk/device.ts'
import { type Answered, Authenticator, type DeviceStore, isDeviceError, isUndecided } from '@countersign/sdk/device.ts'
import { askProofs, type Decision, decide, describe } from './device-ask.ts'
import { jsonLine, say, type Terminal, visible } from './device-terminal.ts'

/** How requests are answered. */
export interface WatchOptions extends Approval {
  answer: 'approve' | 'deny' | 'ask'
  /** ends after the first answer */
  once: boolean
  /** ends when nothing was answered for so long */
  timeoutMs?: number
}

const waitSeconds = 25
const pauseMs = 1000
const pauseMaxMs = 30_000
const lastWord = new Error('the watch is over')

/** Answers requests to all tokens of a store until told to stop; prints a JSON line for each. Throws when it ends in vain. */
export async function watchRequests(store: DeviceStore, terminal: Terminal, options: WatchOptions): Promise<void> {
  const tokens = await store.load()
  if (tokens.length === 0) throw new Error('There is no token here. Activate one first: countersign device activate')
  const watch = new Watch(terminal, options)
  for (const { user, domain, aud } of tokens)
    say(`Waiting for requests to ${visible(`${user}, ${domain.name}, ${aud}`)}`)
  await watch.run(store, tokens)
}

/** One server's tokens, as long as they can be asked for. */
interface Post {
  authenticator: Authenticator
  tids: Set<string>
}

interface Refusal {
  error: DeviceError
  signal: AbortSignal
}

class Watch {
  readonly #terminal: Terminal
  readonly #options: WatchOptions
  readonly #end = new AbortController()
  /** requests that were taken up, each with what tells its prompt that it is over */
  readonly #taken = new Map<string, AbortController>()
  #prompts: Promise<void> = Promise.resolve()
  #answered = 0
  #failure: unknown
  #timer: NodeJS.Timeout | undefined

  constructor(terminal: Terminal, options: WatchOptions) {
    this.#terminal = terminal
    this.#options = options
  }

  async run(store: DeviceStore, tokens: StoredToken[]): Promise<void> {
    const servers = [...new Set(tokens.map(({ aud }) => aud))]
    const posts = servers.map((server): Post => {
      const tids = new Set(tokens.filter(({ aud }) => aud === server).map(({ tid }) => tid))
      return { authenticator: new Authenticator({ server, store }), tids }
    })
    this.#restartTimer()
    await Promise.all(posts.map((post) => this.#poll(post).catch((error: unknown) => this.#fail(error))))
    clearTimeout(this.#timer)
    this.#end.abort(lastWord)
    await this.#prompts
    if (this.#failure !== undefined) throw this.#failure
    if (posts.every(({ tids }) => tids.size === 0)) throw new Error('No usable token is left.')
    if (this.#options.once && this.#answered === 0) throw new Error('Nothing was answered.')
  }

  async #poll(post: Post): Promise<void> {
    const { signal } = this.#end
    for (let troubles = 0; !signal.aborted && post.tids.size > 0; ) {
      const started = Date.now()
      try {
        const outcome = await post.authenticator.sync({ waitSeconds, signal, tids: [...post.tids] })
        troubles = 0
        await this.#note(post, outcome)
        // A server that ends polls early, because it stops or is full, is not asked more often than this.
        if (Date.now() - started < pauseMs) await this.#pause(pauseMs)
      } catch (error) {
        if (signal.aborted) return
        if (!isUndecided(error) || !isDeviceError(error)) throw error
        if (troubles++ === 0) say(`${visible(error.message)} Trying again.`)
        await this.#pause(
          Math.max(Math.min(pauseMs * 2 ** troubles, pauseMaxMs), (error.retryAfterSeconds ?? 0) * 1000),
        )
      }
    }
  }

  async #note(post: Post, { revoked, failed, rejected, closed, requests }: SyncOutcome): Promise<void> {
    for (const { tid, user, domain } of revoked) {
      post.tids.delete(tid)
      say(`The token of ${visible(`${user}, ${domain.name}`)} was revoked. Its keys are removed.`)
    }
    for (const { tid, code } of failed) {
      if (code === 'rate_limited') continue
      post.tids.delete(tid)
      say(`The server refuses the token ${tid} (${code}). It may need a new activation code.`)
    }
    for (const { sid, problem } of rejected) say(`A request was not shown, it does not fit: ${problem} (${sid}).`)
    for (const { request, state } of closed) this.#close(request.sid, state)
    for (const request of requests) await this.#take(post, request)
  }

  #close(sid: string, state: string): void {
    const taken = this.#taken.get(sid)
    this.#taken.delete(sid)
    taken?.abort(new Error(`The request is over: ${state}.`))
  }

  async #take(post: Post, request: SignInRequest): Promise<void> {
    if (this.#taken.has(request.sid) || this.#end.signal.aborted) return
    const over = new AbortController()
    this.#taken.set(request.sid, over)
    const signal = AbortSignal.any([over.signal, this.#end.signal])
    const work = () => this.#answer(post, request, signal).catch((error: unknown) => this.#fail(error))
    if (this.#options.answer !== 'ask') return work()
    this.#prompts = this.#prompts.then(work) // one question at a time, while the polls go on
  }

  async #answer(post: Post, request: SignInRequest, signal: AbortSignal): Promise<void> {
    let decision: Decision | undefined = await this.#decide(request, signal)
    while (decision && decision.answer !== 'skip') {
      try {
        const answered = await answer(post.authenticator, request, decision)
        return this.#report(request, decision.answer, answered)
      } catch (error) {
        if (!isDeviceError(error)) throw error
        decision = await this.#retry(post, request, { error, signal })
      }
    }
  }

  async #decide(request: SignInRequest, signal: AbortSignal): Promise<Decision | undefined> {
    const { answer: mode, pin, number } = this.#options
    const given = { ...(pin && { pin }), ...(number && { number }) }
    if (mode === 'deny') return { answer: 'deny', why: 'other' }
    if (mode === 'ask')
      return decide(this.#terminal, request, { ...given, signal }).catch((error) => this.#interrupt(error, signal))
    if (request.suspicious) say(...describe(request))
    return { answer: 'approve', approval: given }
  }

  /** After a refusal: another try at a PIN or number where somebody can be asked, else the end of this request. */
  async #retry(post: Post, request: SignInRequest, { error, signal }: Refusal): Promise<Decision | undefined> {
    if (error.code === 'token_revoked') post.tids.delete(request.tid)
    const asking = this.#options.answer === 'ask' && error.remaining !== 0 && isDeviceError(error, ...typingErrors)
    const waits = isUndecided(error)
    const over = isDeviceError(error, 'session_closed', 'unknown_session')
    // The same wrong PIN again and again would revoke the token.
    const hopeless = this.#options.answer === 'approve' && isDeviceError(error, ...pinErrors)
    if (hopeless || (this.#options.once && !asking && !waits && !over)) throw error
    say(`${visible(error.message)}${error.remaining === undefined ? '' : ` Tries left: ${error.remaining}.`}`)
    if (waits) this.#taken.delete(request.sid) // taken up again at the next poll
    return asking ? this.#askAgain(request, signal) : undefined
  }

  async #askAgain(request: SignInRequest, signal: AbortSignal): Promise<Decision | undefined> {
    const approval = await askProofs(this.#terminal, request, { signal }).catch((error) =>
      this.#interrupt(error, signal),
    )
    return approval && { answer: 'approve', approval }
  }

  #interrupt(error: unknown, signal: AbortSignal): undefined {
    if (!signal.aborted) throw error
    if (!this.#end.signal.aborted && error instanceof Error) say('', error.message)
  }

  #report({ sid, challenge }: SignInRequest, decision: 'approve' | 'deny', { state }: Answered): void {
    const { domain, user, ip = '', attrs } = challenge
    const attributes = attrs.map(({ k, v }) => ({ key: k, value: v }))
    process.stdout.write(jsonLine({ sid, domain: domain.name, user, attributes, ip, answer: decision, state }))
    this.#answered++
    this.#restartTimer()
    if (this.#options.once) this.#end.abort(lastWord)
  }

  #fail(error: unknown): void {
    this.#failure ??= error
    this.#end.abort(lastWord)
  }

  #restartTimer(): void {
    clearTimeout(this.#timer)
    if (this.#options.timeoutMs !== undefined)
      this.#timer = setTimeout(() => this.#end.abort(lastWord), this.#options.timeoutMs)
  }

  #pause(ms: number): Promise<void> {
    return sleep(ms, undefined, { signal: this.#end.signal }).catch(() => {}) // the loop sees that it is over
  }
}

const pinErrors = ['factor_failed', 'factor_required', 'pin_required', 'unlock_unsupported'] as const
const typingErrors = ['factor_failed', 'number_mismatch', 'pin_required', 'number_required'] as const

function answer(authenticator: Authenticator, request: SignInRequest, decision: Exclude<Decision, { answer: 'skip' }>) {
  if (decision.answer === 'deny') return authenticator.deny(request, decision.why)
  return authenticator.approve(request, decision.approval)
}
