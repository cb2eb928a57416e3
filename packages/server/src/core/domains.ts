import type { Policy, UnlockMethod } from '@countersign/protocol/device-messages.ts'
import { type Domain, type DomainType, domainTypes, type KeyType, keyTypes } from '@countersign/protocol/resources.ts'
import { cleanText, codePoints } from '@countersign/protocol/text.ts'
import type { App } from '../app.ts'
import type { DomainRow } from '../storage/domains.ts'
import type { TokenRow } from '../storage/tokens.ts'
import { type Actor, requirePermission } from './actors.ts'
import { ApiError, badRequest } from './errors.ts'
import { newId } from './ids.ts'
import { available, transact } from './transactions.ts'

/** What a domain is created with; what is absent gets the default of docs/specs/rest-api.md §2. */
export interface NewDomain {
  name: string
  type?: string
  keyType?: string
  maxAllowedRetries?: number
  requestTimeout?: number
  activationCodeExpiration?: number
  requestPollingEnabled?: boolean
  bypassEnabled?: boolean
  numberMatching?: string
  onFraud?: string
  /** characters that a PIN or passcode has at least; 4, or 8 for a passcode */
  minLength?: number
}

const numberMatchings = ['off', 'whenAsked', 'required'] as const
const fraudReactions = ['suspend', 'notify', 'revoke'] as const
const pinLength = 4
const passcodeLength = 8

export async function getDomain(app: App, actor: Actor, input: { domainId: string }): Promise<Domain> {
  requirePermission(actor, 'domains:read', input.domainId)
  return domainOf(await findDomain(app, actor, input.domainId))
}

/** The row of a domain of the caller's organization, or `api.error.notfound.domain`. */
export async function findDomain(app: App, actor: Actor, domainId: string): Promise<DomainRow> {
  const row = await available(app, () => app.storage.domains.find(actor.organizationId, domainId))
  if (!row) throw new ApiError('api.error.notfound.domain', 'There is no such domain.')
  return row
}

export async function createDomain(app: App, actor: Actor, input: NewDomain): Promise<Domain> {
  requirePermission(actor, 'domains:write')
  const row = readNewDomain(app, actor.organizationId, input)
  await transact(app, async ({ tx, audit }) => {
    await tx.domains.insert(row)
    audit({
      organizationId: actor.organizationId,
      event: 'domain.created',
      actor,
      domainId: row.id,
      data: domainOf(row) as never,
    })
  })
  return domainOf(row)
}

/** What a device must know of a domain. */
export function policyOf(domain: DomainRow): Policy {
  return {
    unlock: unlockMethods(domain),
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
  if (domain.key_type === 'BIOMETRIC') return token.factor === 'webauthn'
  if (domain.key_type === 'PASSCODE') return token.factor === 'pin' && token.factor_kind === 'passcode'
  return token.factor === 'pin'
}

const methodsByKeyType: Record<KeyType, UnlockMethod[]> = {
  ONE_STEP: ['none'],
  PIN: ['pin'],
  PASSCODE: ['pin'],
  BIOMETRIC: ['platform'],
}

/** How a token of this domain may be unlocked. */
export function unlockMethods(domain: DomainRow): UnlockMethod[] {
  return methodsByKeyType[oneOf(domain.key_type, keyTypes, 'keyType')]
}

function readNewDomain(app: App, organizationId: string, input: NewDomain): DomainRow {
  const name = cleanText(input.name).trim()
  if (codePoints(name) < 1 || codePoints(name) > 128) throw badRequest('name', 'It has 1 to 128 characters.')
  const keyType = oneOf(input.keyType ?? 'ONE_STEP', keyTypes, 'keyType')
  if (keyType === 'BIOMETRIC') throw badRequest('keyType', 'No authenticator can unlock by biometrics yet; use PIN.')
  return {
    organization_id: organizationId,
    id: newId(app),
    name,
    type: oneOf(input.type ?? 'API', domainTypes, 'type') satisfies DomainType,
    key_type: keyType,
    max_allowed_retries: within(input.maxAllowedRetries ?? 5, [1, 10], 'maxAllowedRetries'),
    request_timeout: within(input.requestTimeout ?? 120, [30, 600], 'requestTimeout'),
    activation_code_expiration: within(input.activationCodeExpiration ?? 7, [1, 365], 'activationCodeExpiration'),
    request_polling_enabled: Number(input.requestPollingEnabled ?? true),
    bypass_enabled: Number(input.bypassEnabled ?? true),
    otp_enabled: 1,
    min_length: within(input.minLength ?? (keyType === 'PASSCODE' ? passcodeLength : pinLength), [4, 16], 'minLength'),
    number_matching: oneOf(input.numberMatching ?? 'whenAsked', numberMatchings, 'numberMatching'),
    on_fraud: oneOf(input.onFraud ?? 'suspend', fraudReactions, 'onFraud'),
    bypass_counts_as_unlock: 0,
    allowed_networks: '[]',
    activation_code_minutes: null,
    policy_rev: 1,
    created_at: app.now(),
  }
}

function domainOf(row: DomainRow): Domain {
  return {
    id: row.id,
    name: row.name,
    type: oneOf(row.type, domainTypes, 'type'),
    keyType: oneOf(row.key_type, keyTypes, 'keyType'),
    maxAllowedRetries: row.max_allowed_retries,
    requestTimeout: row.request_timeout,
    activationCodeExpiration: row.activation_code_expiration,
    requestPollingEnabled: row.request_polling_enabled === 1,
    bypassEnabled: row.bypass_enabled === 1,
  }
}

function oneOf<Word extends string>(value: string, words: readonly Word[], field: string): Word {
  const word = words.find((known) => known === value)
  if (!word) throw badRequest(field, `It is one of ${words.join(', ')}.`)
  return word
}

function within(value: number, [min, max]: [number, number], field: string): number {
  if (!Number.isInteger(value) || value < min || value > max)
    throw badRequest(field, `It is a whole number from ${min} to ${max}.`)
  return value
}
