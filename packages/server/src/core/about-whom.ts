import type { App } from '../app.ts'
import type { Actor } from './actors.ts'
import { available } from './transactions.ts'

/** The domain and the user that a row is about, by their names: null for one that is deleted. */
export interface AboutWhom {
  domain: { id: string; name: string | null }
  user: { id: string; username: string | null }
}

type Row = { domain_id: string; user_id: string }

/** Looks the names up for all rows of a list, with one statement each; what it returns tells those of one row. */
export async function aboutWhom(app: App, actor: Actor, rows: Row[]): Promise<(row: Row) => AboutWhom> {
  if (rows.length === 0) return withNames(new Map(), new Map())
  const { organizationId } = actor
  const userIds = [...new Set(rows.map((row) => row.user_id))]
  const domainIds = [...new Set(rows.map((row) => row.domain_id))]
  const keys = domainIds.map((domain_id) => ({ organization_id: organizationId, domain_id }))
  const [domains, users] = await available(app, () =>
    Promise.all([app.storage.domains.findMany(keys), app.storage.users.findMany(organizationId, userIds)]),
  )
  return withNames(
    new Map(domains.map((domain) => [domain.id, domain.name])),
    new Map(users.map((user) => [user.id, user.username])),
  )
}

function withNames(names: Map<string, string>, usernames: Map<string, string>): (row: Row) => AboutWhom {
  return ({ domain_id, user_id }) => ({
    domain: { id: domain_id, name: names.get(domain_id) ?? null },
    user: { id: user_id, username: usernames.get(user_id) ?? null },
  })
}
