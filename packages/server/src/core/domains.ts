import type { Policy, UnlockMethod } from '@countersign/protocol/device-messages.ts'
import type { Domain, KeyType } from '@countersign/protocol/resources.ts'
import type { App } from '../app.ts'
import type { DomainRow, FoundDomain } from '../storage/domains.ts'
import type { TokenRow } from '../storage/tokens.ts'
import { type Actor, requirePermission } from './actors.ts'
import {
  changesOf,
  type DomainFields,
  domainOf,
  keyTypeOf,
  type ManagedDomain,
  managedDomainOf,
  type NewDomain,
  newDomainRow,
  policyColumns,
  readFields,
} from './domain-fields.ts'
import { ApiError } from './errors.ts'
import { type List, type ListInput, listOf, readPage } from './lists.ts'
import { differences, editedMeanwhile } from './revisions.ts'
import { revokeTokensOf } from './revocation.ts'
import { available, refuse, transact, type Unit } from './transactions.ts'

export type { ManagedDomain, NewDomain }

export async function getDomain(app: App, actor: Actor, input: { domainId: string }): Promise<Domain> {
  requirePermission(actor, 'domains:read', input.domainId)
  return domainOf(await findDomain(app, actor, input.domainId))
}

/** The row of a domain of the caller's organization, or `api.error.notfound.domain`. */
export async function findDomain(app: App, actor: Actor, domainId: string): Promise<FoundDomain> {
  const row = await available(app, () => app.storage.domains.find(actor.organizationId, domainId))
  if (!row) throw noSuchDomain()
  return row
}

/** Says the same of a domain that does not exist and of another organization's. */
export function noSuchDomain(): ApiError {
  return new ApiError('api.error.notfound.domain', 'There is no such domain.')
}

export async function createDomain(app: App, actor: Actor, input: NewDomain): Promise<Domain> {
  return domainOf(await insertDomain(app, actor, input))
}

/** The same, answered as administrators see it. */
export async function createManagedDomain(app: App, actor: Actor, input: NewDomain): Promise<ManagedDomain> {
  return managedDomainOf(await insertDomain(app, actor, input))
}

export async function getManagedDomain(
  app: App,
  actor: Actor,
  { domainId }: { domainId: string },
): Promise<ManagedDomain> {
  requirePermission(actor, 'domains:read', domainId)
  return managedDomainOf(await findDomain(app, actor, domainId))
}

/** The organization's domains in the order of their creation. */
export async function listDomains(app: App, actor: Actor, input: ListInput): Promise<List<ManagedDomain>> {
  requirePermission(actor, 'domains:read')
  const page = readPage(input, [0, ''])
  const rows = await available(app, () => app.storage.domains.list(actor.organizationId, page))
  return listOf(page, rows, { place: (row) => [row.created_at, row.id], item: managedDomainOf })
}

/** Changes what is given. Tokens go on; one whose factor no longer suffices is asked for another at its next approval. */
export async function updateDomain(
  app: App,
  actor: Actor,
  input: DomainFields & { domainId: string; ifMatch?: string | undefined },
): Promise<ManagedDomain> {
  requirePermission(actor, 'domains:write', input.domainId)
  const { organizationId } = actor
  const fields = readFields(input)
  return transact(app, async ({ tx, audit }) => {
    const row = await tx.domains.lock(organizationId, input.domainId)
    if (!row) return refuse(noSuchDomain())
    const conflict = editedMeanwhile(managedDomainOf(row), input.ifMatch)
    if (conflict) return refuse(conflict)
    const changes = changesOf(row, fields)
    const changed = withRevision(row, { ...row, ...changes })
    const data = differences(managedDomainOf(row), managedDomainOf(changed))
    if (Object.keys(data).length === 0) return managedDomainOf(row)
    await tx.domains.update(organizationId, row.id, { ...changes, policy_rev: changed.policy_rev })
    audit({ organizationId, event: 'domain.updated', actor, domainId: row.id, data })
    return managedDomainOf(changed)
  })
}

/** Deletes a domain for good: its members leave it, their tokens there are revoked. Sessions that have ended stay readable. */
export async function deleteDomain(
  app: App,
  actor: Actor,
  input: { domainId: string; ifMatch?: string | undefined },
): Promise<void> {
  requirePermission(actor, 'domains:write', input.domainId)
  const { organizationId } = actor
  await transact(app, async (unit) => {
    const row = await unit.tx.domains.lock(organizationId, input.domainId)
    if (!row) return refuse(noSuchDomain())
    const conflict = editedMeanwhile(managedDomainOf(row), input.ifMatch)
    if (conflict) return refuse(conflict)
    const members = await removeMembers(app, unit, actor, row.id)
    await unit.tx.domainImages.delete(organizationId, row.id)
    await unit.tx.domains.delete(organizationId, row.id)
    const data = { name: row.name, members }
    unit.audit({ organizationId, event: 'domain.deleted', actor, domainId: row.id, data })
  })
}

/** What a device must know of a domain. */
export function policyOf(domain: DomainRow): Policy {
  return {
    unlock: unlockMethods(domain),
    ...(domain.key_type === 'PASSCODE' && { kind: 'passcode' as const }),
    minLength: domain.min_length,
    maxAllowedRetries: domain.max_allowed_retries,
    poll: domain.request_polling_enabled === 1,
    rev: domain.policy_rev,
  }
}

/** The one word that says what a token of this domain must do to approve. */
export function unlockWord(domain: DomainRow, token: Pick<TokenRow, 'factor'>): UnlockMethod {
  const methods = unlockMethods(domain)
  const [first = 'none'] = methods
  return token.factor === 'webauthn' && methods.includes('platform') ? 'platform' : first
}

/** Whether a token's factor is what its domain demands. */
export function satisfies(domain: DomainRow, token: Pick<TokenRow, 'factor' | 'factor_kind'>): boolean {
  if (domain.key_type === 'ONE_STEP') return true
  if (token.factor === 'webauthn') return unlockMethods(domain).includes('platform')
  if (token.factor !== 'pin') return false
  return domain.key_type === 'PIN' || (domain.key_type === 'PASSCODE' && token.factor_kind === 'passcode')
}

/** Whether a token can do what a challenge says; its factor may have been changed since. */
export function canDo(token: Pick<TokenRow, 'factor'>, word: UnlockMethod): boolean {
  if (word === 'none') return true
  return token.factor === (word === 'platform' ? 'webauthn' : 'pin')
}

const methodsByKeyType: Record<KeyType, UnlockMethod[]> = {
  ONE_STEP: ['none'],
  PIN: ['pin'],
  PASSCODE: ['pin'],
  BIOMETRIC: ['platform'],
}

/** How a token of this domain may be unlocked. */
export function unlockMethods(domain: DomainRow): UnlockMethod[] {
  const methods = methodsByKeyType[keyTypeOf(domain)]
  return methods.includes('pin') && domain.platform_unlock_enabled === 1 ? [...methods, 'platform'] : methods
}

async function insertDomain(app: App, actor: Actor, input: NewDomain): Promise<DomainRow> {
  requirePermission(actor, 'domains:write')
  const { organizationId } = actor
  const row = newDomainRow(app, organizationId, input)
  await transact(app, async ({ tx, audit }) => {
    await tx.domains.insert(row)
    audit({ organizationId, event: 'domain.created', actor, domainId: row.id, data: { ...managedDomainOf(row) } })
  })
  return row
}

const membersAtOnce = 500

async function removeMembers(app: App, unit: Unit, actor: Actor, domainId: string): Promise<number> {
  const { organizationId } = actor
  let removed = 0
  for (let userIds = ['']; userIds.length > 0; removed += userIds.length) {
    await app.storage.breathe()
    userIds = await unit.tx.members.listIds(organizationId, domainId, '', membersAtOnce)
    if (userIds.length === 0) break
    await unit.tx.members.delete(organizationId, domainId, userIds)
    await revokeTokensOf(app, unit, actor, { userIds, domainId, reason: 'domain_deleted' })
  }
  return removed
}

function withRevision(was: DomainRow, is: DomainRow): DomainRow {
  const concernsPhones = policyColumns.some((column) => was[column] !== is[column])
  return concernsPhones ? { ...is, policy_rev: was.policy_rev + 1 } : is
}
