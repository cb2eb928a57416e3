import { sql } from 'kysely'
import type { Schema } from './schema.ts'
import { query, type Run, statement } from './statement.ts'
import { listTokens } from './token-lists.ts'

export type TokenRow = Schema['tokens']

type Key = { organizationId: string; tid: string }
type Owner = { organizationId: string; domainId: string; userId: string }

/** What a token is created with. */
export type NewToken = Pick<
  TokenRow,
  | 'organization_id'
  | 'tid'
  | 'domain_id'
  | 'user_id'
  | 'code_index'
  | 'code_cipher'
  | 'secret_index'
  | 'secret_cipher'
  | 'code_expires_at'
  | 'created_at'
>

/** What a token is unlocked by. */
export type TokenFactor = Pick<
  TokenRow,
  'factor' | 'factor_kind' | 'pin_key_cipher' | 'credential_id' | 'credential_public_key' | 'credential_sign_count'
>

/** What activation adds. */
export type ActivatedToken = TokenFactor &
  Pick<
    TokenRow,
    | 'origin'
    | 'public_key'
    | 'thumbprint'
    | 'row_mac'
    | 'device_name'
    | 'device_platform'
    | 'device_app'
    | 'device_persisted'
    | 'activated_at'
    | 'push_endpoint_cipher'
    | 'push_keys_cipher'
    | 'push_endpoint_hash'
    | 'push_vapid_id'
  >

export type TokenCounters = Pick<
  TokenRow,
  | 'unlock_failures'
  | 'number_failures'
  | 'unapproved_sessions'
  | 'unapproved_times'
  | 'push_at'
  | 'throttled_until'
  | 'suspended_until'
  | 'suspended_reason'
  | 'answers'
  | 'answers_since'
  | 'credential_sign_count'
>

export type ChangedKey = Pick<TokenRow, 'public_key' | 'thumbprint' | 'key_generation' | 'row_mac'>
export type ChangedFactor = TokenFactor & Pick<TokenRow, 'row_mac'>

/** A pending token with what `begin` needs of its domain and user. */
export type PendingToken = Pick<TokenRow, 'organization_id' | 'tid' | 'code_expires_at' | 'secret_index'> & {
  domain_id: string
  user_id: string
  username: string
  username_key: string
  email: string
}

// A row that is no longer live keeps who and when, and nothing that is secret or personal to the device.
const erased = {
  code_index: null,
  code_cipher: null,
  secret_index: null,
  secret_cipher: null,
  code_expires_at: null,
  public_key: null,
  pin_key_cipher: null,
  credential_id: null,
  credential_public_key: null,
  credential_sign_count: null,
  row_mac: null,
  push_endpoint_cipher: null,
  push_keys_cipher: null,
  push_endpoint_hash: null,
  push_vapid_id: null,
  push_error: null,
  push_error_since: null,
  origin: null,
  thumbprint: null,
  factor: null,
  factor_kind: null,
  device_name: null,
  device_platform: null,
  device_app: null,
  device_persisted: null,
}

// Partial indexes are found by literals only: a bound parameter could be any state.
const [pending, active] = [sql.lit('pending'), sql.lit('active')]
const live = [pending, active]
// As an expression: for the column itself both engines would walk the index of all tids, in that order, to find some few.
const byTidOfFew = sql`tid || ''`

const findLive = statement<Owner>()((db, value) =>
  db
    .selectFrom('tokens')
    .selectAll()
    .where('organization_id', '=', value('organizationId'))
    .where('domain_id', '=', value('domainId'))
    .where('user_id', '=', value('userId'))
    .where('state', 'in', live),
)

const lockLive = statement<Owner>()((db, value, lock) =>
  lock(
    db
      .selectFrom('tokens')
      .selectAll()
      .where('organization_id', '=', value('organizationId'))
      .where('domain_id', '=', value('domainId'))
      .where('user_id', '=', value('userId'))
      .where('state', 'in', live),
  ),
)

const findByTid = statement<{ tid: string }>()((db, value) =>
  db.selectFrom('tokens').selectAll().where('tid', '=', value('tid')),
)

const lock = statement<Key>()((db, value, lock) =>
  lock(
    db
      .selectFrom('tokens')
      .selectAll()
      .where('organization_id', '=', value('organizationId'))
      .where('tid', '=', value('tid')),
  ),
)

const findByCode = statement<{ codeIndex: string }>()((db, value) =>
  db
    .selectFrom('tokens')
    .innerJoin('users', (join) =>
      join.onRef('users.organization_id', '=', 'tokens.organization_id').onRef('users.id', '=', 'tokens.user_id'),
    )
    .select(['tokens.organization_id', 'tokens.tid', 'tokens.code_expires_at', 'tokens.secret_index'])
    .select(['tokens.domain_id', 'tokens.user_id', 'users.username', 'users.username_key', 'users.email'])
    .where('tokens.code_index', '=', value('codeIndex'))
    .where('tokens.state', '=', pending),
)

const insert = statement<NewToken>()(
  (db, value) =>
    db.insertInto('tokens').values({
      organization_id: value('organization_id'),
      tid: value('tid'),
      domain_id: value('domain_id'),
      user_id: value('user_id'),
      state: 'pending',
      code_index: value('code_index'),
      code_cipher: value('code_cipher'),
      secret_index: value('secret_index'),
      secret_cipher: value('secret_cipher'),
      code_expires_at: value('code_expires_at'),
      created_at: value('created_at'),
      key_generation: 0,
      unlock_failures: 0,
      number_failures: 0,
      unapproved_sessions: 0,
      unapproved_times: '',
      push_at: 0,
      throttled_until: 0,
      suspended_until: 0,
      answers: 0,
      answers_since: 0,
    } as never), // the columns left out are nullable
)

const activate = statement<Key & ActivatedToken & { now: number }>()((db, value) =>
  db
    .updateTable('tokens')
    .set({
      ...erased,
      state: 'active',
      origin: value('origin'),
      public_key: value('public_key'),
      thumbprint: value('thumbprint'),
      factor: value('factor'),
      factor_kind: value('factor_kind'),
      pin_key_cipher: value('pin_key_cipher'),
      credential_id: value('credential_id'),
      credential_public_key: value('credential_public_key'),
      credential_sign_count: value('credential_sign_count'),
      row_mac: value('row_mac'),
      device_name: value('device_name'),
      device_platform: value('device_platform'),
      device_app: value('device_app'),
      device_persisted: value('device_persisted'),
      activated_at: value('activated_at'),
      push_endpoint_cipher: value('push_endpoint_cipher'),
      push_keys_cipher: value('push_keys_cipher'),
      push_endpoint_hash: value('push_endpoint_hash'),
      push_vapid_id: value('push_vapid_id'),
    })
    .where('organization_id', '=', value('organizationId'))
    .where('tid', '=', value('tid'))
    .where('state', '=', pending)
    .where('code_expires_at', '>', value('now'))
    .returning('tid'),
)

const updateCounters = statement<Key & TokenCounters>()((db, value) =>
  db
    .updateTable('tokens')
    .set({
      unlock_failures: value('unlock_failures'),
      number_failures: value('number_failures'),
      unapproved_sessions: value('unapproved_sessions'),
      unapproved_times: value('unapproved_times'),
      push_at: value('push_at'),
      throttled_until: value('throttled_until'),
      suspended_until: value('suspended_until'),
      suspended_reason: value('suspended_reason'),
      answers: value('answers'),
      answers_since: value('answers_since'),
      credential_sign_count: value('credential_sign_count'),
    })
    .where('organization_id', '=', value('organizationId'))
    .where('tid', '=', value('tid'))
    .where('state', '=', active),
)

const expireLapsed = statement<Owner & { now: number }>()((db, value) =>
  db
    .updateTable('tokens')
    .set({ ...erased, state: 'expired', ended_at: value('now'), ended_reason: 'code_expired' })
    .where('organization_id', '=', value('organizationId'))
    .where('domain_id', '=', value('domainId'))
    .where('user_id', '=', value('userId'))
    .where('state', 'in', live)
    .where('state', '=', pending)
    .where('code_expires_at', '<=', value('now'))
    .returning('tid'),
)

const changeKey = statement<Key & ChangedKey>()((db, value) =>
  db
    .updateTable('tokens')
    .set({
      public_key: value('public_key'),
      thumbprint: value('thumbprint'),
      key_generation: value('key_generation'),
      row_mac: value('row_mac'),
    })
    .where('organization_id', '=', value('organizationId'))
    .where('tid', '=', value('tid'))
    .where('state', '=', active),
)

const changeFactor = statement<Key & ChangedFactor>()((db, value) =>
  db
    .updateTable('tokens')
    .set({
      factor: value('factor'),
      factor_kind: value('factor_kind'),
      pin_key_cipher: value('pin_key_cipher'),
      credential_id: value('credential_id'),
      credential_public_key: value('credential_public_key'),
      credential_sign_count: value('credential_sign_count'),
      row_mac: value('row_mac'),
    })
    .where('organization_id', '=', value('organizationId'))
    .where('tid', '=', value('tid'))
    .where('state', '=', active),
)

const countOtherOrigins = statement<{ origin: string }>()((db, value) =>
  db
    .selectFrom('tokens')
    .select([sql<number>`count(*)`.as('phones'), sql<number>`count(credential_id)`.as('platform')])
    .where('state', '=', active)
    .where('origin', '<>', value('origin')),
)

/** Tokens. Every change is conditional on the state it starts from. */
export const tokens = (run: Run) => ({
  /** The pending or active token of a member. */
  findLive: async (organizationId: string, domainId: string, userId: string): Promise<TokenRow | undefined> =>
    (await run(findLive({ organizationId, domainId, userId })))[0],

  lockLive: async (organizationId: string, domainId: string, userId: string): Promise<TokenRow | undefined> =>
    (await run(lockLive({ organizationId, domainId, userId })))[0],

  lock: async (organizationId: string, tid: string): Promise<TokenRow | undefined> =>
    (await run(lock({ organizationId, tid })))[0],

  /** A device names its token alone; the row says whose it is. */
  findByTid: async (tid: string): Promise<TokenRow | undefined> => (await run(findByTid({ tid })))[0],

  findManyByTid: (tids: string[]): Promise<TokenRow[]> =>
    run(query((db) => db.selectFrom('tokens').selectAll().where('tid', 'in', tids))),

  /** Whoever types a code does not say whose it is either. */
  findByCode: async (codeIndex: string): Promise<PendingToken | undefined> => (await run(findByCode({ codeIndex })))[0],

  list: listTokens(run),

  /** Throws when the member has a live token already. */
  insert: (row: NewToken) => run(insert(row)),

  /** Consumes the code: false when the token is no longer pending or its code has lapsed. */
  activate: async (organizationId: string, tid: string, now: number, values: ActivatedToken): Promise<boolean> =>
    (await run(activate({ organizationId, tid, now, ...values }))).length === 1,

  updateCounters: (organizationId: string, tid: string, counters: TokenCounters) =>
    run(updateCounters({ organizationId, tid, ...pickCounters(counters) })),

  changeKey: (organizationId: string, tid: string, values: ChangedKey) =>
    run(changeKey({ organizationId, tid, ...values })),

  changeFactor: (organizationId: string, tid: string, values: ChangedFactor) =>
    run(changeFactor({ organizationId, tid, ...values })),

  /** Ends a member's pending token whose code has lapsed. */
  expireLapsed: async (organizationId: string, domainId: string, userId: string, now: number): Promise<string[]> =>
    (await run(expireLapsed({ organizationId, domainId, userId, now }))).map((row) => row.tid),

  /** Locks the live tokens of these members in order of tid, so that two bulk revocations cannot deadlock. */
  lockLiveOf: (organizationId: string, where: { domainId?: string; userIds: string[] }) =>
    run(
      query((db, lock) => {
        const rows = db
          .selectFrom('tokens')
          .select(['tid', 'domain_id', 'user_id', 'state'])
          .where('organization_id', '=', organizationId)
          .where('user_id', 'in', where.userIds)
          .where('state', 'in', live)
          .orderBy('tid')
        return lock(where.domainId === undefined ? rows : rows.where('domain_id', '=', where.domainId))
      }),
    ),

  /** Ends live tokens for good and erases their keys and codes. */
  revoke: async (organizationId: string, tids: string[], reason: string, now: number): Promise<void> => {
    await run(
      query((db) =>
        db
          .updateTable('tokens')
          .set({ ...erased, state: 'revoked', ended_at: now, ended_reason: reason })
          .where('organization_id', '=', organizationId)
          .where('tid', 'in', tids)
          .where('state', 'in', live),
      ),
    )
  },

  /** For the sweeper, over all organizations: locks pending tokens whose code has lapsed, but for those that others hold. */
  lockLapsed: (now: number, limit: number) =>
    run(
      query((db, lock) =>
        lock(
          db
            .selectFrom('tokens')
            .select(['organization_id', 'domain_id', 'user_id'])
            .where('state', '=', pending)
            .where('code_expires_at', '<=', now)
            .orderBy(byTidOfFew)
            .limit(limit),
          'skip locked',
        ),
      ),
    ),

  /** For the start of the server: phones that are bound to another device origin, and those of them with a credential for it. */
  countOtherOrigins: async (origin: string): Promise<{ phones: number; platform: number }> =>
    (await run(countOtherOrigins({ origin })))[0] ?? { phones: 0, platform: 0 },
})

/** The counters of a row, and nothing else of it. */
function pickCounters(row: TokenCounters): TokenCounters {
  const { unlock_failures, number_failures, unapproved_sessions, unapproved_times, push_at, throttled_until } = row
  const { suspended_until, suspended_reason, answers, answers_since, credential_sign_count } = row
  return {
    unlock_failures,
    number_failures,
    unapproved_sessions,
    unapproved_times,
    push_at,
    throttled_until,
    suspended_until,
    suspended_reason,
    answers,
    answers_since,
    credential_sign_count,
  }
}
