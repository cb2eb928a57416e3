import type { Dialect } from '../statement.ts'

/** Bypass codes, hardware tokens, what the management API keeps, and the indexes that its lists walk. */
export const codesAndManagement = {
  name: '0002-codes-and-management',
  statements(dialect: Dialect): string[] {
    // Bytes decide order and equality, whatever the database's locale is. SQLite compares bytes by itself.
    const text = dialect === 'postgres' ? 'text collate "C"' : 'text'
    return [...tables, ...columns, ...indexes].map((statement) => statement.replace(/\btext\b/g, text))
  },
}

const tables = [
  `create table bypass_codes (
    organization_id text not null, id text not null, user_id text not null, code_cipher text not null,
    uses_allowed bigint not null, uses_remaining bigint not null, expires_at bigint, ends_at bigint,
    created_at bigint not null,
    primary key (organization_id, id))`,
  `create index bypass_codes_user on bypass_codes (organization_id, user_id, created_at, id)`,
  `create index bypass_codes_ended on bypass_codes (ends_at) where ends_at is not null`,

  `create table hardware_tokens (
    organization_id text not null, id text not null, alias text not null, serial_number text not null,
    type text not null, time_step bigint not null, seed_cipher text not null, user_id text,
    last_step bigint not null, drift bigint not null, sync_state text not null, resync_step bigint,
    created_at bigint not null,
    primary key (organization_id, id))`,
  `create unique index hardware_tokens_serial on hardware_tokens (organization_id, serial_number)`,
  `create index hardware_tokens_assigned on hardware_tokens (organization_id, serial_number) where user_id is not null`,
  `create index hardware_tokens_free on hardware_tokens (organization_id, serial_number) where user_id is null`,
  // After the two above: of equals PostgreSQL takes the newest where it knows nothing of the rows.
  `create unique index hardware_tokens_user on hardware_tokens (organization_id, user_id) where user_id is not null`,
  `create index hardware_tokens_order on hardware_tokens (organization_id, created_at, id)`,

  `create table code_failures (
    organization_id text not null, owner_id text not null, bypass_codes bigint not null, otps bigint not null,
    locked_until bigint not null,
    primary key (organization_id, owner_id))`,

  `create table domain_images (
    organization_id text not null, domain_id text not null, png text not null, hash text not null,
    updated_at bigint not null,
    primary key (organization_id, domain_id))`,

  `create table administrators (
    organization_id text not null, id text not null, email text not null, email_key text not null, name text not null,
    role text not null, disabled bigint not null, sign_in_hash text, sign_in_expires_at bigint,
    created_at bigint not null, last_sign_in_at bigint,
    primary key (organization_id, id))`,
  `create unique index administrators_email on administrators (organization_id, email_key)`,
  `create unique index administrators_sign_in on administrators (sign_in_hash) where sign_in_hash is not null`,

  `create table administrator_sessions (
    hash text primary key, organization_id text not null, administrator_id text not null, created_at bigint not null,
    seen_at bigint not null, expires_at bigint not null)`,
  `create index administrator_sessions_owner on administrator_sessions (organization_id, administrator_id)`,
  `create index administrator_sessions_lapsing on administrator_sessions (expires_at)`,
  `create index administrator_sessions_idle on administrator_sessions (seen_at)`,
]

const columns = [
  `alter table organizations add column settings text not null default '{}'`,
  `alter table api_keys add column domain_ids text`,
  `alter table api_keys add column last_used_at bigint`,
  `alter table domains add column bypass_counts_as_unlock bigint not null default 0`,
  `alter table domains add column allowed_networks text not null default '[]'`,
  `alter table domains add column activation_code_minutes bigint`,
  `alter table domains add column platform_unlock_enabled bigint not null default 0`,
  `alter table members add column username_key text not null default ''`,
  `update members set username_key = (select users.username_key from users
    where users.organization_id = members.organization_id and users.id = members.user_id)`,
]

const indexes = [
  `create index user_limits_old on user_limits (since)`,
  `create index replies_changes on replies (created_at) where sid = ''`,
  `create index api_keys_order on api_keys (organization_id, created_at, id)`,
  `create index members_name on members (organization_id, domain_id, username_key)`,
  `create index domains_order on domains (organization_id, created_at, id)`,
  `create index tokens_order on tokens (organization_id, created_at, tid)`,
  `create index tokens_domain on tokens (organization_id, domain_id, created_at, tid)`,
  `create index tokens_state on tokens (organization_id, state, created_at, tid)`,
  `create index tokens_domain_state on tokens (organization_id, domain_id, state, created_at, tid)`,
  `create index tokens_user_order on tokens (organization_id, user_id, created_at, tid)`,
  `create index sessions_order on sessions (organization_id, created_at, sid)`,
  `create index sessions_domain on sessions (organization_id, domain_id, created_at, sid)`,
  `create index sessions_user on sessions (organization_id, user_id, created_at, sid)`,
  `create index sessions_domain_state on sessions (organization_id, domain_id, state, created_at, sid)`,
  `create index sessions_state on sessions (organization_id, state, created_at, sid)`,
  `create index audit_events_order on audit_events (organization_id, at, chain, seq)`,
  `create index audit_events_event on audit_events (organization_id, event, at, chain, seq)`,
  `create index audit_events_user on audit_events (organization_id, user_id, at, chain, seq) where user_id is not null`,
  `create index audit_events_domain on audit_events (organization_id, domain_id, at, chain, seq) where domain_id is not null`,
  `create index audit_events_actor on audit_events (organization_id, actor_id, at, chain, seq)`,
]
