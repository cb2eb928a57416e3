import type { ClosedState } from '@countersign/protocol/device-messages.ts'
import type { Connection } from './model.ts'

/** What the tabs of this app tell each other. */
type TabMessage =
  /** the store has changed: read it again */
  | { kind: 'stored' }
  /** a tab has opened and wants to know what is pending */
  | { kind: 'hello' }
  /** what the polling tab knows */
  | { kind: 'pending'; news: PendingNews }
  /** how it fares with the network */
  | { kind: 'connection'; state: ConnectionState }

/** What tabs that do not poll show of the connection. */
export type ConnectionState = Pick<Connection, 'state' | 'lastConnectedAt' | 'nextTryAt'>

/** What the server says is pending, for some tokens. */
export interface PendingNews {
  /** Unix seconds */
  time: number
  /** the tokens it speaks for */
  tids: string[]
  entries: PendingEntry[]
  closed: { sid: string; state: ClosedState }[]
}

export interface PendingEntry {
  tid: string
  sid: string
  ch: string
}

/** The other tabs of this app. */
export interface Tabs {
  tell(message: TabMessage): void
  onMessage(listener: (message: TabMessage) => void): void
  close(): void
}

export function openTabs(name = 'countersign'): Tabs {
  const channel = new BroadcastChannel(name)
  return {
    tell: (message) => channel.postMessage(message),
    onMessage(listener) {
      channel.addEventListener('message', ({ data }: MessageEvent<TabMessage>) => listener(data))
    },
    close: () => channel.close(),
  }
}
