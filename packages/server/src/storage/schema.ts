/**
 * The tables as types. Times are integer milliseconds since 1970; flags are 0 or 1; hashes, MACs and nonces are base64url;
 * `…_cipher` columns hold the field format of core/secrets.ts. One table layout serves every engine.
 */
export interface Schema {
  settings: SettingsTable
  data_keys: DataKeysTable
  organizations: OrganizationsTable
  api_keys: ApiKeysTable
  domains: DomainsTable
  users: UsersTable
  members: MembersTable
  tokens: TokensTable
  activations: ActivationsTable
  sessions: SessionsTable
  replies: RepliesTable
  bypass_codes: BypassCodesTable
  hardware_tokens: HardwareTokensTable
  code_failures: CodeFailuresTable
  domain_images: DomainImagesTable
  administrators: AdministratorsTable
  administrator_sessions: AdministratorSessionsTable
  name_failures: NameFailuresTable
  user_limits: UserLimitsTable
  audit_heads: AuditHeadsTable
  audit_events: AuditEventsTable
}

/** Facts about the installation as a whole. */
interface SettingsTable {
  key: string
  value: string
}

/** Keys that encrypt fields, wrapped by the keyring. */
interface DataKeysTable {
  id: string
  /** root | fields | retired: that of old fields, under which none is stored any more */
  purpose: string
  /** id of the key in the keyring that wraps this one */
  kek_id: string
  wrapped: string
  created_at: number
}

interface OrganizationsTable {
  id: string
  name: string
  /** JSON object of core/organization-settings.ts; what is absent has its default */
  settings: string
  created_at: number
}

interface ApiKeysTable {
  organization_id: string
  id: string
  name: string
  /** SHA-256 of the key: 381 random bits need no slow hash */
  hash: string
  /** first 6 characters, for display */
  prefix: string
  /** auth | read | enroll | admin */
  scope: string
  created_at: number
  expires_at: number | null
  revoked_at: number | null
  /** JSON array of the only domains that the key may act in; null for all */
  domain_ids: string | null
  /** to the minute */
  last_used_at: number | null
}

interface DomainsTable {
  organization_id: string
  id: string
  name: string
  type: string
  key_type: string
  /** wrong unlock proofs in a row that revoke a token, 1–10 */
  max_allowed_retries: number
  /** life of a session in seconds, 30–600 */
  request_timeout: number
  /** life of an activation code in days, 1–365 */
  activation_code_expiration: number
  request_polling_enabled: number
  bypass_enabled: number
  otp_enabled: number
  /** shortest PIN or passcode */
  min_length: number
  /** off | whenAsked | required */
  number_matching: string
  /** suspend | notify | revoke */
  on_fraud: string
  /** 1 lets wrong bypass codes revoke the device token like wrong PINs, as LoginTC does */
  bypass_counts_as_unlock: number
  /** JSON array of CIDR ranges that sessions may be created from; empty for everywhere */
  allowed_networks: string
  /** life of an activation code in minutes, instead of the days */
  activation_code_minutes: number | null
  /** 1 lets the platform's unlock stand in for a PIN or passcode */
  platform_unlock_enabled: number
  /** raised with every change that a device must know of */
  policy_rev: number
  created_at: number
}

interface UsersTable {
  organization_id: string
  id: string
  username: string
  /** what user names are compared by (core/usernames.ts); unique in the organization */
  username_key: string
  name: string
  email: string
  created_at: number
}

interface MembersTable {
  organization_id: string
  domain_id: string
  user_id: string
  /** the user's, repeated here so that a domain's list is one index walk */
  user_created_at: number
  /** the user's, for the same reason; names never change */
  username_key: string
}

/** One row a token, for good: once revoked or expired it is a tombstone without secrets. */
interface TokensTable {
  organization_id: string
  tid: string
  domain_id: string
  user_id: string
  /** pending | active | revoked | expired; one live row (pending or active) a member */
  state: string

  code_index: string | null
  code_cipher: string | null
  secret_index: string | null
  secret_cipher: string | null
  code_expires_at: number | null

  /** the device origin that the phone is bound to */
  origin: string | null
  /** JWK as JSON */
  public_key: string | null
  thumbprint: string | null
  /** raised by each rotation; part of the row MAC */
  key_generation: number
  /** none | pin | webauthn */
  factor: string | null
  /** pin | passcode */
  factor_kind: string | null
  pin_key_cipher: string | null
  credential_id: string | null
  credential_public_key: string | null
  credential_sign_count: number | null
  /** over identity, key and factor: a row changed by SQL is unusable */
  row_mac: string | null

  push_endpoint_cipher: string | null
  push_keys_cipher: string | null
  /** SHA-256 of the endpoint */
  push_endpoint_hash: string | null
  /** the VAPID key (a row of data_keys) that the subscription was made under */
  push_vapid_id: string | null
  /** why pushes do not arrive, and since when; null once one was accepted */
  push_error: string | null
  push_error_since: number | null
  /** when the last push left, or when one will that is waiting for its turn; one that a busy or stopping server drops counts */
  push_at: number

  /** wrong unlock proofs in a row */
  unlock_failures: number
  /** wrong numbers in a row */
  number_failures: number
  /** sessions created in a row without an approval */
  unapproved_sessions: number
  /** when the sessions of the last ten minutes without an approval were created, at most five, comma-separated */
  unapproved_times: string
  throttled_until: number
  suspended_until: number
  suspended_reason: string | null
  /** validly signed answers in the minute that began at answers_since */
  answers: number
  answers_since: number

  device_name: string | null
  device_platform: string | null
  device_app: string | null
  device_persisted: number | null
  created_at: number
  activated_at: number | null
  ended_at: number | null
  ended_reason: string | null
}

/** An activation that has begun: at most 5 a token, 10 minutes each. */
interface ActivationsTable {
  aid_hash: string
  organization_id: string
  tid: string
  nonce_hash: string
  created_at: number
  expires_at: number
}

interface SessionsTable {
  organization_id: string
  sid: string
  domain_id: string
  user_id: string
  /** null where no token takes part */
  tid: string | null
  /** push | bypasscode | otp */
  method: string
  /** pending | approved | denied | cancelled | expired */
  state: string
  reason: string
  /** the exact bytes that were signed, base64url */
  challenge: string | null
  challenge_hash: string | null
  number_mac: string | null
  /** wrong numbers in this session */
  number_failures: number
  /** validly signed answers in this session */
  answers: number
  verdict_mac: string | null
  /** the approving message and the key it verifies under */
  evidence_cipher: string | null
  created_at: number
  expires_at: number
  approved_at: number | null
  ended_at: number | null
}

/** What a signed message was answered with, so that its retry is judged once and gets the same reply. */
interface RepliesTable {
  organization_id: string
  tid: string
  jti: string
  /** the session of an answer, '' for the token's own operations */
  sid: string
  payload_hash: string
  status: number
  body: string
  created_at: number
}

/** Failed activations by typed name, known or not: the name only as a keyed hash. */
interface NameFailuresTable {
  name_hash: string
  failures: number
  since: number
}

/** What one user has used up, over all aliases, endpoints and nodes. */
interface UserLimitsTable {
  organization_id: string
  user_id: string
  /** sessions */
  kind: string
  used: number
  since: number
}

/** A code that stands in for the phone a given number of times. Those that have ended stay for a while. */
interface BypassCodesTable {
  organization_id: string
  id: string
  user_id: string
  code_cipher: string
  uses_allowed: number
  uses_remaining: number
  /** null for never */
  expires_at: number | null
  /** when it ended or will: by its last use, else as it expires */
  ends_at: number | null
  created_at: number
}

/** A device that shows one-time passwords (OATH TOTP, RFC 6238). */
interface HardwareTokensTable {
  organization_id: string
  id: string
  alias: string
  serial_number: string
  /** TOTP6 | TOTP8 */
  type: string
  /** seconds: 30 | 60 */
  time_step: number
  /** the seed in base64 */
  seed_cipher: string
  /** whose it is; one a user */
  user_id: string | null
  /** the last time step that was accepted, -1 before the first: it and all before are refused for ever */
  last_step: number
  /** steps that the device's clock was ahead of ours when last seen */
  drift: number
  /** never | synchronized | outOfSync */
  sync_state: string
  /** a step far from the present whose password was shown: the next one resynchronizes */
  resync_step: number | null
  created_at: number
}

/** Wrong codes in a row of one user, or of a hardware token that is nobody's. */
interface CodeFailuresTable {
  organization_id: string
  owner_id: string
  bypass_codes: number
  otps: number
  /** until then every code is denied */
  locked_until: number
}

interface DomainImagesTable {
  organization_id: string
  domain_id: string
  /** base64 */
  png: string
  /** SHA-256 of the bytes */
  hash: string
  updated_at: number
}

interface AdministratorsTable {
  organization_id: string
  id: string
  email: string
  /** unique in the organization */
  email_key: string
  name: string
  /** owner | admin | helpdesk | auditor */
  role: string
  disabled: number
  /** SHA-256 of the one-time secret of a sign-in link */
  sign_in_hash: string | null
  sign_in_expires_at: number | null
  created_at: number
  last_sign_in_at: number | null
}

interface AdministratorSessionsTable {
  /** SHA-256 of the cookie */
  hash: string
  organization_id: string
  administrator_id: string
  created_at: number
  /** to the minute */
  seen_at: number
  expires_at: number
}

interface AuditHeadsTable {
  organization_id: string
  chain: number
  seq: number
  hash: string
}

interface AuditEventsTable {
  organization_id: string
  chain: number
  seq: number
  at: number
  event: string
  /** api-key | administrator | operator | device | server */
  actor_kind: string
  actor_id: string
  domain_id: string | null
  user_id: string | null
  tid: string | null
  sid: string | null
  /** JSON object */
  data: string
  /** HMAC over the previous hash and this row */
  hash: string
}
