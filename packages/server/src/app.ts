import type { Logger } from 'pino'
import type { Config } from './config.ts'
import type { KeyUses } from './core/key-uses.ts'
import type { Limits } from './core/limits.ts'
import type { Polls } from './core/polls.ts'
import type { Pushes } from './core/push-queue.ts'
import type { Secrets } from './core/secrets.ts'
import type { PublicKeys } from './core/signed-messages.ts'
import type { PushMessage, PushResult, WebPush } from './delivery/web-push.ts'
import type { Events } from './events.ts'
import type { Metrics } from './metrics.ts'
import type { Storage } from './storage/storage.ts'

export type { Address, CertificateFiles, Config } from './config.ts'
export type { Watch } from './events.ts'
export type { PushMessage, PushResult, WebPush }

/** What leaves the building. */
interface Delivery {
  /** undefined when no pushes are sent (COUNTERSIGN_PUSH_CONTACT) */
  webPush: WebPush | undefined
}

/** What a core function may use. Everything that differs between production and a test comes in here. */
export interface App {
  config: Config
  storage: Storage
  secrets: Secrets
  events: Events
  limits: Limits
  keyUses: KeyUses
  publicKeys: PublicKeys
  polls: Polls
  delivery: Delivery
  pushes: Pushes
  metrics: Metrics
  /** milliseconds since 1970 */
  now(): number
  /** Resolves after so many milliseconds, or as soon as the signal aborts. */
  wait(ms: number, signal: AbortSignal): Promise<void>
  /** cryptographically strong random bytes */
  random(bytes: number): Uint8Array<ArrayBuffer>
  log: Logger
}
