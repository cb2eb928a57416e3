import type { UnlockMethod } from './device-messages.ts'

/** What the user sees and the device signs. Built once, at session creation, and never rebuilt: its bytes are the contract. */
export interface Challenge {
  v: 1
  aud: string
  tid: string
  sid: string
  /** base64url of 32 random bytes */
  nonce: string
  iat: number
  exp: number
  domain: { id: string; name: string }
  user: string
  ip?: string
  attrs: { k: string; v: string }[]
  via: 'api' | 'radius' | 'panel'
  unlock: UnlockMethod
  match: { type: 'none' } | { type: 'enter'; len: number }
}
