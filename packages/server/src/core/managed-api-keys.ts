import { cleanText, codePoints } from '@countersign/protocol/text.ts'
import type { App } from '../app.ts'
import type { ApiKeyRow } from '../storage/api-keys.ts'
import { type Actor, requireNoMoreThan, requirePermission, type Scope, scopes } from './actors.ts'
import { domainIdsOf, isOver, issueApiKey } from './api-keys.ts'
import { ApiError, badRequest } from './errors.ts'
import { type List, type ListInput, listOf, readPage } from './lists.ts'
import { differences, editedMeanwhile } from './revisions.ts'
import { available, refuse, transact, type Unit } from './transactions.ts'

/** An API key as administrators see it: all but the key. */
export interface ManagedApiKey {
  id: string
  name: string
  /** the first 6 characters of the key, to recognise it by */
  prefix: string
  scope: Scope
  /** the only domains that it may act in; null for all */
  domainIds: string[] | null
  createdAt: string
  expiresAt: string | null
  revokedAt: string | null
  /** some minutes late, at most */
  lastUsedAt: string | null
}

/** With the key itself, which is shown this once. */
export type NewManagedApiKey = ManagedApiKey & { apiKey: string }

export interface ApiKeyFields {
  name?: string
  domainIds?: string[] | null
  /** RFC 3339 */
  expiresAt?: string | null
}

type Edit = { keyId: string; ifMatch?: string | undefined }

const hourMs = 3_600_000
const overlapHoursDefault = 24
const overlapHoursMax = 720

/** The organization's keys in the order of their creation, with those that were revoked or have expired. */
export async function listApiKeys(app: App, actor: Actor, input: ListInput): Promise<List<ManagedApiKey>> {
  requirePermission(actor, 'api-keys:read')
  const page = readPage(input, [0, ''])
  const rows = await available(app, () => app.storage.apiKeys.list(actor.organizationId, page))
  return listOf(page, rows, { place: (row) => [row.created_at, row.id], item: managed })
}

export async function getApiKey(app: App, actor: Actor, { keyId }: { keyId: string }): Promise<ManagedApiKey> {
  requirePermission(actor, 'api-keys:read')
  const row = await available(app, () => app.storage.apiKeys.find(actor.organizationId, keyId))
  if (!row) throw noSuchKey()
  return managed(row)
}

/** Makes a key that can do no more than who makes it. */
export async function createApiKey(
  app: App,
  actor: Actor,
  input: ApiKeyFields & { name: string; scope: string },
): Promise<NewManagedApiKey> {
  requirePermission(actor, 'api-keys:write')
  const scope = readScope(input.scope)
  requireNoMoreThan(actor, scope)
  const { organizationId } = actor
  const { name = '', domainIds = null, expiresAt = null } = readFields(app, input)
  const { apiKey, row } = issueApiKey(app, { organizationId, name, scope, domainIds, expiresAt })
  return transact(app, async (unit) => {
    const unknown = await unknownDomain(unit, organizationId, domainIds)
    if (unknown) return refuse(unknown)
    await insert(unit, actor, row)
    return { ...managed(row), apiKey }
  })
}

/** Changes what is given of a key that is still valid, and can do no more than who changes it. */
export async function updateApiKey(app: App, actor: Actor, input: ApiKeyFields & Edit): Promise<ManagedApiKey> {
  requirePermission(actor, 'api-keys:write')
  const { organizationId } = actor
  const { name, domainIds, expiresAt } = readFields(app, input)
  const changes = {
    ...(name !== undefined && { name }),
    ...(domainIds !== undefined && { domain_ids: domainIds && JSON.stringify(domainIds) }),
    ...(expiresAt !== undefined && { expires_at: expiresAt }),
  }
  return transact(app, async (unit) => {
    const row = await lockValid(app, unit, actor, input)
    if (row instanceof ApiError) return refuse(row)
    const unknown = await unknownDomain(unit, organizationId, domainIds)
    if (unknown) return refuse(unknown)
    const changed = { ...row, ...changes }
    const data = differences(managed(row), managed(changed))
    if (Object.keys(data).length === 0) return managed(row)
    await unit.tx.apiKeys.update(organizationId, row.id, changes)
    unit.audit({ organizationId, event: 'api_key.updated', actor, data: { id: row.id, ...data } })
    return managed(changed)
  })
}

/**
 * Revokes a key: the next request with it is refused, on every node. Whoever may write keys may revoke any, also one that can
 * do more: a key that leaked must not wait for an owner. Nothing happens to one that was revoked before.
 */
export async function revokeApiKey(app: App, actor: Actor, input: Edit): Promise<void> {
  requirePermission(actor, 'api-keys:write')
  const { organizationId } = actor
  await transact(app, async ({ tx, audit }) => {
    const row = await tx.apiKeys.lock(organizationId, input.keyId)
    if (!row) return refuse(noSuchKey())
    const conflict = editedMeanwhile(editable(managed(row)), input.ifMatch)
    if (conflict) return refuse(conflict)
    if (row.revoked_at !== null) return
    await tx.apiKeys.update(organizationId, row.id, { revoked_at: app.now() })
    audit({ organizationId, event: 'api_key.revoked', actor, data: { id: row.id, name: row.name, prefix: row.prefix } })
  })
}

/**
 * Makes a key in the place of another, with the same name, scope and domains, and a life as long. The old one expires after so
 * many hours, or earlier if it would have anyway.
 */
export async function rotateApiKey(
  app: App,
  actor: Actor,
  input: Edit & { overlapHours?: number },
): Promise<NewManagedApiKey> {
  requirePermission(actor, 'api-keys:write')
  const { organizationId } = actor
  const overlapMs = readOverlap(input.overlapHours) * hourMs
  return transact(app, async (unit) => {
    const old = await lockValid(app, unit, actor, input)
    if (old instanceof ApiError) return refuse(old)
    const expiresAt = old.expires_at === null ? null : app.now() + (old.expires_at - old.created_at)
    const { name, scope } = managed(old)
    const { apiKey, row } = issueApiKey(app, { organizationId, name, scope, domainIds: domainIdsOf(old), expiresAt })
    await insert(unit, actor, row)
    const endsAt = Math.min(old.expires_at ?? Number.POSITIVE_INFINITY, app.now() + overlapMs)
    await unit.tx.apiKeys.update(organizationId, old.id, { expires_at: endsAt })
    const data = { id: old.id, name, prefix: old.prefix, expiresAt: timeOf(endsAt), replacedBy: row.id }
    unit.audit({ organizationId, event: 'api_key.rotated', actor, data })
    return { ...managed(row), apiKey }
  })
}

/** What of a key two people may edit at once; that it was used is no edit. */
export function editable({ lastUsedAt: _, ...key }: ManagedApiKey): object {
  return key
}

/** The key as somebody may still change it, or why not. */
async function lockValid(app: App, { tx }: Unit, actor: Actor, input: Edit): Promise<ApiKeyRow | ApiError> {
  const row = await tx.apiKeys.lock(actor.organizationId, input.keyId)
  if (!row) return noSuchKey()
  requireNoMoreThan(actor, readScope(row.scope))
  const conflict = editedMeanwhile(editable(managed(row)), input.ifMatch)
  if (conflict) return conflict
  return isOver(app, row) ? badRequest('keyId', 'This key was revoked or has expired: create another one.') : row
}

async function insert({ tx, audit }: Unit, actor: Actor, row: ApiKeyRow): Promise<void> {
  await tx.apiKeys.insert(row)
  const { id, name, prefix, scope, domainIds, expiresAt } = managed(row)
  const data = { id, name, prefix, scope, domainIds, expiresAt }
  audit({ organizationId: actor.organizationId, event: 'api_key.created', actor, data })
}

async function unknownDomain({ tx }: Unit, organizationId: string, domainIds: string[] | null | undefined) {
  if (!domainIds) return undefined
  const keys = domainIds.map((domain_id) => ({ organization_id: organizationId, domain_id }))
  const known = new Set((await tx.domains.findMany(keys)).map(({ id }) => id))
  const index = domainIds.findIndex((id) => !known.has(id))
  return index < 0 ? undefined : badRequest(`domainIds[${index}]`, 'There is no such domain.')
}

function readFields(app: App, { name, domainIds, expiresAt }: ApiKeyFields) {
  return {
    name: name === undefined ? undefined : readName(name),
    domainIds: domainIds && readDomainIds(domainIds),
    expiresAt: typeof expiresAt === 'string' ? readExpiry(app, expiresAt) : expiresAt,
  }
}

function readName(text: string): string {
  const name = cleanText(text).trim()
  if (codePoints(name) < 1 || codePoints(name) > 128) throw badRequest('name', 'It has 1 to 128 characters.')
  return name
}

function readDomainIds(ids: string[]): string[] {
  if (ids.length === 0) throw badRequest('domainIds', 'A key for no domain could do nothing: give null for all.')
  return [...new Set(ids.map((id) => id.toLowerCase()))]
}

function readScope(text: string): Scope {
  const scope = scopes.find((known) => known === text)
  if (!scope) throw badRequest('scope', `It is one of ${scopes.join(', ')}.`)
  return scope
}

function readExpiry({ now }: App, text: string): number {
  const time = Date.parse(text)
  if (Number.isNaN(time)) throw badRequest('expiresAt', 'It is a time such as 2027-12-31T23:59:59Z.')
  if (time <= now()) throw badRequest('expiresAt', 'It must be in the future.')
  return time
}

function readOverlap(hours = overlapHoursDefault): number {
  if (Number.isInteger(hours) && hours >= 0 && hours <= overlapHoursMax) return hours
  throw badRequest('overlapHours', `It is a whole number from 0 to ${overlapHoursMax}.`)
}

function managed(row: ApiKeyRow): ManagedApiKey {
  return {
    id: row.id,
    name: row.name,
    prefix: row.prefix,
    scope: readScope(row.scope),
    domainIds: domainIdsOf(row),
    createdAt: new Date(row.created_at).toISOString(),
    expiresAt: timeOf(row.expires_at),
    revokedAt: timeOf(row.revoked_at),
    lastUsedAt: timeOf(row.last_used_at),
  }
}

function timeOf(ms: number | null): string | null {
  return ms === null ? null : new Date(ms).toISOString()
}

function noSuchKey(): ApiError {
  return new ApiError('api.error.notfound.apikey', 'There is no such API key.')
}
