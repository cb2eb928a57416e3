import type { TestServer } from './server.ts'
import { sql } from './sql.ts'

/** How the database answers a statement, as it says itself, one line a step; its values are left open. */
export async function planOf(server: TestServer, text: string): Promise<string> {
  if (server.database.url !== 'sqlite') {
    const steps = await sql(server.database, `explain (generic_plan) ${text}`)
    return steps.map((step) => String(step['QUERY PLAN'])).join('\n')
  }
  const steps = await sql(server.database, `explain query plan ${text.replaceAll('?', 'null')}`)
  return steps.map(({ detail }) => String(detail)).join('\n')
}
