import type { TestServer } from './server.ts'
import { sql } from './sql.ts'

interface Many {
  userId?: string
  actorId?: string
  /** number of the one that is `test.rare`; the others are `test.common` */
  rare?: number
  /** characters of text in each */
  characters?: number
}

let chain = 100

/** Puts so many events into acme's log, one a millisecond until now, on a chain of their own. The oldest is number 1. */
export async function writeEvents(server: TestServer, count: number, many: Many = {}): Promise<void> {
  const { userId = null, actorId = 'somebody', rare = 0, characters = 0 } = many
  const data = JSON.stringify({ text: 'x'.repeat(characters) })
  await sql(
    server.database,
    `insert into audit_events (organization_id, chain, seq, at, event, actor_kind, actor_id, user_id, data, hash)
    with recursive numbers(n) as (select 1 union all select n + 1 from numbers where n < ?)
    select ?, ?, n, ? + n, case when n = ? then 'test.rare' else 'test.common' end, 'api-key', ?, ?, ?, 'none' from numbers`,
    count,
    server.acme.id,
    chain++,
    server.clock.now() - count,
    rare,
    actorId,
    userId,
    data,
  )
}
