import { cleanText, codePoints } from '@countersign/protocol/text.ts'
import type { App } from '../app.ts'
import type { AdministratorRow } from '../storage/administrators.ts'
import { type Actor, type Role, requirePermission, roles } from './actors.ts'
import { ApiError, badRequest } from './errors.ts'
import { newId, newNonce } from './ids.ts'
import { type List, type ListInput, listOf, readPage } from './lists.ts'
import { differences, editedMeanwhile } from './revisions.ts'
import { plainHash } from './secrets.ts'
import { available, refuse, transact, type Unit } from './transactions.ts'
import { checkEmail, usernameKey } from './usernames.ts'

/** A person who may sign in to the panel. */
export interface Administrator {
  id: string
  email: string
  name: string
  role: Role
  disabled: boolean
  createdAt: string
  lastSignInAt: string | null
}

export interface AdministratorFields {
  name?: string
  role?: string
  disabled?: boolean
}

/** A link that signs an administrator in once. */
export interface SignInLink {
  link: string
  expiresAt: string
}

type Edit = { administratorId: string; ifMatch?: string | undefined }

const linkLifeMs = 15 * 60_000
const secretBytes = 32

/** The organization's administrators in the order of their addresses. */
export async function listAdministrators(app: App, actor: Actor, input: ListInput): Promise<List<Administrator>> {
  requirePermission(actor, 'administrators:read')
  const page = readPage(input, [''])
  const rows = await available(app, () => app.storage.administrators.list(actor.organizationId, page))
  return listOf(page, rows, { place: (row) => [row.email_key], item: administratorOf })
}

export async function getAdministrator(
  app: App,
  actor: Actor,
  input: { administratorId: string },
): Promise<Administrator> {
  requirePermission(actor, 'administrators:read')
  const { administrators } = app.storage
  const row = await available(app, () => administrators.find(actor.organizationId, input.administratorId))
  if (!row) throw noSuchAdministrator()
  return administratorOf(row)
}

/** The one with that address, in any case. */
export async function findAdministrator(app: App, actor: Actor, input: { email: string }): Promise<Administrator> {
  requirePermission(actor, 'administrators:read')
  const key = usernameKey(input.email)
  const row = await available(app, () => app.storage.administrators.findByEmail(actor.organizationId, key))
  if (!row) throw noSuchAdministrator()
  return administratorOf(row)
}

/** Makes an administrator, who gets in by a link. `api.error.conflict.email` when the organization has one of that address. */
export async function createAdministrator(
  app: App,
  actor: Actor,
  input: { email: string; name: string; role: string },
): Promise<Administrator> {
  requirePermission(actor, 'administrators:write')
  const { organizationId } = actor
  const email = readEmail(input.email)
  const row: AdministratorRow = {
    organization_id: organizationId,
    id: newId(app),
    email,
    email_key: usernameKey(email),
    name: readName(input.name),
    role: readRole(input.role),
    disabled: 0,
    sign_in_hash: null,
    sign_in_expires_at: null,
    created_at: app.now(),
    last_sign_in_at: null,
  }
  await transact(app, async ({ tx, audit }) => {
    if (!(await tx.administrators.insert(row))) return refuse(addressTaken(email))
    const data = { id: row.id, email, name: row.name, role: row.role }
    audit({ organizationId, event: 'administrator.created', actor, data })
  })
  return administratorOf(row)
}

/** Changes what is given. Another role, and being disabled, end the administrator's sessions and link at once. */
export async function updateAdministrator(
  app: App,
  actor: Actor,
  input: AdministratorFields & Edit,
): Promise<Administrator> {
  requirePermission(actor, 'administrators:write')
  const { organizationId } = actor
  const changes = {
    ...(input.name !== undefined && { name: readName(input.name) }),
    ...(input.role !== undefined && { role: readRole(input.role) }),
    ...(input.disabled !== undefined && { disabled: input.disabled ? 1 : 0 }),
  }
  return transact(app, async (unit) => {
    const row = await lockEdited(unit, organizationId, input)
    if (row instanceof ApiError) return refuse(row)
    const changed = { ...row, ...changes }
    const data = differences(administratorOf(row), administratorOf(changed))
    if (Object.keys(data).length === 0) return administratorOf(row)
    if (!isOwner(changed) && (await isLastOwner(unit, row))) return refuse(lastOwner())
    await unit.tx.administrators.update(organizationId, row.id, changes)
    if ('role' in data || 'disabled' in data) await endAccess(unit, row)
    unit.audit({ organizationId, event: 'administrator.updated', actor, data: { id: row.id, ...data } })
    return administratorOf(changed)
  })
}

/** Deletes an administrator with sessions and link; what the log says of them stays. */
export async function deleteAdministrator(app: App, actor: Actor, input: Edit): Promise<void> {
  requirePermission(actor, 'administrators:write')
  const { organizationId } = actor
  await transact(app, async (unit) => {
    const row = await lockEdited(unit, organizationId, input)
    if (row instanceof ApiError) return refuse(row)
    if (await isLastOwner(unit, row)) return refuse(lastOwner())
    await unit.tx.administratorSessions.deleteOf(organizationId, row.id)
    await unit.tx.administrators.delete(organizationId, row.id)
    const data = { id: row.id, email: row.email, name: row.name, role: row.role }
    unit.audit({ organizationId, event: 'administrator.deleted', actor, data })
  })
}

/** Makes a link that signs the administrator in once, within a quarter of an hour; an earlier one is void. */
export async function createSignInLink(
  app: App,
  actor: Actor,
  input: { administratorId: string },
): Promise<SignInLink> {
  requirePermission(actor, 'administrators:write')
  const { organizationId } = actor
  const secret = newNonce(app, secretBytes)
  const expiresAt = app.now() + linkLifeMs
  await transact(app, async ({ tx, audit }) => {
    const row = await tx.administrators.lock(organizationId, input.administratorId)
    if (!row) return refuse(noSuchAdministrator())
    if (row.disabled === 1) return refuse(badRequest('administratorId', 'This administrator is disabled.'))
    const link = { sign_in_hash: plainHash(secret), sign_in_expires_at: expiresAt }
    await tx.administrators.update(organizationId, row.id, link)
    audit({ organizationId, event: 'administrator.link_created', actor, data: { id: row.id } })
  })
  return { link: `${app.config.apiUrl}/panel#sign-in=${secret}`, expiresAt: new Date(expiresAt).toISOString() }
}

export function administratorOf(row: AdministratorRow): Administrator {
  return {
    id: row.id,
    email: row.email,
    name: row.name,
    role: readRole(row.role),
    disabled: row.disabled === 1,
    createdAt: new Date(row.created_at).toISOString(),
    lastSignInAt: row.last_sign_in_at === null ? null : new Date(row.last_sign_in_at).toISOString(),
  }
}

/** What of an administrator two people may edit at once; signing in is no edit. */
export function editable({ lastSignInAt: _, ...administrator }: Administrator): object {
  return administrator
}

/** The row of an edit, or why there is none. The organization's own is locked first: two owners must not demote each other. */
async function lockEdited({ tx }: Unit, organizationId: string, input: Edit): Promise<AdministratorRow | ApiError> {
  await tx.organizations.lock(organizationId)
  const row = await tx.administrators.lock(organizationId, input.administratorId)
  if (!row) return noSuchAdministrator()
  return editedMeanwhile(editable(administratorOf(row)), input.ifMatch) ?? row
}

function isOwner(row: AdministratorRow): boolean {
  return row.role === 'owner' && row.disabled === 0
}

async function isLastOwner({ tx }: Unit, row: AdministratorRow): Promise<boolean> {
  return isOwner(row) && !(await tx.administrators.hasOther(row.organization_id, row.id, 'owner'))
}

async function endAccess({ tx }: Unit, { organization_id, id }: AdministratorRow): Promise<void> {
  await tx.administrators.update(organization_id, id, { sign_in_hash: null, sign_in_expires_at: null })
  await tx.administratorSessions.deleteOf(organization_id, id)
}

function readEmail(text: string): string {
  const email = checkEmail(text)
  if (email === '') throw badRequest('email', 'It is required.')
  if (email !== cleanText(email)) throw badRequest('email', 'An e-mail address cannot contain invisible characters.')
  return email
}

function readName(text: string): string {
  const name = cleanText(text).trim()
  if (codePoints(name) < 1 || codePoints(name) > 128) throw badRequest('name', 'It has 1 to 128 characters.')
  return name
}

function readRole(text: string): Role {
  const role = roles.find((known) => known === text)
  if (!role) throw badRequest('role', `It is one of ${roles.join(', ')}.`)
  return role
}

function addressTaken(email: string): ApiError {
  return new ApiError('api.error.conflict.email', `email: There is an administrator "${email}" already.`)
}

function lastOwner(): ApiError {
  return new ApiError('api.error.conflict.lastowner', 'This is the last owner: make somebody else an owner first.')
}

function noSuchAdministrator(): ApiError {
  return new ApiError('api.error.notfound.administrator', 'There is no such administrator.')
}
