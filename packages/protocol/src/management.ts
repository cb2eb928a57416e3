/** The objects of the management API (docs/specs/admin-api.md). Times are RFC 3339 in UTC. */

import type { Domain, HardwareToken, HardwareType, User } from './resources.ts'

/** Which part of a list is asked for. */
export interface PartQuery {
  /** the `next` of the part before */
  after?: string
  /** 1 to 1,000; 100 unless told */
  limit?: number
}

/** A part of a list; without `next` it is the last. */
export interface Part<Item> {
  items: Item[]
  next?: string
}

export interface ManagedOrganization {
  id: string
  name: string
  createdAt: string
}

export interface OrganizationChanges {
  name?: string
}

/** The limits of an organization, at or below the server's own. */
export interface Settings {
  /** sessions that can be created for one user in a day */
  sessionsPerDayMax: number
  /** requests that wait at one token at a time */
  pendingSessionsMax: number
  /** minutes that a new activation code is valid at most; null for what its domain says */
  activationCodeMinutesMax: number | null
  /** minutes that a new bypass code is valid at most, so that none is without an end; null for any */
  bypassCodeMinutesMax: number | null
  /** wrong bypass codes in a row that lock a user's codes for an hour */
  wrongBypassCodesMax: number
  /** the same for one-time passwords */
  wrongOneTimePasswordsMax: number
}

export interface ManagedDomain extends Domain {
  /** instead of activationCodeExpiration; null for that */
  activationCodeMinutes: number | null
  otpEnabled: boolean
  /** whether wrong bypass codes revoke the device token like wrong PINs */
  bypassCountsAsUnlock: boolean
  numberMatching: 'off' | 'whenAsked' | 'required'
  onFraud: 'suspend' | 'notify' | 'revoke'
  /** characters of a PIN or passcode */
  minLength: number
  /** whether a fingerprint or the like of the device will do instead of the PIN or passcode */
  platformUnlockEnabled: boolean
  /** addresses and CIDR ranges that applications may create sessions from; none for everywhere */
  allowedNetworks: string[]
  createdAt: string
}

export type DomainChanges = Partial<Omit<ManagedDomain, 'id' | 'createdAt'>>
export type NewManagedDomain = DomainChanges & { name: string }

export interface ManagedUser extends User {
  createdAt: string
  /** until when codes are refused because too many were wrong */
  lockedUntil: string | null
}

export interface NewManagedUser {
  username: string
  name?: string
  email?: string
}

export type UserChanges = Omit<NewManagedUser, 'username'>

export interface UserQuery {
  /** how the user name begins, in any case */
  q?: string
}

/** The domain and the user that something is about; the names are null once they are deleted. */
interface AboutWhom {
  domain: { id: string; name: string | null }
  user: { id: string; username: string | null }
}

/** Filters of what belongs to a domain and a user, by their ids. */
interface AboutQuery {
  domain?: string
  user?: string
}

export interface ManagedToken extends AboutWhom {
  id: string
  state: 'pending' | 'active' | 'revoked' | 'expired'
  /** as it described itself; null unless the token is active. `persisted`: the browser has promised to keep the keys */
  device: { name: string; platform: string; app: string; persisted: boolean } | null
  factor: 'none' | 'pin' | 'passcode' | 'platform' | null
  /** `stale`: subscribed under an older key, which works until the device is opened; `failing`: see pushError */
  pushState: 'ok' | 'stale' | 'failing' | 'none'
  pushError: 'forbidden' | 'refused' | 'busy' | 'timeout' | 'unreachable' | 'blocked' | null
  pushErrorSince: string | null
  /** to the minute */
  lastAnswerAt: string | null
  suspendedUntil: string | null
  suspendedReason: string | null
  throttledUntil: string | null
  createdAt: string
  /** of the code of a pending token */
  expiresAt: string | null
  activatedAt: string | null
  endedAt: string | null
  endedReason: string | null
}

export interface TokenQuery extends AboutQuery {
  state?: ManagedToken['state']
}

/** What makes somebody's device the token: for that user alone. */
export interface ActivationCode {
  state: 'pending'
  code: string
  link: string
  expiresAt: string
}

export type IssuedToken = ActivationCode | { state: 'active' }

export interface ManagedSession extends AboutWhom {
  id: string
  state: 'pending' | 'approved' | 'denied' | 'cancelled' | 'expired'
  /** why; '' while pending and for an approval */
  reason: string
  method: 'push' | 'bypasscode' | 'otp'
  /** that was asked; null where a code came along */
  tokenId: string | null
  ipAddress: string | null
  numberMatching: boolean
  createdAt: string
  expiresAt: string
  approvedAt: string | null
  endedAt: string | null
}

/** A session with what the user was shown. */
export interface ShownSession extends ManagedSession {
  attributes: { key: string; value: string }[]
}

export interface SessionQuery extends AboutQuery, TimeQuery {
  state?: ManagedSession['state']
}

/** `since` is included, `until` is not. */
export interface TimeQuery {
  since?: string
  until?: string
}

export interface ManagedBypassCode {
  id: string
  /** id */
  user: string
  /** nine decimal digits */
  code: string
  usesAllowed: number
  usesRemaining: number
  /** null for never */
  expiresAt: string | null
  createdAt: string
}

export interface NewManagedBypassCode {
  /** 1 to 1,000; 1 unless told */
  usesAllowed?: number
  expiresAt?: string | null
}

export interface ManagedHardwareToken extends Omit<HardwareToken, 'timeStep' | 'user'> {
  /** seconds */
  timeStep: 30 | 60
  /** steps that its clock was ahead of the server's */
  drift: number
  /** id of who has it */
  user: string | null
  createdAt: string
}

export interface NewManagedHardwareToken {
  serialNumber: string
  type: HardwareType
  /** seconds */
  timeStep: 30 | 60
  /** hexadecimal; never told again */
  seed: string
  alias?: string
}

export interface HardwareChanges {
  alias?: string
}

export interface HardwareQuery {
  /** how the serial number begins */
  q?: string
  /** whether somebody has it */
  assigned?: boolean
}

/** What became of a file of hardware tokens, by its lines. */
export interface HardwareImported {
  imported: number
  /** the first 100 of them */
  refused: { line: number; serialNumber?: string; problem: string }[]
  /** how many there are in all */
  refusedTotal: number
}

export interface ManagedApiKey {
  id: string
  name: string
  /** the first 6 characters of the key */
  prefix: string
  scope: 'auth' | 'read' | 'enroll' | 'admin'
  /** the only domains that it may act in; null for all */
  domainIds: string[] | null
  createdAt: string
  expiresAt: string | null
  revokedAt: string | null
  /** some minutes late, at most */
  lastUsedAt: string | null
}

/** A key as it is shown once. */
export interface IssuedApiKey extends ManagedApiKey {
  apiKey: string
}

export type ApiKeyChanges = Partial<Pick<ManagedApiKey, 'name' | 'domainIds' | 'expiresAt'>>
export type NewApiKey = ApiKeyChanges & Pick<ManagedApiKey, 'name' | 'scope'>

export interface Administrator {
  id: string
  email: string
  name: string
  role: 'owner' | 'admin' | 'helpdesk' | 'auditor'
  /** whether signing in is impossible */
  disabled: boolean
  createdAt: string
  lastSignInAt: string | null
}

export type NewAdministrator = Pick<Administrator, 'email' | 'name' | 'role'>
export type AdministratorChanges = Partial<Pick<Administrator, 'name' | 'role' | 'disabled'>>

/** It signs in once; whoever has it is that administrator. */
export interface SignInLink {
  link: string
  expiresAt: string
}

/** What somebody may do (docs/api-permissions.md). */
type Permission =
  | 'ping'
  | `organization:${'read' | 'write'}`
  | 'settings:write'
  | `domains:${'read' | 'write'}`
  | `users:${'read' | 'write'}`
  | 'members:write'
  | `tokens:${'list' | 'read' | 'write'}`
  | `sessions:${'create' | 'read' | 'list' | 'cancel'}`
  | `bypass-codes:${'read' | 'write'}`
  | `hardware:${'read' | 'write'}`
  | `api-keys:${'read' | 'write'}`
  | `administrators:${'read' | 'write'}`
  | 'audit:read'

/** Who is signed in, and what they may do. */
export interface SignedIn {
  administrator: Administrator
  permissions: Permission[]
}

export interface AuditEvent {
  /** the chain and the number in it */
  id: string
  at: string
  event: string
  actor: { kind: 'api-key' | 'administrator' | 'operator' | 'device' | 'server'; id: string }
  domainId: string | null
  userId: string | null
  tokenId: string | null
  sessionId: string | null
  data: Record<string, unknown>
  hash: string
}

export interface AuditQuery extends AboutQuery, TimeQuery {
  event?: string
  /** only with `user` */
  token?: string
  /** only with `user` */
  session?: string
  /** id of who did it */
  actor?: string
}
