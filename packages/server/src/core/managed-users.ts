import type { User } from '@countersign/protocol/resources.ts'
import type { App } from '../app.ts'
import type { NamePage } from '../storage/pages.ts'
import type { UserRow } from '../storage/users.ts'
import { type Actor, requirePermission } from './actors.ts'
import { findDomain } from './domains.ts'
import { badRequest, noSuchUser } from './errors.ts'
import { type List, type ListInput, listOf, readPage } from './lists.ts'
import { isoTime, isoTimeOrNull } from './times.ts'
import { available, refuse, transact } from './transactions.ts'
import { usernameKey } from './usernames.ts'
import { changeUser, insertUser, type NewUser, type UserChanges, usersById, usersOf } from './users.ts'

/** The user as administrators see it: LoginTC's members and our own. */
export interface ManagedUser extends User {
  createdAt: string
  /** until when every code is refused, because too many were wrong */
  lockedUntil: string | null
}

/** What users are asked for. */
export interface UserListInput extends ListInput {
  /** how the name begins, in any case */
  q?: string
}

/** The organization's users in the order of their names. */
export async function listManagedUsers(app: App, actor: Actor, input: UserListInput): Promise<List<ManagedUser>> {
  requirePermission(actor, 'users:read')
  const page = readNamePage(input)
  const found = await available(app, () => app.storage.users.listByName(actor.organizationId, page))
  const { items: rows, ...rest } = listOf(page, found, { place: (row) => [row.username_key], item: (row) => row })
  return { items: await managedUsersOf(app, actor, rows), ...rest }
}

/** A domain's members in the order of their names. */
export async function listManagedMembers(
  app: App,
  actor: Actor,
  { domainId, ...input }: UserListInput & { domainId: string },
): Promise<List<ManagedUser>> {
  requirePermission(actor, 'users:read', domainId)
  const { organizationId } = actor
  const page = readNamePage(input)
  await findDomain(app, actor, domainId)
  const found = await available(app, () => app.storage.members.listIdsByName(organizationId, domainId, page))
  const { items: ids, ...rest } = listOf(page, found, {
    place: (row) => [row.username_key],
    item: (row) => row.user_id,
  })
  return { items: await managedUsersOf(app, actor, await usersById(app, actor, ids)), ...rest }
}

export async function getManagedUser(app: App, actor: Actor, { userId }: { userId: string }): Promise<ManagedUser> {
  requirePermission(actor, 'users:read')
  const row = await available(app, () => app.storage.users.find(actor.organizationId, userId))
  if (!row) throw noSuchUser()
  return managedUserOf(app, actor, row)
}

/** As createUser. */
export async function createManagedUser(app: App, actor: Actor, input: NewUser): Promise<ManagedUser> {
  return managedUserOf(app, actor, await insertUser(app, actor, input))
}

/** As updateUser. */
export async function updateManagedUser(app: App, actor: Actor, input: UserChanges): Promise<ManagedUser> {
  return managedUserOf(app, actor, await changeUser(app, actor, input))
}

/** Ends the lock that too many wrong codes led to, with the failures that were counted; nothing to do where none holds. */
export async function unlockUser(app: App, actor: Actor, { userId }: { userId: string }): Promise<void> {
  requirePermission(actor, 'users:write')
  const { organizationId } = actor
  await transact(app, async ({ tx, audit }) => {
    if (!(await tx.users.lock(organizationId, userId))) return refuse(noSuchUser())
    const ended = await tx.codeFailures.endLock(organizationId, userId, app.now())
    if (ended) audit({ organizationId, event: 'codes.unlocked', actor, userId })
  })
}

function readNamePage({ q = '', ...input }: UserListInput): NamePage {
  if (q.length > 256) throw badRequest('q', 'It has at most 256 characters.')
  const { limit, after: [after] = [] } = readPage(input, [''])
  const prefix = usernameKey(q)
  if (after === undefined) return { prefix, limit }
  if (!after.startsWith(prefix)) throw badRequest('after', 'It must be the `next` of an answer to the same `q`.')
  return { prefix, after, limit }
}

async function managedUserOf(app: App, actor: Actor, row: UserRow): Promise<ManagedUser> {
  const [user] = await managedUsersOf(app, actor, [row])
  if (!user) throw new Error('unreachable: one row makes one user')
  return user
}

async function managedUsersOf(app: App, actor: Actor, rows: UserRow[]): Promise<ManagedUser[]> {
  if (rows.length === 0) return []
  const ids = rows.map((row) => row.id)
  const [users, locks] = await Promise.all([
    usersOf(app, actor, rows),
    available(app, () => app.storage.codeFailures.locksOf(actor.organizationId, ids, app.now())),
  ])
  const createdAt = new Map(rows.map((row) => [row.id, row.created_at]))
  const lockedUntil = new Map(locks.map((lock) => [lock.owner_id, lock.locked_until]))
  return users.map((user) => ({
    ...user,
    createdAt: isoTime(createdAt.get(user.id) ?? 0),
    lockedUntil: isoTimeOrNull(lockedUntil.get(user.id)),
  }))
}
