import type { Dialect } from '../statement.ts'

/** Every table of the first version (their columns are explained in schema.ts) and the indexes that its look-ups need. */
export const firstTables = {
  name: '0001-first-tables',
  statements(dialect: Dialect): string[] {
    // Bytes decide order and equality, whatever the database's locale is. SQLite compares bytes by itself.
    const text = dialect === 'postgres' ? 'text collate "C"' : 'text'
    return tables.map((table) => table.replace(/\btext\b/g, text))
  },
}

const tables = [
  `create table settings (key text primary key, value text not null)`,

  `create table data_keys (
    id text primary key, purpose text not null, kek_id text not null, wrapped text not null, created_at bigint not null)`,
  `create unique index data_keys_root on data_keys (purpose) where purpose = 'root'`,

  `create table organizations (id text primary key, name text not null, created_at bigint not null)`,

  `create table api_keys (
    organization_id text not null, id text not null, name text not null, hash text not null, prefix text not null,
    scope text not null, created_at bigint not null, expires_at bigint, revoked_at bigint,
    primary key (organization_id, id))`,
  `create unique index api_keys_hash on api_keys (hash)`,

  `create table domains (
    organization_id text not null, id text not null, name text not null, type text not null, key_type text not null,
    max_allowed_retries bigint not null, request_timeout bigint not null, activation_code_expiration bigint not null,
    request_polling_enabled bigint not null, bypass_enabled bigint not null, otp_enabled bigint not null,
    min_length bigint not null, number_matching text not null, on_fraud text not null, policy_rev bigint not null,
    created_at bigint not null,
    primary key (organization_id, id))`,

  `create table users (
    organization_id text not null, id text not null, username text not null, username_key text not null,
    name text not null, email text not null, created_at bigint not null,
    primary key (organization_id, id))`,
  `create unique index users_username on users (organization_id, username_key)`,
  `create index users_order on users (organization_id, created_at, id)`,

  `create table members (
    organization_id text not null, domain_id text not null, user_id text not null, user_created_at bigint not null,
    primary key (organization_id, domain_id, user_id))`,
  `create index members_user on members (organization_id, user_id, domain_id)`,
  `create index members_order on members (organization_id, domain_id, user_created_at, user_id)`,

  `create table tokens (
    organization_id text not null, tid text not null, domain_id text not null, user_id text not null,
    state text not null,
    code_index text, code_cipher text, secret_index text, secret_cipher text, code_expires_at bigint,
    origin text, public_key text, thumbprint text, key_generation bigint not null,
    factor text, factor_kind text, pin_key_cipher text,
    credential_id text, credential_public_key text, credential_sign_count bigint, row_mac text,
    push_endpoint_cipher text, push_keys_cipher text, push_endpoint_hash text,
    unlock_failures bigint not null, number_failures bigint not null, unapproved_sessions bigint not null,
    throttled_until bigint not null, suspended_until bigint not null, suspended_reason text,
    answers bigint not null, answers_since bigint not null,
    device_name text, device_platform text, device_app text, device_persisted bigint,
    created_at bigint not null, activated_at bigint, ended_at bigint, ended_reason text,
    primary key (organization_id, tid))`,
  `create unique index tokens_tid on tokens (tid)`,
  `create unique index tokens_live on tokens (organization_id, domain_id, user_id) where state in ('pending', 'active')`,
  `create index tokens_user on tokens (organization_id, user_id, tid) where state in ('pending', 'active')`,
  `create unique index tokens_code on tokens (code_index) where code_index is not null`,
  `create index tokens_lapsing on tokens (code_expires_at) where state = 'pending'`,

  `create table activations (
    aid_hash text primary key, organization_id text not null, tid text not null, nonce_hash text not null,
    created_at bigint not null, expires_at bigint not null)`,
  `create index activations_token on activations (organization_id, tid, created_at)`,
  `create index activations_lapsing on activations (expires_at)`,

  `create table sessions (
    organization_id text not null, sid text not null, domain_id text not null, user_id text not null, tid text,
    method text not null, state text not null, reason text not null,
    challenge text, challenge_hash text, number_mac text, number_failures bigint not null, answers bigint not null,
    verdict_mac text, evidence_cipher text,
    created_at bigint not null, expires_at bigint not null, approved_at bigint, ended_at bigint,
    primary key (organization_id, sid))`,
  `create index sessions_open on sessions (organization_id, tid) where state in ('pending', 'approved')`,
  `create index sessions_open_user on sessions (organization_id, user_id) where state in ('pending', 'approved')`,
  `create index sessions_lapsing on sessions (expires_at) where state = 'pending'`,
  `create index sessions_spent on sessions (approved_at) where state = 'approved'`,
  `create index sessions_old on sessions (ended_at) where ended_at is not null`,

  `create table replies (
    organization_id text not null, tid text not null, jti text not null, sid text not null, payload_hash text not null,
    status bigint not null, body text not null, created_at bigint not null,
    primary key (organization_id, tid, jti))`,
  `create index replies_old on replies (created_at)`,

  `create table name_failures (name_hash text primary key, failures bigint not null, since bigint not null)`,
  `create index name_failures_old on name_failures (since)`,

  `create table user_limits (
    organization_id text not null, user_id text not null, kind text not null, used bigint not null, since bigint not null,
    primary key (organization_id, user_id, kind))`,

  `create table audit_heads (
    organization_id text not null, chain bigint not null, seq bigint not null, hash text not null,
    primary key (organization_id, chain))`,
  `create table audit_events (
    organization_id text not null, chain bigint not null, seq bigint not null, at bigint not null, event text not null,
    actor_kind text not null, actor_id text not null, domain_id text, user_id text, tid text, sid text,
    data text not null, hash text not null,
    primary key (organization_id, chain, seq))`,
]
