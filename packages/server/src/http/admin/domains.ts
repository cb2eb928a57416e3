import { domainTypes, keyTypes } from '@countersign/protocol/resources.ts'
import Type from 'typebox'
import { fraudReactions, numberMatchings } from '../../core/domain-fields.ts'
import { createManagedDomain, deleteDomain, getManagedDomain, listDomains, updateDomain } from '../../core/domains.ts'
import { Id, listOf, listQuery, oneOf, Time, tagged } from './objects.ts'
import { changesOf, closed, operation } from './operation.ts'

const fields = {
  name: Type.String({ description: '1 to 128 characters' }),
  type: oneOf(domainTypes),
  keyType: oneOf(keyTypes, 'how the authenticator is unlocked to approve'),
  maxAllowedRetries: Type.Integer({ minimum: 1, maximum: 10, description: 'wrong PINs that revoke the token' }),
  requestTimeout: Type.Integer({ minimum: 30, maximum: 600, description: 'seconds' }),
  activationCodeExpiration: Type.Integer({ minimum: 1, maximum: 365, description: 'days' }),
  activationCodeMinutes: Type.Union([Type.Null(), Type.Integer({ minimum: 5, maximum: 1_440 })], {
    description: 'minutes, instead of the days; null for the days',
  }),
  requestPollingEnabled: Type.Boolean({ description: 'whether authenticators may ask for requests by themselves' }),
  bypassEnabled: Type.Boolean({ description: 'whether bypass codes may log in' }),
  otpEnabled: Type.Boolean({ description: 'whether hardware tokens may log in' }),
  bypassCountsAsUnlock: Type.Boolean({
    description: 'whether wrong bypass codes revoke the device token like wrong PINs, as LoginTC does',
  }),
  numberMatching: oneOf(numberMatchings),
  onFraud: oneOf(fraudReactions, 'what happens to a token whose user says "not me"'),
  minLength: Type.Integer({ minimum: 4, maximum: 16, description: 'characters of a PIN or passcode' }),
  platformUnlockEnabled: Type.Boolean({
    description: 'whether a fingerprint or the like of the device will do instead of the PIN or passcode',
  }),
  allowedNetworks: Type.Array(Type.String(), {
    maxItems: 100,
    description: 'addresses and CIDR ranges that applications may create sessions from; none for everywhere',
  }),
}
const Domain = Type.Object({ id: Id, ...fields, createdAt: Time })
const { name, ...others } = fields
const Changes = changesOf(fields)
const NewDomain = closed({ name, ...changesOf(others).properties })

const vpn = {
  id: 'a3c9e07b5d1f48620b9e7d3c5a1f08642e6b9d07',
  name: 'Office VPN',
  type: 'RADIUS',
  keyType: 'PIN',
  maxAllowedRetries: 5,
  requestTimeout: 120,
  activationCodeExpiration: 7,
  requestPollingEnabled: true,
  bypassEnabled: true,
  activationCodeMinutes: null,
  otpEnabled: true,
  bypassCountsAsUnlock: false,
  numberMatching: 'whenAsked',
  onFraud: 'suspend',
  minLength: 4,
  platformUnlockEnabled: true,
  allowedNetworks: [],
  createdAt: '2027-01-15T08:00:00.000Z',
}

export const list = operation({
  summary: 'List the domains',
  about: 'In the order of their creation.',
  query: listQuery,
  reply: listOf(Domain),
  example: { query: { limit: '20' }, reply: { items: [vpn] } },
  handle: (app, actor, { query }) => listDomains(app, actor, query),
})

export const create = operation({
  summary: 'Create a domain',
  body: NewDomain,
  status: 201,
  reply: Domain,
  example: { body: { name: 'Office VPN', type: 'RADIUS', keyType: 'PIN', platformUnlockEnabled: true }, reply: vpn },
  handle: async (app, actor, { body }) => tagged(await createManagedDomain(app, actor, body)),
})

export const show = operation({
  summary: 'Show a domain',
  reply: Domain,
  example: { reply: vpn },
  handle: async (app, actor, { id }) => tagged(await getManagedDomain(app, actor, { domainId: id('domainId') })),
})

export const update = operation({
  summary: 'Change a domain',
  about: 'What is absent stays. Tokens go on; authenticators learn of the change at their next poll.',
  takesIfMatch: true,
  body: Changes,
  reply: Domain,
  example: { body: { numberMatching: 'required' }, reply: { ...vpn, numberMatching: 'required' } },
  handle: async (app, actor, { id, body, ifMatch }) =>
    tagged(await updateDomain(app, actor, { ...body, domainId: id('domainId'), ifMatch })),
})

export const remove = operation({
  summary: 'Delete a domain',
  about: 'Its members leave it, and every token and pending code of the domain is revoked. There is no way back.',
  takesIfMatch: true,
  handle: (app, actor, { id, ifMatch }) => deleteDomain(app, actor, { domainId: id('domainId'), ifMatch }),
})
