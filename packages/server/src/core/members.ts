import type { User } from '@countersign/protocol/resources.ts'
import type { App } from '../app.ts'
import type { MemberRow } from '../storage/members.ts'
import type { UserRow } from '../storage/users.ts'
import { type Actor, domainsOf, requirePermission } from './actors.ts'
import { findDomain, noSuchDomain } from './domains.ts'
import { noSuchUser } from './errors.ts'
import { pageSize } from './lists.ts'
import { revokeTokensOf } from './revocation.ts'
import { available, refuse, transact, type Unit } from './transactions.ts'
import { type NewUser, newUserRow, userOf, usersById, usersOf } from './users.ts'

/** One page of a domain's members, in the order of their users' creation. */
export async function listMembers(
  app: App,
  actor: Actor,
  input: { domainId: string; page: number },
): Promise<{ users: User[]; more: boolean }> {
  requirePermission(actor, 'users:read', input.domainId)
  const domain = await findDomain(app, actor, input.domainId)
  const page = { limit: pageSize + 1, offset: (input.page - 1) * pageSize }
  const ids = await available(app, () => app.storage.members.pageOfIds(actor.organizationId, domain.id, page))
  return {
    users: await usersOf(app, actor, await usersById(app, actor, ids.slice(0, pageSize))),
    more: ids.length > pageSize,
  }
}

export async function getMember(app: App, actor: Actor, input: { domainId: string; userId: string }): Promise<User> {
  requirePermission(actor, 'users:read', input.domainId)
  const { user } = await findMember(app, actor, input)
  return userOf(app, actor, user)
}

/** Adds a user to a domain; adding a member again changes nothing. */
export async function addMember(app: App, actor: Actor, input: { domainId: string; userId: string }): Promise<void> {
  requirePermission(actor, 'members:write', input.domainId)
  const { organizationId } = actor
  const domain = await findDomain(app, actor, input.domainId)
  await transact(app, async ({ tx, audit }) => {
    // It may have been deleted meanwhile, and nothing may stay behind in it.
    if (!(await tx.domains.share(organizationId, domain.id))) return refuse(noSuchDomain())
    const user = await tx.users.lock(organizationId, input.userId)
    if (!user) return refuse(noSuchUser())
    const added = await tx.members.insert(organizationId, [memberRow(domain.id, user)])
    if (added.length > 0) audit({ organizationId, event: 'member.added', actor, domainId: domain.id, userId: user.id })
  })
}

/** Takes a user out of a domain: the token is revoked, a pending code annulled. */
export async function removeMember(app: App, actor: Actor, input: { domainId: string; userId: string }): Promise<void> {
  requirePermission(actor, 'members:write', input.domainId)
  const { organizationId } = actor
  const { domainId, userId } = input
  await findDomain(app, actor, domainId)
  await transact(app, async (unit) => {
    const [removed] = await unit.tx.members.delete(organizationId, domainId, [userId])
    if (removed === undefined) return refuse(noSuchUser())
    await revokeTokensOf(app, unit, actor, { userIds: [userId], domainId, reason: 'member_removed' })
    unit.audit({ organizationId, event: 'member.removed', actor, domainId, userId })
  })
}

const chunkSize = 500

/**
 * Makes the list the domain's members, all or nothing: missing users are created, a name or an address that is given is
 * taken over, members who are not on it are removed and their tokens revoked. Doing it again changes nothing.
 */
export async function replaceMembers(
  app: App,
  actor: Actor,
  input: { domainId: string; members: NewUser[] },
): Promise<void> {
  requirePermission(actor, 'members:write', input.domainId)
  const { organizationId } = actor
  const domain = await findDomain(app, actor, input.domainId)
  const wanted = await readList(app, organizationId, input.members)
  await transact(app, async (unit) => {
    // Of two lists at once the later is the one that holds, and not what both make together.
    if (!(await unit.tx.domains.lock(organizationId, domain.id))) return refuse(noSuchDomain())
    const counts = { created: 0, added: 0, removed: 0, listed: wanted.size }
    const listed = new Set<string>()
    for (const chunk of chunks([...wanted.values()])) {
      await app.storage.breathe()
      const users = await ensureUsers(unit, actor, chunk, counts)
      const rows = users.map((user) => memberRow(domain.id, user))
      counts.added += (await unit.tx.members.insert(organizationId, rows)).length
      for (const user of users) listed.add(user.id)
    }
    counts.removed = await removeOthers(app, unit, actor, { domainId: domain.id, listed })
    unit.audit({ organizationId, event: 'members.replaced', actor, domainId: domain.id, data: counts })
  })
}

/** The user with that id if a member of the domain, and the domain: 404 in the order domain, user. */
export async function findMember(app: App, actor: Actor, input: { domainId: string; userId: string }) {
  const domain = await findDomain(app, actor, input.domainId)
  const user = await available(app, () => app.storage.members.findUser(actor.organizationId, domain.id, input.userId))
  if (!user) throw noSuchUser()
  return { domain, user }
}

type Listed = { row: UserRow; given: { name?: string; email?: string } }

/** The list by the key of its names; of two entries for one name the later wins. */
async function readList(app: App, organizationId: string, members: NewUser[]): Promise<Map<string, Listed>> {
  const wanted = new Map<string, Listed>()
  for (const [index, member] of members.entries()) {
    if (index % chunkSize === 0) await app.storage.breathe()
    const row = newUserRow(app, organizationId, member, `[${index}].`)
    const given = { ...(member.name ? { name: row.name } : {}), ...(member.email ? { email: row.email } : {}) }
    wanted.set(row.username_key, { row, given })
  }
  return new Map([...wanted].sort(([a], [b]) => (a < b ? -1 : 1))) // two lists lock common users in one order
}

async function ensureUsers(
  { tx }: Unit,
  actor: Actor,
  chunk: Listed[],
  counts: { created: number },
): Promise<UserRow[]> {
  const { organizationId } = actor
  const rows = chunk.map(({ row }) => row)
  const keys = rows.map((row) => row.username_key)
  counts.created += await tx.users.insertOrLock(organizationId, rows)
  const users = await tx.users.findManyByKey(organizationId, keys)
  // Who has been there before is not of this domain alone: a key that is bound to it changes nothing of theirs.
  if (domainsOf(actor)) return users
  const given = new Map(chunk.map((entry) => [entry.row.username_key, entry.given]))
  const changes = users.flatMap((user) => {
    const { name = user.name, email = user.email } = given.get(user.username_key) ?? {}
    return name === user.name && email === user.email ? [] : [{ ...user, name, email }]
  })
  if (changes.length > 0) await tx.users.overwrite(organizationId, changes)
  return users
}

async function removeOthers(
  app: App,
  unit: Unit,
  actor: Actor,
  input: { domainId: string; listed: Set<string> },
): Promise<number> {
  const { organizationId } = actor
  const { domainId, listed } = input
  let removed = 0
  for (let after = '', page: string[] = ['']; page.length > 0; ) {
    await app.storage.breathe()
    page = await unit.tx.members.listIds(organizationId, domainId, after, chunkSize)
    after = page.at(-1) ?? after
    const userIds = page.filter((id) => !listed.has(id))
    if (userIds.length === 0) continue
    await unit.tx.members.delete(organizationId, domainId, userIds)
    await revokeTokensOf(app, unit, actor, { userIds, domainId, reason: 'member_removed' })
    removed += userIds.length
  }
  return removed
}

/** The row that makes the user a member. */
export function memberRow(domainId: string, user: UserRow): MemberRow {
  const { organization_id, id, created_at, username_key } = user
  return { organization_id, domain_id: domainId, user_id: id, user_created_at: created_at, username_key }
}

function* chunks<T>(items: T[]): Iterable<T[]> {
  for (let from = 0; from < items.length; from += chunkSize) yield items.slice(from, from + chunkSize)
}
