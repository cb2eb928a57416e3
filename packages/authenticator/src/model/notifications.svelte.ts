import type { PushSubscription } from '@countersign/protocol/device-messages.ts'
import { setPush } from '../protocol/changes.ts'
import { Refusal } from '../protocol/refusals.ts'
import type { TokenRecord } from '../store/records.ts'
import type { Keyring } from './keyring.svelte.ts'
import type { Notifications } from './model.ts'
import type { Surroundings } from './surroundings.ts'

/** Notifications on this phone, and what the server knows of them. */
export class NotificationSetting implements Notifications {
  readonly #inside: Surroundings
  readonly #keyring: Keyring
  #vapid = $state<string>()
  #permission = $state<Surroundings['push']['permission']>('unavailable')
  #declined = $state(false)
  /** what was told to the server in this visit, so that a refusal is not repeated with every poll */
  readonly #told = new Map<string, string>()
  /** once per visit */
  #renewing: Promise<void> | undefined

  constructor(inside: Surroundings, keyring: Keyring) {
    this.#inside = inside
    this.#keyring = keyring
  }

  get state(): Notifications['state'] {
    if (this.#vapid === undefined || this.#permission === 'unavailable') return 'unavailable'
    return { granted: 'on', denied: 'blocked', default: 'off' }[this.#permission] as Notifications['state']
  }

  get shouldAsk(): boolean {
    return this.state === 'off' && !this.#declined && this.#keyring.records.some(({ state }) => state === 'active')
  }

  /** Begins, with what is remembered of earlier visits. */
  start({ declined, vapid }: { declined: boolean; vapid: string | undefined }): void {
    this.#declined = declined
    this.#vapid = vapid || undefined
    this.#permission = this.#inside.push.permission
  }

  async ask(): Promise<void> {
    if (this.#vapid === undefined) return
    const subscription = await this.#inside.push.subscribe(this.#vapid)
    this.#permission = this.#inside.push.permission
    if (subscription) await this.#tellAll(subscription)
  }

  later(): void {
    this.#declined = true
    void this.#inside.store.setFacts({ notificationsDeclined: true })
  }

  /** The server has said under which key it sends, or that it sends nothing. */
  async learnVapid(vapid: string | undefined): Promise<void> {
    this.#permission = this.#inside.push.permission
    if (vapid !== this.#vapid) {
      this.#vapid = vapid
      await this.#inside.store.setFacts({ serverVapid: vapid ?? '' })
    }
    if (vapid === undefined || this.#permission !== 'granted') return
    // Permission is there, so this asks nobody: it mends a subscription that the browser dropped or made under an old key.
    const subscription = await this.#inside.push.subscribe(vapid)
    if (subscription) await this.#tellAll(subscription)
  }

  /** The server has said what it knows of a token's notifications. */
  async compare(record: TokenRecord, push: 'ok' | 'none' | 'stale'): Promise<void> {
    if (this.#vapid === undefined || this.#permission !== 'granted' || push === 'ok') return
    const subscription = await this.#inside.push.current(this.#vapid)
    if (!subscription || this.#told.get(record.tid) === subscription.endpoint) return
    // The server has had this one, and knows that it is gone: the browser does not.
    if (record.pushEndpoint !== subscription.endpoint) return this.#tell(record, subscription)
    this.#renewing ??= this.#renew(this.#vapid)
    await this.#renewing
  }

  async #renew(vapid: string): Promise<void> {
    const { push } = this.#inside
    await push.unsubscribe().catch(() => {}) // its push service is out of reach: the next visit tries again
    const subscription = await push.subscribe(vapid)
    if (subscription) await this.#tellAll(subscription)
  }

  async #tellAll(subscription: PushSubscription): Promise<void> {
    for (const record of this.#keyring.records) {
      const isKnown = record.pushEndpoint === subscription.endpoint && record.vapid === subscription.vapid
      if (record.state === 'active' && !isKnown) await this.#tell(record, subscription)
    }
  }

  async #tell(record: TokenRecord, subscription: PushSubscription): Promise<void> {
    this.#told.set(record.tid, subscription.endpoint)
    try {
      const isTaken = await setPush(this.#inside.client, record, subscription)
      const pushEndpoint = isTaken ? subscription.endpoint : ''
      await this.#keyring.amend(record.tid, { pushEndpoint, vapid: subscription.vapid })
    } catch (error) {
      // Requests reach an open page all the same; the next visit tries again.
      if (!(error instanceof Refusal)) throw error
    }
  }
}
