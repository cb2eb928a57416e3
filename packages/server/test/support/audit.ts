import type { TestServer } from './server.ts'
import { sql } from './sql.ts'

/** What the audit log of all chains says about something, such as `{ user_id }`, oldest first; of one moment in any order. */
export async function auditOf(
  server: TestServer,
  about: Record<string, string>,
): Promise<{ event: string; data: Record<string, unknown> }[]> {
  const where = Object.keys(about).map((column) => `${column} = ?`)
  const order = 'order by at, chain, seq'
  const text = `select event, data from audit_events where ${where.join(' and ')} ${order}`
  const rows = await sql(server.database, text, ...Object.values(about))
  return rows.map(({ event, data }) => ({ event: String(event), data: JSON.parse(String(data)) }))
}
