import type { ApiErrorCode } from '@countersign/protocol/errors.ts'
import { domainTypes, hardwareTypes, keyTypes } from '@countersign/protocol/resources.ts'
import Type, { type TSchema } from 'typebox'
import type { Permission } from '../../../core/actors.ts'
import { Id, oneOf, Time } from '../../admin/objects.ts'
import type { Example } from '../described.ts'

/** What a route of the compatible API does, beside its address. */
export interface CompatiblePath {
  id: string
  permission: Permission
  summary: string
  about?: string
  query?: Record<string, TSchema>
  body?: TSchema
  /** absent for a void answer */
  reply?: TSchema
  /** what who asks for `application/vnd.countersign.v1+json` is answered */
  detailed?: TSchema
  /** the media type of an answer that is not JSON */
  produces?: string
  headers?: Record<string, string>
  /** beside those that follow from its shape */
  refusals?: ApiErrorCode[]
  examples: Example[]
}

/** By `METHOD /path`, as in the route table. */
export type CompatiblePaths = Record<string, CompatiblePath>

export const compatibleType = 'application/vnd.logintc.v1+json'
export const detailedType = 'application/vnd.countersign.v1+json'

const idOrNone = (whose: string) =>
  Type.String({ pattern: '^([0-9a-f]{40})?$', description: `id of ${whose}, or empty` })

export const Ping = Type.Object({ status: Type.Literal('OK') })
export const Organization = Type.Object({ name: Type.String() })

export const User = Type.Object({
  id: Id,
  username: Type.String({ description: 'as it was written; upper and lower case are the same' }),
  name: Type.String({ description: 'the user name where none was given' }),
  email: Type.String({ description: 'or empty' }),
  domains: Type.Array(Id, { description: 'ids of the domains that the user is a member of' }),
  bypasscodes: Type.Array(Id, { description: 'ids of the bypass codes, those that have ended too' }),
  hardware: idOrNone('the hardware token'),
})

export const Domain = Type.Object({
  id: Id,
  name: Type.String(),
  type: oneOf(domainTypes, 'what it protects'),
  keyType: oneOf(keyTypes, 'how the authenticator is unlocked to approve'),
  maxAllowedRetries: Type.Integer({ minimum: 1, maximum: 10, description: 'wrong PINs that revoke the token' }),
  requestTimeout: Type.Integer({ minimum: 30, maximum: 600, description: 'seconds' }),
  activationCodeExpiration: Type.Integer({ minimum: 1, maximum: 365, description: 'days' }),
  requestPollingEnabled: Type.Boolean({ description: 'whether authenticators may ask for requests by themselves' }),
  bypassEnabled: Type.Boolean({ description: 'whether bypass codes may log in' }),
})

const code = Type.String({ minLength: 10, maxLength: 10, description: 'what the user types on the phone, once' })
const Active = Type.Object({ state: Type.Literal('active') })
export const Token = Type.Union([Type.Object({ state: Type.Literal('pending'), code }), Active], {
  description: 'a pending token with its activation code, or an active one',
})
export const DetailedToken = Type.Union([
  Type.Object({
    state: Type.Literal('pending'),
    code,
    link: Type.String({ description: 'what a QR code for the authenticator holds; a secret' }),
    expiresAt: Time,
  }),
  Active,
])

const state = oneOf(['pending', 'approved', 'denied'])
const number = Type.Optional(
  Type.String({ pattern: '^[0-9]{6}$', description: 'to show on the login screen; only to who asked for one, once' }),
)
export const Session = Type.Object({ id: Id, state, number })
export const DetailedSession = Type.Object({
  id: Id,
  state,
  reason: Type.String({ description: 'why it was denied, such as `timeout` or `not_me`; else empty' }),
  method: oneOf(['push', 'bypasscode', 'otp']),
  createdAt: Time,
  expiresAt: Time,
  number,
})

export const BypassCode = Type.Object({
  id: Id,
  code: Type.String({
    pattern: '^(?:[0-9]{9})?$',
    description: 'empty when its row was changed behind the server’s back',
  }),
  dtExpiry: Type.String({
    pattern: '^\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d\\+0000$',
    description: 'the year 9999 for one that never expires',
  }),
  user: Type.String({ pattern: '^[0-9a-f]{40}$', description: 'id of the user' }),
  usesAllowed: Type.Integer({ minimum: 1, maximum: 1_000 }),
  usesRemaining: Type.Integer({ minimum: 0, maximum: 1_000 }),
})

export const HardwareToken = Type.Object({
  id: Id,
  alias: Type.String({ description: '`HW-` and eight digits of the id unless told' }),
  serialNumber: Type.String(),
  type: oneOf(hardwareTypes, 'with six or eight digits'),
  timeStep: oneOf(['30s', '60s']),
  syncState: oneOf(['Never Used', 'Synchronized', 'Out of Sync']),
  user: idOrNone('the user who has it'),
})

/** A page number; pages have 100 items. */
export const page = {
  page: Type.Optional(Type.Integer({ minimum: 1, description: 'of 100 items, from 1; beyond the end it is empty' })),
}
export const linkHeader = { Link: '`<…>; rel="next"` where there is a next page' }
