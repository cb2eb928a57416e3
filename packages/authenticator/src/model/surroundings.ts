import type { DeviceDescription, PushSubscription } from '@countersign/protocol/device-messages.ts'
import type { Client } from '../protocol/signing.ts'
import type { Store } from '../store/records.ts'
import type { PlatformUnlocking } from './platform-unlocking.ts'
import type { Tabs } from './tabs.ts'

/** What the model needs of the browser that is not the network or the store. */
export interface Surroundings {
  client: Client
  store: Store
  tabs: Tabs
  page: Page
  platform: PlatformUnlocking
  push: Push
}

export interface Page {
  readonly visible: boolean
  readonly online: boolean
  /** Calls back when `visible` or `online` has changed. */
  onChange(listener: () => void): void
  /** Runs the work while no other tab does the same; waits for its turn, and gives up waiting when the signal says so. */
  lead(signal: AbortSignal, work: () => Promise<void>): Promise<void>
  /** Asks the browser not to throw keys away. Whether it promises. */
  persist(): Promise<boolean>
  describe(persisted: boolean): DeviceDescription
  /** A mark outside the database that keys were here: it tells an eviction from a first visit. */
  hadKeys: boolean
}

/** Web Push as this browser has it. */
export interface Push {
  readonly permission: 'unavailable' | 'default' | 'granted' | 'denied'
  current(vapid: string): Promise<PushSubscription | undefined>
  subscribe(vapid: string): Promise<PushSubscription | undefined>
  unsubscribe(): Promise<void>
}
