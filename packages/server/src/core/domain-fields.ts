import { type Domain, domainTypes, type KeyType, keyTypes } from '@countersign/protocol/resources.ts'
import { cleanText, codePoints } from '@countersign/protocol/text.ts'
import type { App } from '../app.ts'
import type { DomainRow, FoundDomain } from '../storage/domains.ts'
import { badRequest } from './errors.ts'
import { newId } from './ids.ts'
import { readNetworks } from './networks.ts'
import { settingsOf } from './organization-settings.ts'

export const numberMatchings = ['off', 'whenAsked', 'required'] as const
export const fraudReactions = ['suspend', 'notify', 'revoke'] as const
const pinLength = 4
const passcodeLength = 8
const minutesPerDay = 1_440

/** What can be set of a domain; what is absent at its creation gets the default of docs/specs/rest-api.md §2. */
export interface DomainFields {
  name?: string
  type?: string
  keyType?: string
  maxAllowedRetries?: number
  /** seconds */
  requestTimeout?: number
  /** days */
  activationCodeExpiration?: number
  /** instead of the days; null for the days */
  activationCodeMinutes?: number | null
  requestPollingEnabled?: boolean
  bypassEnabled?: boolean
  otpEnabled?: boolean
  /** whether wrong bypass codes revoke the device token like wrong PINs, as LoginTC does */
  bypassCountsAsUnlock?: boolean
  numberMatching?: string
  onFraud?: string
  /** characters that a PIN or passcode has at least; 4, or 8 for a passcode */
  minLength?: number
  /** whether the platform's unlock, such as a fingerprint, stands in for a PIN or passcode; means nothing for other key types */
  platformUnlockEnabled?: boolean
  /** CIDR ranges that applications may create sessions from; none for everywhere */
  allowedNetworks?: string[]
}

/** What a domain is created with. */
export type NewDomain = DomainFields & { name: string }

/** The domain as administrators see it: LoginTC's members and our own. */
export interface ManagedDomain extends Domain {
  activationCodeMinutes: number | null
  otpEnabled: boolean
  bypassCountsAsUnlock: boolean
  numberMatching: (typeof numberMatchings)[number]
  onFraud: (typeof fraudReactions)[number]
  minLength: number
  platformUnlockEnabled: boolean
  allowedNetworks: string[]
  createdAt: string
}

/** A new domain's row. Throws `api.error.badrequest` that names the member. */
export function newDomainRow(app: App, organizationId: string, input: NewDomain): DomainRow {
  const keyType = readKeyType(input.keyType ?? 'ONE_STEP')
  return {
    organization_id: organizationId,
    id: newId(app),
    name: input.name,
    type: 'API',
    key_type: keyType,
    max_allowed_retries: 5,
    request_timeout: 120,
    activation_code_expiration: 7,
    request_polling_enabled: 1,
    bypass_enabled: 1,
    otp_enabled: 1,
    min_length: keyType === 'PASSCODE' ? passcodeLength : pinLength,
    number_matching: 'whenAsked',
    on_fraud: 'suspend',
    bypass_counts_as_unlock: 0,
    allowed_networks: '[]',
    activation_code_minutes: null,
    platform_unlock_enabled: 0,
    policy_rev: 1,
    created_at: app.now(),
    ...readFields(input),
  }
}

/** The columns that the input sets, checked. Throws `api.error.badrequest` that names the member. */
export function readFields(input: DomainFields): Partial<DomainRow> {
  const columns: { [Column in keyof DomainRow]?: DomainRow[Column] | undefined } = {
    name: given(input.name, readName),
    type: given(input.type, (type) => oneOf(type, domainTypes, 'type')),
    key_type: given(input.keyType, readKeyType),
    max_allowed_retries: given(input.maxAllowedRetries, within([1, 10], 'maxAllowedRetries')),
    request_timeout: given(input.requestTimeout, within([30, 600], 'requestTimeout')),
    activation_code_expiration: given(input.activationCodeExpiration, within([1, 365], 'activationCodeExpiration')),
    activation_code_minutes: givenOrNull(input.activationCodeMinutes, within([5, 1_440], 'activationCodeMinutes')),
    request_polling_enabled: given(input.requestPollingEnabled, Number),
    bypass_enabled: given(input.bypassEnabled, Number),
    otp_enabled: given(input.otpEnabled, Number),
    bypass_counts_as_unlock: given(input.bypassCountsAsUnlock, Number),
    number_matching: given(input.numberMatching, (word) => oneOf(word, numberMatchings, 'numberMatching')),
    on_fraud: given(input.onFraud, (word) => oneOf(word, fraudReactions, 'onFraud')),
    min_length: given(input.minLength, within([4, 16], 'minLength')),
    platform_unlock_enabled: given(input.platformUnlockEnabled, Number),
    allowed_networks: given(input.allowedNetworks, (ranges) => JSON.stringify(readNetworks(ranges, 'allowedNetworks'))),
  }
  return Object.fromEntries(Object.entries(columns).filter(([, value]) => value !== undefined))
}

/** What an edit changes in a row: a domain that asks for a passcode from now on asks for a passcode's length, unless told otherwise. */
export function changesOf(row: DomainRow, fields: Partial<DomainRow>): Partial<DomainRow> {
  const becomesPasscode = fields.key_type === 'PASSCODE' && row.key_type !== 'PASSCODE'
  if (!becomesPasscode || fields.min_length !== undefined) return fields
  return { ...fields, min_length: Math.max(row.min_length, passcodeLength) }
}

/** What authenticators must know again when it changes. */
export const policyColumns = [
  'name',
  'key_type',
  'max_allowed_retries',
  'request_polling_enabled',
  'min_length',
  'platform_unlock_enabled',
] as const satisfies (keyof DomainRow)[]

/** The domain as LoginTC's API has it. */
export function domainOf(row: DomainRow): Domain {
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

export function managedDomainOf(row: DomainRow): ManagedDomain {
  return {
    ...domainOf(row),
    activationCodeMinutes: row.activation_code_minutes,
    otpEnabled: row.otp_enabled === 1,
    bypassCountsAsUnlock: row.bypass_counts_as_unlock === 1,
    numberMatching: oneOf(row.number_matching, numberMatchings, 'numberMatching'),
    onFraud: oneOf(row.on_fraud, fraudReactions, 'onFraud'),
    minLength: row.min_length,
    platformUnlockEnabled: row.platform_unlock_enabled === 1,
    allowedNetworks: allowedNetworksOf(row),
    createdAt: new Date(row.created_at).toISOString(),
  }
}

/** The ranges that a domain's sessions may be created from; none for everywhere. */
export function allowedNetworksOf(row: DomainRow): string[] {
  return row.allowed_networks === '[]' ? [] : (JSON.parse(row.allowed_networks) as string[])
}

/** How long a code of this domain can be used. */
export function codeLifeMs(row: FoundDomain): number {
  const { activation_code_minutes: minutes, activation_code_expiration: days } = row
  const { activationCodeMinutesMax: minutesMax } = settingsOf(row)
  return Math.min(minutes ?? days * minutesPerDay, minutesMax ?? Number.POSITIVE_INFINITY) * 60_000
}

/** The type of a row's key. */
export function keyTypeOf(row: DomainRow): KeyType {
  return oneOf(row.key_type, keyTypes, 'keyType')
}

function readName(text: string): string {
  const name = cleanText(text).trim()
  if (codePoints(name) < 1 || codePoints(name) > 128) throw badRequest('name', 'It has 1 to 128 characters.')
  return name
}

function readKeyType(text: string): KeyType {
  return oneOf(text, keyTypes, 'keyType')
}

function given<Value, Read>(value: Value | undefined, read: (value: Value) => Read): Read | undefined {
  return value === undefined ? undefined : read(value)
}

function givenOrNull<Value, Read>(value: Value | null | undefined, read: (value: Value) => Read) {
  return value === null ? null : given(value, read)
}

function oneOf<Word extends string>(value: string, words: readonly Word[], field: string): Word {
  const word = words.find((known) => known === value)
  if (!word) throw badRequest(field, `It is one of ${words.join(', ')}.`)
  return word
}

function within([min, max]: [number, number], field: string): (value: number) => number {
  return (value) => {
    if (Number.isInteger(value) && value >= min && value <= max) return value
    throw badRequest(field, `It is a whole number from ${min} to ${max}.`)
  }
}
