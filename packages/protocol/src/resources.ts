/** The objects of the public HTTP API; the order of their members is part of the contract (docs/specs/rest-api.md §2). */

export type Token = { state: 'pending'; code: string } | { state: 'active' }

export type SessionState = 'pending' | 'approved' | 'denied'

/** Exactly two members: LoginTC's C client 0.1.0 cuts them out at fixed offsets. */
export interface Session {
  id: string
  state: SessionState
}

/** The session for clients that ask by `Accept: application/vnd.countersign.v1+json`. Times are ISO 8601 in UTC. */
export interface DetailedSession extends Session {
  /** why the state is what it is; '' while pending and for an approval */
  reason: string
  method: 'push' | 'bypasscode' | 'otp'
  createdAt: string
  expiresAt: string
  /** the matching number, only in the answer to the creation that asked for one */
  number?: string
}

export interface User {
  id: string
  username: string
  name: string
  email: string
  domains: string[]
  bypasscodes: string[]
  /** id of the hardware token, or '' */
  hardware: string
}

export const domainTypes = ['RADIUS', 'API', 'PAM', 'SAML', 'OIDC', 'OTHER'] as const
export const keyTypes = ['ONE_STEP', 'PIN', 'PASSCODE', 'BIOMETRIC'] as const
type DomainType = (typeof domainTypes)[number]
export type KeyType = (typeof keyTypes)[number]

export interface Domain {
  id: string
  name: string
  type: DomainType
  keyType: KeyType
  maxAllowedRetries: number
  /** seconds */
  requestTimeout: number
  /** days */
  activationCodeExpiration: number
  requestPollingEnabled: boolean
  bypassEnabled: boolean
}

export interface Organization {
  name: string
}

export interface Ping {
  status: 'OK'
}

export interface BypassCode {
  id: string
  /** nine decimal digits */
  code: string
  /** such as 2026-01-31T23:59:59+0000: LoginTC's Java client reads nothing else; the year 9999 is never */
  dtExpiry: string
  /** id of the user */
  user: string
  usesAllowed: number
  usesRemaining: number
}

export const hardwareTypes = ['TOTP6', 'TOTP8'] as const
export type HardwareType = (typeof hardwareTypes)[number]
export type SyncState = 'Never Used' | 'Synchronized' | 'Out of Sync'

export interface HardwareToken {
  id: string
  alias: string
  serialNumber: string
  type: HardwareType
  timeStep: '30s' | '60s'
  syncState: SyncState
  /** id of the user who has it, or '' */
  user: string
}
