import type { PublicJwk } from './jws.ts'

/** The signed operations, each its own `typ` so that one can never be read as another. */
export type Operation = 'activate' | 'sync' | 'answer' | 'push' | 'factor' | 'rotate' | 'newkey' | 'remove'

/** The `typ` header of an operation's message. */
export function messageType(op: Operation): string {
  return `dp1-${op}+jws`
}

/** Members of every signed payload. Times are integer Unix seconds. */
export interface CommonPayload<Op extends Operation = Operation> {
  v: 1
  op: Op
  /** the server's device origin, compared as a string */
  aud: string
  tid: string
  iat: number
  /** base64url of 16 random bytes; makes a retry idempotent and a replay visible */
  jti: string
}

/** What unlocks the token from activation on. `k` is the pinKey. */
export type Factor =
  | { m: 'none' }
  | { m: 'pin'; k: string; kind: 'pin' | 'passcode'; len: number }
  | { m: 'webauthn'; reg: Record<string, unknown> }

/** A proof under the factor, over the binding value of unlock.ts. */
export type UnlockProof = { m: 'pin'; p: string } | { m: 'webauthn'; resp: Record<string, unknown> }

export interface PushSubscription {
  endpoint: string
  p256dh: string
  auth: string
  vapid: string
}

/** For display only, never policy. */
export interface DeviceDescription {
  name: string
  platform: string
  app: string
  persisted: boolean
}

export interface ActivatePayload extends CommonPayload<'activate'> {
  aid: string
  nonce: string
  key: PublicJwk
  factor: Factor
  device: DeviceDescription
  push: PushSubscription | null
}

export type DenyReason = 'mistake' | 'not_me' | 'other'

export type AnswerPayload = CommonPayload<'answer'> & { sid: string; ch: string } & (
    | { ans: 'approve'; num?: string; uv?: UnlockProof }
    | { ans: 'deny'; why: DenyReason }
  )

export type SyncPayload = CommonPayload<'sync'>
export type RemovePayload = CommonPayload<'remove'>
export interface PushPayload extends CommonPayload<'push'> {
  push: PushSubscription | null
}
export interface FactorPayload extends CommonPayload<'factor'> {
  factor: Factor
  uv?: UnlockProof
}
export interface RotatePayload extends CommonPayload<'rotate'> {
  key: PublicJwk
  /** compact JWS `dp1-newkey+jws` by the new key: proof of possession */
  proof: string
  uv?: UnlockProof
}

/** What a domain asks of a token's unlock. */
export type UnlockMethod = 'none' | 'pin' | 'platform'

export interface Policy {
  unlock: UnlockMethod[]
  /** only this kind of `pin` is taken; without it, either */
  kind?: 'passcode'
  minLength: number
  maxAllowedRetries: number
  poll: boolean
  /** raised whenever one of the others changes */
  rev: number
}

export interface BeginReply {
  aid: string
  nonce: string
  expires: number
  tid: string
  time: number
  server: { name: string }
  domain: { id: string; name: string }
  user: string
  policy: Policy
  vapid?: string
}

export interface ServerReply {
  name: string
  versions: number[]
  origin: string
  time: number
  vapid?: string
}

export interface SyncRequest {
  /** seconds to wait for news, 0–25 */
  wait: number
  /** the sids the device shows already */
  have?: string[]
  tokens: string[]
}

export type SyncResult =
  | {
      kid: string
      ok: true
      policy: Policy
      factor: 'ok' | 'required'
      push: 'ok' | 'none' | 'stale'
      requests: { sid: string; ch: string }[]
      closed: { sid: string; state: ClosedState }[]
    }
  | { kid: string; ok: false; code: string; time?: number }

export interface SyncReply {
  time: number
  results: SyncResult[]
}

/** How a session can have ended, in the device's words. */
export type ClosedState = 'approved' | 'denied' | 'cancelled' | 'expired'
