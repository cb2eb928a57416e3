import type { Organization } from '@countersign/protocol/resources.ts'
import { cleanText, codePoints } from '@countersign/protocol/text.ts'
import type { App } from '../app.ts'
import type { OrganizationRow } from '../storage/organizations.ts'
import { type Actor, type OperatorActor, requirePermission } from './actors.ts'
import { issueApiKey } from './api-keys.ts'
import { ApiError, badRequest } from './errors.ts'
import { newId } from './ids.ts'
import { editedMeanwhile } from './revisions.ts'
import { available, refuse, transact } from './transactions.ts'

const operator = { kind: 'operator', id: 'command-line' } as const

/** The caller's organization. */
export async function getOrganization(app: App, actor: Actor): Promise<Organization> {
  requirePermission(actor, 'organization:read')
  const row = await available(app, () => app.storage.organizations.find(actor.organizationId))
  if (!row) throw noSuchOrganization()
  return { name: row.name }
}

/** The organization as administrators see it. */
export interface ManagedOrganization {
  id: string
  name: string
  createdAt: string
}

export async function getManagedOrganization(app: App, actor: Actor): Promise<ManagedOrganization> {
  requirePermission(actor, 'organization:read')
  const row = await available(app, () => app.storage.organizations.find(actor.organizationId))
  if (!row) throw noSuchOrganization()
  return managed(row)
}

/** Renames it. `ifMatch` is the revision that the editor has seen. */
export async function updateOrganization(
  app: App,
  actor: Actor,
  input: { name?: string; ifMatch?: string | undefined },
): Promise<ManagedOrganization> {
  requirePermission(actor, 'organization:write')
  const { organizationId } = actor
  const name = input.name === undefined ? undefined : readName(input.name)
  return transact(app, async ({ tx, audit }) => {
    const row = await tx.organizations.lock(organizationId)
    if (!row) return refuse(noSuchOrganization())
    const conflict = editedMeanwhile(managed(row), input.ifMatch)
    if (conflict) return refuse(conflict)
    if (name === undefined || name === row.name) return managed(row)
    await tx.organizations.rename(organizationId, name)
    audit({ organizationId, event: 'organization.updated', actor, data: { name, was: row.name } })
    return managed({ ...row, name })
  })
}

/** The organizations of this server, the oldest first, or at most so many. For its operator only. */
export async function listOrganizations(app: App, limit?: number): Promise<ManagedOrganization[]> {
  return (await available(app, () => app.storage.organizations.list(limit))).map(managed)
}

/** Whether there is any organization yet. */
export async function hasOrganizations(app: App): Promise<boolean> {
  return (await available(app, () => app.storage.organizations.list(1))).length > 0
}

/** Someone at the server's own command line, acting in one organization; throws if there is none of that id. */
export async function operatorOf(app: App, organizationId: string): Promise<OperatorActor> {
  const row = await available(app, () => app.storage.organizations.find(organizationId))
  if (!row) throw new ApiError('api.error.notfound', `There is no organization ${organizationId}.`)
  return { kind: 'operator', organizationId, id: 'command-line' }
}

/** Makes an organization with a first API key, which is shown this once. For the operator of the server only. */
export async function createOrganization(
  app: App,
  input: { name: string },
): Promise<{ id: string; name: string; apiKey: string }> {
  const name = readName(input.name)
  const id = newId(app)
  const { apiKey, row } = issueApiKey(app, { organizationId: id, name: 'first key', scope: 'admin' })
  await transact(app, async ({ tx, audit }) => {
    await tx.organizations.insert({ id, name, settings: '{}', created_at: app.now() })
    await tx.apiKeys.insert(row)
    audit({ organizationId: id, event: 'organization.created', actor: operator, data: { name } })
    audit({ organizationId: id, event: 'api_key.created', actor: operator, data: { id: row.id, prefix: row.prefix } })
  })
  return { id, name, apiKey }
}

function readName(text: string): string {
  const name = cleanText(text).trim()
  if (codePoints(name) < 1 || codePoints(name) > 128) throw badRequest('name', 'It has 1 to 128 characters.')
  return name
}

function managed({ id, name, created_at }: OrganizationRow): ManagedOrganization {
  return { id, name, createdAt: new Date(created_at).toISOString() }
}

export function noSuchOrganization(): ApiError {
  return new ApiError('api.error.notfound', 'There is no such organization.')
}
