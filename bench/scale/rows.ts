import type { Dialect } from '../../packages/server/src/storage/statement.ts'
import type { Seeded, Stretch } from './seeded.ts'

/** The rows of one table, made by statements of the database itself. */
export interface Filling {
  table: string
  count: number
  /** makes rows `from` to `to`, both included, of those that are numbered from 1 */
  insert(from: number, to: number): string
}

/** How a database writes numbers down, and counts. */
interface Words {
  hex(n: string, width: number): string
  decimal(n: string, width: number): string
  numbers(from: number, to: number): string
  chain: string
}

const words: Record<Dialect, Words> = {
  sqlite: {
    hex: (n, width) => `printf('%0${width}x', ${n})`,
    decimal: (n, width) => `printf('%0${width}d', ${n})`,
    numbers: (from, to) =>
      `(with recursive s(n) as (select ${from} union all select n + 1 from s where n < ${to}) select n from s) s`,
    chain: '0',
  },
  postgres: {
    hex: (n, width) => `lpad(to_hex((${n})::bigint), ${width}, '0')`,
    decimal: (n, width) => `lpad((${n})::text, ${width}, '0')`,
    numbers: (from, to) => `generate_series(${from}::bigint, ${to}::bigint) as s(n)`,
    chain: 'n % 64',
  },
}

// Rows as long as real ones; what only a key could make is filler.
const mac = `'hl0gkR5sBu6zXW4cPZzqvVtS1FpxDgM2nCUJd5eIyfE'`
const jwk = `'{"kty":"EC","crv":"P-256","x":"${'x'.repeat(43)}","y":"${'y'.repeat(43)}"}'`

/** All big tables, in the order in which they are filled. Ids and names are those of seeded.ts. */
export function fillings(dialect: Dialect, seeded: Seeded): Filling[] {
  const { users, audit } = seeded.sizes
  const { hex, numbers } = words[dialect]
  const organization = `'${seeded.organizationId}'`
  const idOf = (n: string) => `${hex(`((${n}) * 2654435761) % 4294967296`, 8)} || ${hex(n, 32)}`
  const values = (columns: Record<string, string>, where = 'true') => {
    return (table: string) => (from: number, to: number) =>
      `insert into ${table} (organization_id, ${Object.keys(columns).join(', ')})
       select ${organization}, ${Object.values(columns).join(', ')} from ${numbers(from, to)} where ${where}`
  }
  const context = { dialect, seeded, idOf }
  const tables: [string, number, ReturnType<typeof values>][] = [
    ['users', users, values(userColumns(context))],
    ['members', users, values(memberColumns(context, `'${seeded.domainIds[0]}'`))],
    ['members', users, values(memberColumns(context, domainOf(seeded)), 'n % 10 >= 6')],
    ['tokens', users, values(tokenColumns(context))],
    ['sessions', users, values(sessionColumns(context))],
    // One user of twenty, and none of those whose codes lists.ts makes and reads: these do not decrypt.
    ['bypass_codes', users, values(bypassColumns(context), 'n % 20 = 3')],
    ['hardware_tokens', Math.ceil(users / 100), values(hardwareColumns(context))],
    ['audit_events', audit, values(auditColumns(context))],
  ]
  return tables.map(([table, count, insert]) => ({ table, count, insert: insert(table) }))
}

/** Where the chains end after that, so that the server can go on writing. */
export function headsOf(dialect: Dialect, { organizationId, sizes }: Seeded): string {
  const numbers = dialect === 'sqlite' ? words.sqlite.numbers(0, 0) : words.postgres.numbers(0, 63)
  return `insert into audit_heads (organization_id, chain, seq, hash)
    select '${organizationId}', n, ${seqOf(String(sizes.audit))} + 1, ${mac} from ${numbers} where true
    on conflict (organization_id, chain) do update set seq = excluded.seq, hash = excluded.hash`
}

interface Context {
  dialect: Dialect
  seeded: Seeded
  idOf(n: string): string
}

function userColumns({ dialect, seeded, idOf }: Context) {
  const name = nameOf(dialect)
  return {
    ...{ id: idOf('n'), username: name, username_key: name, name: `'The user number ' || n` },
    ...{ email: `${name} || '@example.org'`, created_at: timeOf(seeded.users) },
  }
}

function memberColumns({ dialect, seeded, idOf }: Context, domain: string) {
  return {
    ...{ domain_id: domain, user_id: idOf('n') },
    ...{ user_created_at: timeOf(seeded.users), username_key: nameOf(dialect) },
  }
}

function tokenColumns({ seeded, idOf }: Context) {
  const at = timeOf(seeded.users)
  return {
    ...{ tid: idOf('n'), domain_id: domainOf(seeded), user_id: idOf('n'), state: `'active'` },
    ...{ origin: `'https://mfa.example.org'`, public_key: jwk, thumbprint: mac, key_generation: '1', row_mac: mac },
    ...{ factor: `'pin'`, factor_kind: `'pin'`, pin_key_cipher: mac },
    ...{ unlock_failures: '0', number_failures: '0', unapproved_sessions: '0', throttled_until: '0' },
    ...{ suspended_until: '0', answers: '0', answers_since: '0' },
    ...{ device_name: `'Phone ' || n`, device_platform: `'Android'`, device_app: `'countersign/1.0'` },
    ...{ created_at: at, activated_at: `${at} + 60000` },
  }
}

// The oldest were cancelled, one of twenty was denied, the newest are open (for a day, so that no sweeper ends them
// meanwhile), and all others were approved and used: that is what is most expensive to look for the rare ones among.
function sessionColumns({ seeded, idOf }: Context) {
  const { users } = seeded.sizes
  const at = timeOf(seeded.sessions)
  const open = Math.min(500, users / 10)
  const state = `case when n > ${users - open} then 'pending' when n > ${users - 2 * open} then 'approved'
    when n <= 100 then 'cancelled' when n % 20 = 3 then 'denied' else 'expired' end`
  const isOpen = `n > ${users - 2 * open}`
  return {
    ...{ sid: idOf('n'), domain_id: domainOf(seeded), user_id: idOf('n'), tid: idOf('n'), method: `'push'`, state },
    ...{ reason: `case when ${isOpen} then '' else 'approval_expired' end`, challenge_hash: mac, verdict_mac: mac },
    ...{ number_failures: '0', answers: '1', evidence_cipher: `'${'e'.repeat(300)}'` },
    ...{ created_at: at, expires_at: `${at} + 86400000` },
    ...{
      approved_at: `case when n <= ${users - open} then ${at} + case when ${isOpen} then 86400000 else 9000 end end`,
    },
    ended_at: `case when not (${isOpen}) then ${at} + 609000 end`,
  }
}

function bypassColumns({ seeded, idOf }: Context) {
  return {
    ...{ id: idOf('n'), user_id: idOf('n'), code_cipher: mac },
    ...{ uses_allowed: '1', uses_remaining: '1', created_at: timeOf(seeded.users) },
  }
}

function hardwareColumns({ dialect, seeded, idOf }: Context) {
  return {
    ...{ id: idOf('n'), alias: `'HW-' || n`, serial_number: `'S-' || ${words[dialect].decimal('n', 8)}` },
    ...{ type: `'TOTP6'`, time_step: '30', seed_cipher: mac },
    ...{ user_id: `case when n % 2 = 0 then ${idOf('n')} end` },
    ...{ last_step: '-1', drift: '0', sync_state: `'never'`, created_at: timeOf(seeded.users) },
  }
}

function auditColumns({ dialect, seeded, idOf }: Context) {
  const user = idOf(`1 + n % ${seeded.sizes.users}`)
  return {
    ...{ chain: words[dialect].chain, seq: seqOf('n'), at: timeOf(seeded.audit) },
    event: `case when n % 100000 = 7 then 'token.tampered' when n % 2 = 0 then 'session.created' else 'session.approved' end`,
    actor_kind: `case when n % 2 = 0 then 'api-key' else 'device' end`,
    actor_id: `case when n % 2 = 0 then 'the application' else ${user} end`,
    ...{ domain_id: domainOf(seeded), user_id: user, tid: user, sid: idOf('n') },
    ...{ data: `'{"method":"push","ipAddress":"203.0.113.17"}'`, hash: mac },
  }
}

function nameOf(dialect: Dialect): string {
  return `'user' || ${words[dialect].decimal('n', 8)}`
}

function timeOf({ beganAt, stepMs }: Stretch): string {
  return `${beganAt} + n * ${stepMs}`
}

/** Six of ten are in the first. */
function domainOf({ domainIds }: Seeded): string {
  const [first, ...others] = domainIds
  return `case n % 10 ${others.map((id, index) => `when ${index + 6} then '${id}'`).join(' ')} else '${first}' end`
}

// After whatever the creation of the organization has written.
function seqOf(n: string): string {
  return `1000 + ${n}`
}
