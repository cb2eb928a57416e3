import type { User } from '@countersign/protocol/resources.ts'
import type { App } from '../app.ts'
import type { UserRow } from '../storage/users.ts'
import { type Actor, domainsOf, requirePermission } from './actors.ts'
import { ApiError, noSuchUser } from './errors.ts'
import { freeHardwareOf } from './hardware-tokens.ts'
import { newId } from './ids.ts'
import { pageSize } from './lists.ts'
import { editedMeanwhile } from './revisions.ts'
import { revokeTokensOf } from './revocation.ts'
import { available, refuse, transact } from './transactions.ts'
import { checkEmail, checkName, checkUsername, usernameKey } from './usernames.ts'

export interface NewUser {
  username: string
  name?: string | null
  email?: string | null
}

export interface UserChanges {
  userId: string
  name?: string | null
  email?: string | null
  ifMatch?: string | undefined
}

/** One page of users, in the order of their creation, and whether there are more. */
export async function listUsers(
  app: App,
  actor: Actor,
  input: { page: number },
): Promise<{ users: User[]; more: boolean }> {
  requirePermission(actor, 'users:read')
  const page = { limit: pageSize + 1, offset: (input.page - 1) * pageSize }
  const ids = await available(app, () => app.storage.users.pageOfIds(actor.organizationId, page))
  return {
    users: await usersOf(app, actor, await usersById(app, actor, ids.slice(0, pageSize))),
    more: ids.length > pageSize,
  }
}

/** The user of that name, in any case; `api.error.notfound.user` if there is none. */
export async function findUser(app: App, actor: Actor, input: { username: string }): Promise<User> {
  requirePermission(actor, 'users:read')
  const key = usernameKey(input.username)
  const row = await available(app, () => app.storage.users.findByKey(actor.organizationId, key))
  if (!row) throw noSuchUser()
  return userOf(app, actor, row)
}

/** Throws `api.error.conflict.username` when somebody has that name, in whatever case. */
export async function createUser(app: App, actor: Actor, input: NewUser): Promise<User> {
  return userOf(app, actor, await insertUser(app, actor, input))
}

/** The same, as a row. */
export async function insertUser(app: App, actor: Actor, input: NewUser): Promise<UserRow> {
  requirePermission(actor, 'users:write')
  const row = newUserRow(app, actor.organizationId, input)
  await transact(app, async ({ tx, audit }) => {
    if ((await tx.users.insert(actor.organizationId, [row])) === 0) {
      return refuse(new ApiError('api.error.conflict.username', `username: There is a user "${row.username}" already.`))
    }
    const data = { username: row.username }
    audit({ organizationId: actor.organizationId, event: 'user.created', actor, userId: row.id, data })
  })
  return row
}

export async function getUser(app: App, actor: Actor, input: { userId: string }): Promise<User> {
  requirePermission(actor, 'users:read')
  const row = await available(app, () => app.storage.users.find(actor.organizationId, input.userId))
  if (!row) throw noSuchUser()
  return userOf(app, actor, row)
}

/** Changes the name and the address; what is absent or null stays as it is. */
export async function updateUser(app: App, actor: Actor, input: UserChanges): Promise<User> {
  return userOf(app, actor, await changeUser(app, actor, input))
}

/** The same, as a row. */
export async function changeUser(app: App, actor: Actor, input: UserChanges): Promise<UserRow> {
  requirePermission(actor, 'users:write')
  const changes = {
    name: changed(input.name, (name) => checkName(name, '')),
    email: changed(input.email, (email) => checkEmail(email)),
  }
  return transact(app, async ({ tx, audit }) => {
    const user = await tx.users.lock(actor.organizationId, input.userId)
    if (!user) return refuse(noSuchUser())
    const conflict = editedMeanwhile(editableOf(user), input.ifMatch)
    if (conflict) return refuse(conflict)
    const name = changes.name === '' ? user.username : changes.name
    await tx.users.update(actor.organizationId, user.id, withoutUndefined({ name, email: changes.email }))
    const data = { name: name !== undefined, email: changes.email !== undefined }
    audit({ organizationId: actor.organizationId, event: 'user.updated', actor, userId: user.id, data })
    return { ...user, ...withoutUndefined({ name, email: changes.email }) }
  })
}

/** What an edit changes of a user, for its revision; memberships and codes have edits of their own. */
export function editableOf({ id, name, email }: Pick<UserRow, 'id' | 'name' | 'email'>) {
  return { id, name, email }
}

/** Deletes a user for good, with memberships and tokens; open sessions are denied, ended ones stay readable. */
export async function deleteUser(
  app: App,
  actor: Actor,
  input: { userId: string; ifMatch?: string | undefined },
): Promise<void> {
  requirePermission(actor, 'users:write')
  const { organizationId } = actor
  await transact(app, async (unit) => {
    const user = await unit.tx.users.lock(organizationId, input.userId)
    if (!user) return refuse(noSuchUser())
    const conflict = editedMeanwhile(editableOf(user), input.ifMatch)
    if (conflict) return refuse(conflict)
    await unit.tx.members.deleteOfUser(organizationId, user.id)
    await revokeTokensOf(app, unit, actor, { userIds: [user.id], reason: 'user_deleted' })
    await unit.tx.limits.deleteOfUser(organizationId, user.id)
    await unit.tx.codeFailures.delete(organizationId, user.id)
    await unit.tx.bypassCodes.deleteOfUser(organizationId, user.id)
    await freeHardwareOf(app, unit, { actor, userId: user.id })
    await unit.tx.users.delete(organizationId, user.id)
    unit.audit({ organizationId, event: 'user.deleted', actor, userId: user.id, data: { username: user.username } })
  })
}

/** A user's row from what a request brings; throws on a name or an address that cannot be. */
export function newUserRow(app: App, organizationId: string, input: NewUser, field = ''): UserRow {
  const username = checkUsername(input.username, `${field}username`)
  return {
    organization_id: organizationId,
    id: newId(app),
    username,
    username_key: usernameKey(username),
    name: checkName(input.name, username, `${field}name`),
    email: checkEmail(input.email, `${field}email`),
    created_at: app.now(),
  }
}

/** The reply for one row. */
export async function userOf(app: App, actor: Actor, row: UserRow): Promise<User> {
  const [user] = await usersOf(app, actor, [row])
  if (!user) throw new Error('unreachable: one row makes one user')
  return user
}

/** The rows of these users in the order of the ids; one who has gone meanwhile is left out. */
export async function usersById(app: App, actor: Actor, ids: string[]): Promise<UserRow[]> {
  if (ids.length === 0) return []
  const rows = await available(app, () => app.storage.users.findMany(actor.organizationId, ids))
  const byId = new Map(rows.map((row) => [row.id, row]))
  return ids.flatMap((id) => byId.get(id) ?? [])
}

/**
 * The replies for many rows, with one look-up each of all their domains, codes and hardware. A key that is bound to domains is
 * told of no others, and of nothing that opens them, too.
 */
export async function usersOf(app: App, actor: Actor, rows: UserRow[]): Promise<User[]> {
  if (rows.length === 0) return []
  const ids = rows.map((row) => row.id)
  const { organizationId } = actor
  const { members, bypassCodes, hardwareTokens } = app.storage
  const [pairs, codes, hardware] = await available(app, () =>
    Promise.all([
      members.domainsOf(organizationId, ids),
      bypassCodes.idsOf(organizationId, ids),
      hardwareTokens.idsOf(organizationId, ids),
    ]),
  )
  const domains = Map.groupBy(pairs, (pair) => pair.user_id)
  const codesOf = Map.groupBy(codes, (code) => code.user_id)
  const hardwareOf = new Map(hardware.map((token) => [token.user_id, token.id]))
  const bound = domainsOf(actor)
  return rows.map(({ id, username, name, email }) => ({
    id,
    username,
    name,
    email,
    domains: (domains.get(id) ?? []).map((pair) => pair.domain_id).filter((domain) => bound?.includes(domain) ?? true),
    bypasscodes: bound ? [] : (codesOf.get(id) ?? []).map((code) => code.id),
    hardware: bound ? '' : (hardwareOf.get(id) ?? ''),
  }))
}

function changed(value: string | null | undefined, check: (value: string) => string): string | undefined {
  return value === undefined || value === null ? undefined : check(value)
}

function withoutUndefined<T extends object>(value: T): { [Key in keyof T]?: Exclude<T[Key], undefined> } {
  return Object.fromEntries(Object.entries(value).filter(([, member]) => member !== undefined)) as never
}
