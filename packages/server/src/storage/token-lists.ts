import { sql } from 'kysely'
import { isBefore, type Page } from './pages.ts'
import { query, type Run } from './statement.ts'
import type { TokenRow } from './tokens.ts'

// No key, no code, no subscription: what a list does not read it cannot show.
const columns = [
  ...(['tid', 'domain_id', 'user_id', 'state', 'code_expires_at', 'factor', 'factor_kind'] as const),
  ...(['push_endpoint_hash', 'push_vapid_id', 'push_error', 'push_error_since'] as const),
  ...(['throttled_until', 'suspended_until', 'suspended_reason', 'answers_since'] as const),
  ...(['device_name', 'device_platform', 'device_app', 'device_persisted'] as const),
  ...(['created_at', 'activated_at', 'ended_at', 'ended_reason'] as const),
] as const

/** What is not secret of a token. */
export type TokenSummaryRow = Pick<TokenRow, (typeof columns)[number]>

/** Which tokens are asked for; what is absent does not matter. */
export interface TokenFilter {
  domainId?: string
  userId?: string
  state?: string
}

/** A part of the organization's tokens, the newest first; of the pending ones those whose code still works. */
export function listTokens(run: Run) {
  return (organizationId: string, filter: TokenFilter & { now: number }, page: Page<[number, string]>) => {
    const before = page.after === undefined ? [] : [isBefore(['created_at', 'tid'], page.after)]
    const all = [sql`organization_id = ${organizationId}`, ...conditionsOf(filter), ...before]
    return run(
      query((db) =>
        db
          .selectFrom('tokens')
          .select(columns)
          .where(sql<boolean>`${sql.join(all, sql` and `)}`)
          .orderBy('created_at', 'desc')
          .orderBy('tid', 'desc')
          .limit(page.limit),
      ),
    )
  }
}

// A user has few tokens: where one is named the other columns are expressions, so that no index of theirs is taken instead.
function conditionsOf({ domainId, userId, state, now }: TokenFilter & { now: number }) {
  const column = (name: string) => (userId === undefined ? sql.ref(name) : sql`${sql.ref(name)} || ''`)
  return [
    ...(userId === undefined ? [] : [sql`${sql.ref('user_id')} = ${userId}`]),
    ...(domainId === undefined ? [] : [sql`${column('domain_id')} = ${domainId}`]),
    ...(state === undefined ? [] : [sql`${column('state')} = ${state}`]),
    ...(state === 'pending' ? [sql`code_expires_at > ${now}`] : []),
  ]
}
