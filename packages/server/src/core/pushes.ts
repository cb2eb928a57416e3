import type { App, PushMessage, PushResult, WebPush } from '../app.ts'
import type { TokenRow } from '../storage/tokens.ts'
import { installation, theServer } from './audit.ts'
import { openSubscription, type Subscription } from './push-subscriptions.ts'
import { reportTampering } from './tampering.ts'
import { aboutToken, isIntact, isSuspended, tamperedToken } from './tokens.ts'
import { available, transact } from './transactions.ts'
import { findVapidKey } from './vapid-keys.ts'

/** A request that a phone is to be woken for. */
export interface PlannedPush {
  token: TokenRow
  sid: string
  /** when it may leave */
  dueAt: number
  /** of the request */
  expiresAt: number
  /** the poll that was open when the request was made (Polls.outcome) */
  poll: Promise<boolean> | undefined
}

/** How a push ends; countersign_pushes_total counts by it. */
type Outcome = PushResult['result'] | 'polled' | 'unneeded' | 'dropped' | 'unsendable'

const pollMs = 3_000
const ttlMinSeconds = 30
const ttlMaxSeconds = 600
const retryMs = [1_000, 4_000]

/**
 * Sends a push for a request that has been committed, once whatever made it is answered. Nobody waits for it and nothing that
 * befalls it shows in the request; the phone finds that by itself when it is opened.
 */
export function startPush(app: App, planned: PlannedPush): void {
  const { webPush } = app.delivery
  if (!webPush) return
  const delivery = new Delivery(app, webPush, planned)
  const work = async () => {
    await new Promise(setImmediate)
    try {
      count(app, await delivery.run())
    } catch (error) {
      app.log.error({ err: error, tid: planned.token.tid }, 'a push failed')
      count(app, 'unsendable')
    }
  }
  if (!app.pushes.begin(delivery.service, work)) count(app, 'dropped')
}

class Delivery {
  readonly #app: App
  readonly #webPush: WebPush
  readonly #planned: PlannedPush
  /** as it was when this began, or after the last wait */
  #token: TokenRow
  /** of the token; undefined when it cannot be read */
  #subscription: Subscription | undefined
  #tried = false

  constructor(app: App, webPush: WebPush, planned: PlannedPush) {
    this.#app = app
    this.#webPush = webPush
    this.#planned = planned
    this.#token = planned.token
    this.#subscription = readable(app, planned.token)
  }

  /** whose room and connections this takes */
  get service(): string {
    const { endpoint = '' } = this.#subscription ?? {}
    return this.#webPush.serviceOf(endpoint) ?? ''
  }

  async run(): Promise<Outcome> {
    const outcome = await this.#deliver()
    if (!this.#tried && !this.#app.pushes.stopping.aborted) await this.#giveTurnBack()
    return outcome
  }

  async #deliver(): Promise<Outcome> {
    const app = this.#app
    const { poll, dueAt } = this.#planned
    if (poll && (await this.#isToldBy(poll))) return 'polled'
    const early = dueAt - app.now()
    if (early > 0) await app.wait(early, app.pushes.stopping)
    if ((poll || early > 0) && !(await this.#isNeeded())) return 'unneeded'
    for (let tries = 0; ; tries++) {
      const result = await this.#send()
      if (typeof result === 'string') return result
      const pause = pauseAfter(result, tries, app.now())
      if (pause === undefined || app.now() + pause >= this.#planned.expiresAt) return this.#conclude(result)
      await app.wait(pause, app.pushes.stopping)
      if (!(await this.#isNeeded())) return 'unneeded'
    }
  }

  /** The next push need not keep its distance from one that never left. */
  async #giveTurnBack(): Promise<void> {
    const { token, dueAt } = this.#planned
    const { organization_id, tid, push_at: before } = token
    await transact(this.#app, ({ tx }) => tx.pushSubscriptions.giveTurnBack(organization_id, tid, { dueAt, before }))
  }

  /** Whoever looks at the open app needs no notification; one whose connection is dead does. */
  async #isToldBy(poll: Promise<boolean>): Promise<boolean> {
    const { wait, pushes } = this.#app
    const done = new AbortController()
    const patience = wait(pollMs, AbortSignal.any([done.signal, pushes.stopping]))
    const told = await Promise.race([poll, patience])
    done.abort()
    return told === true
  }

  /** Whether, after a wait, the phone is still the one to be asked. */
  async #isNeeded(): Promise<boolean> {
    const app = this.#app
    const { organization_id, tid } = this.#token
    if (app.pushes.stopping.aborted) return true // and is dropped
    const token = await available(app, () => app.storage.tokens.findByTid(tid))
    if (token?.state !== 'active' || token.push_endpoint_cipher === null) return false
    if (isSuspended(app, token) || !isIntact(app, token)) return false
    this.#token = token
    this.#subscription = readable(app, token)
    const session = await available(app, () => app.storage.sessions.find(organization_id, this.#planned.sid))
    return session?.state === 'pending' && session.expires_at > app.now()
  }

  async #send(): Promise<PushResult | Outcome> {
    const app = this.#app
    const result = await app.pushes.send(this.service, async ({ signal, waited }) => {
      if (waited && !(await this.#isNeeded())) return 'unneeded'
      const message = await this.#message()
      if (!message) return 'unsendable'
      this.#tried = true
      const began = performance.now()
      const result = await this.#webPush.send(message, signal)
      const seconds = (performance.now() - began) / 1_000
      app.metrics.observe('countersign_push_duration_seconds', { result: result.result }, seconds)
      return result
    })
    return result ?? 'dropped'
  }

  async #message(): Promise<PushMessage | undefined> {
    const app = this.#app
    const { tid, push_vapid_id } = this.#token
    const vapid = await findVapidKey(app, ({ id }) => id === push_vapid_id)
    if (!vapid) return undefined
    if (!this.#subscription) {
      await reportTampering(app, tamperedToken(this.#token))
      return undefined
    }
    const left = Math.floor((this.#planned.expiresAt - app.now()) / 1_000)
    return {
      ...this.#subscription,
      vapid: { publicKey: vapid.publicKey, privateKey: vapid.privateKey },
      topic: app.secrets.mac('topic', `dp1/topic\n${tid}`).slice(0, 32),
      ttlSeconds: Math.min(Math.max(left, ttlMinSeconds), ttlMaxSeconds),
    }
  }

  /** Writes down what an administrator has to know, if it is news. */
  async #conclude({ result, host, status, error }: PushResult): Promise<Outcome> {
    const app = this.#app
    const { organization_id, tid, push_endpoint_hash: hash, push_error } = this.#token
    if (result !== 'accepted') app.log.warn({ result, host, status, error, tid }, 'a push was not accepted')
    if (hash === null) return result
    if (result === 'gone') await this.#erase(hash, { host, status })
    else if (push_error !== (result === 'accepted' ? null : result)) {
      const noted = result === 'accepted' ? { error: null, since: null } : { error: result, since: app.now() }
      await transact(app, ({ tx }) => tx.pushSubscriptions.noteError(organization_id, tid, hash, noted))
    }
    if (result === 'accepted') app.limits.pushRefusals.end(this.service)
    if (result === 'forbidden') await this.#countRefusal({ host, status })
    return result
  }

  /**
   * A person must see when a push service refuses the server and not one subscription: a setting is wrong then. What one phone
   * hands over may be refused because of that phone, which must not be able to ring an alarm.
   */
  async #countRefusal(data: { host: string; status: number | undefined }): Promise<void> {
    const { limits, log } = this.#app
    if (!limits.pushRefusals.add(this.service, this.#token.user_id) || !limits.pushAlarms.add(this.service)) return
    const message = 'a push service refuses this server: see COUNTERSIGN_PUSH_CONTACT'
    log.error({ alarm: 'push.forbidden', ...data }, message)
    await transact(this.#app, async ({ audit }) =>
      audit({ organizationId: installation, event: 'push.forbidden', actor: theServer, data }),
    )
  }

  async #erase(hash: string, data: Record<string, unknown>): Promise<void> {
    await transact(this.#app, async ({ tx, audit }) => {
      const { organization_id, tid } = this.#token
      if (!(await tx.pushSubscriptions.erase(organization_id, tid, hash))) return
      audit({ ...aboutToken(this.#token), event: 'token.push_gone', actor: theServer, data })
    })
  }
}

function readable(app: App, token: TokenRow): Subscription | undefined {
  try {
    return openSubscription(app, token)
  } catch {
    return undefined // and that is reported when it is to be used
  }
}

/** Milliseconds until another try is worth it: two at most, and only where the next one may fare better. */
function pauseAfter({ result, retryAfter }: PushResult, tries: number, now: number): number | undefined {
  if (result !== 'busy' && result !== 'unreachable') return undefined
  const pause = retryMs[tries]
  if (pause === undefined || retryAfter === undefined) return pause
  const asked = /^\d{1,6}$/.test(retryAfter) ? Number(retryAfter) * 1_000 : Date.parse(retryAfter) - now
  return Number.isNaN(asked) ? pause : Math.max(asked, pause)
}

function count(app: App, result: Outcome): void {
  app.metrics.count('countersign_pushes_total', { result })
}
