import type { DetailedSession, HardwareType, Session, Token } from '@countersign/protocol/resources.ts'

/** A session as this server tells it, or as any server with LoginTC's API does. */
export type SessionAnswer = Session & Partial<DetailedSession>

/** A token; while it is pending, this server also gives what a QR code holds, and when the code expires (ISO 8601). */
export type TokenAnswer = Token & { link?: string; expiresAt?: string }

/** A user to create, or a member that a list of members names. */
export interface NewUser {
  username: string
  name?: string
  email?: string
}

/** Who signs in, and by what: nothing for a push to the authenticator, or one of the two codes. */
export interface NewSession {
  user: { id: string } | { username: string }
  attributes?: { key: string; value: string }[]
  ipAddress?: string
  bypasscode?: string
  otp?: string
  /** asks for a number that the login page shows and the user types into the authenticator */
  numberMatching?: boolean
}

/** How often and how long a bypass code works. */
export interface NewBypassCode {
  /** 1 to 1000, 1 by default */
  usesAllowed?: number
  /** minutes, up to 525,600; 0, the default, is for ever */
  expirationTime?: number
}

/** A hardware token as its seed file describes it. */
export interface NewHardwareToken {
  serialNumber: string
  type: HardwareType
  timeStep: '30s' | '60s'
  /** hexadecimal; the server never tells it again */
  seed: string
  alias?: string
}
