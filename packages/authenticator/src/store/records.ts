import type { Policy } from '@countersign/protocol/device-messages.ts'
import type { PublicJwk } from '@countersign/protocol/jws.ts'

/** A sign-in key as it is kept. The CryptoKeys are handles: nothing, not even this page, can read what is in them. */
export interface TokenRecord {
  tid: string
  /** the origin that it belongs to */
  aud: string
  server: { name: string }
  domain: { id: string; name: string }
  user: string
  /** what the user calls it; '' for no name */
  name: string
  state: 'activating' | 'active' | 'unknown'
  signKey: CryptoKey
  publicKey: PublicJwk
  unlock: UnlockRecord
  policy: Policy
  vapid?: string
  /** what the server was told last about push: the endpoint, or '' for none */
  pushEndpoint?: string
  /** the domain demands another unlock than this one */
  unlockRequired?: boolean
  /**
   * a change of the unlock without an answer: either of the two counts, or what one before it, without an answer, too, would have
   * made valid; `unlock` above is the one that is believed to. `id`: the change to `unlock` in here
   */
  unsettled?: { unlock: UnlockRecord; id?: ChangeId; others?: UnlockRecord[] }
  /** milliseconds since 1970, as all times here, on the server's clock */
  addedAt: number
  lastUsedAt?: number
  pausedUntil?: number
  /** while `activating` */
  activation?: PendingFinish
}

/** How a token is unlocked. The PIN itself, what is derived from it and old proofs are never kept (device-protocol.md §6). */
export type UnlockRecord =
  | { method: 'none' }
  | { method: 'pin'; kind: 'pin' | 'passcode'; length: number; salt: Uint8Array<ArrayBuffer>; mixKey: CryptoKey }
  | { method: 'platform'; credentialId: string; transports: string[] }

/** Which message brought a change, as long as the server knows it again; no secret, unlike the message. */
export interface ChangeId {
  jti: string
  /** Unix seconds */
  iat: number
}

/** A finish that was not answered. The message is kept only where it holds no secret: with a PIN it has the pinKey in it. */
export interface PendingFinish {
  aid: string
  nonce: string
  /** Unix seconds */
  expires: number
  jws?: string
}

/** What is left of a token whose keys are deleted, until the user has read it. */
export interface EndedRecord {
  tid: string
  domain: { id: string; name: string }
  user: string
  name: string
  endedAt: number
  by: 'pin' | 'server' | 'activation'
}

/** What became of a request. */
export interface HistoryRecord {
  sid: string
  tid: string
  at: number
  result: 'approved' | 'denied' | 'not_me' | 'cancelled' | 'expired' | 'elsewhere'
  attributes: { name: string; value: string }[]
  ip?: string
}

/** Odds and ends that outlive a visit. */
export interface Facts {
  /** milliseconds that the server's clock is ahead of this phone's */
  clockOffsetMs: number
  lastConnectedAt: number
  notificationsDeclined: boolean
  serverVapid: string
}

/** Where keys live. Each method is one transaction: two tabs cannot undo each other's work. */
export interface Store {
  tokens(): Promise<TokenRecord[]>
  /** Stores what `change` makes of the record as it is at that moment; undefined deletes it. `change` must not wait for anything. */
  update(tid: string, change: (current: TokenRecord | undefined) => TokenRecord | undefined): Promise<void>
  /** Deletes a token, its keys and its history, and leaves the note; none where the token is gone already. */
  end(note: EndedRecord): Promise<void>
  ended(): Promise<EndedRecord[]>
  dismissEnded(tid: string): Promise<void>
  /** all tokens', newest first */
  history(): Promise<HistoryRecord[]>
  /** Adds an entry, or replaces that of the same sid if it says more than `elsewhere`; the oldest of the token beyond 50 go. */
  remember(entry: HistoryRecord): Promise<void>
  facts(): Promise<Partial<Facts>>
  setFacts(facts: Partial<Facts>): Promise<void>
}

/** How many entries of a token's history are kept. */
export const historyMax = 50
