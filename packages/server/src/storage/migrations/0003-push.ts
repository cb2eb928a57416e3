import type { Dialect } from '../statement.ts'

/** What Web Push keeps of a token beside its subscription: the key it was made under, how it fares, and when pushes leave. */
export const push = {
  name: '0003-push',
  statements(dialect: Dialect): string[] {
    // Bytes decide order and equality, whatever the database's locale is. SQLite compares bytes by itself.
    const text = dialect === 'postgres' ? 'text collate "C"' : 'text'
    return statements.map((statement) => statement.replace(/\btext\b/g, text))
  },
}

const statements = [
  `alter table tokens add column push_vapid_id text`,
  `alter table tokens add column push_error text`,
  `alter table tokens add column push_error_since bigint`,
  `alter table tokens add column push_at bigint not null default 0`,
  `alter table tokens add column unapproved_times text not null default ''`,
  `create index tokens_vapid on tokens (push_vapid_id) where push_vapid_id is not null`,
]
