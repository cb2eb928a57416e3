import Type from 'typebox'
import {
  createManagedToken,
  factors,
  getActivationCode,
  getManagedToken,
  listTokens,
  listTokensOfUser,
  type ManagedCode,
  type ManagedToken,
  pushErrors,
  pushStates,
  reissueManagedToken,
  resumeToken,
  tokenStates,
} from '../../core/managed-tokens.ts'
import { revokeToken } from '../../core/tokens.ts'
import { aboutWhom, filterQuery, filtersOf, Id, listOf, listQuery, oneOf, orNull, Time } from './objects.ts'
import { type AdminRequest, operation } from './operation.ts'

const Token = Type.Object({
  id: Id,
  state: oneOf(tokenStates),
  ...aboutWhom,
  device: orNull(
    Type.Object({
      name: Type.String(),
      platform: Type.String(),
      app: Type.String(),
      persisted: Type.Boolean({ description: 'whether its browser has promised to keep the keys' }),
    }),
    'as it described itself; null unless the token is active',
  ),
  factor: Type.Union([oneOf(factors), Type.Null()], { description: 'what unlocks it to approve' }),
  pushState: oneOf(pushStates, 'whether notifications reach the device; with `stale` they do until its next opening'),
  pushError: Type.Union([oneOf(pushErrors), Type.Null()], { description: 'why not, when `failing`' }),
  pushErrorSince: orNull(Time),
  lastAnswerAt: orNull(Time, 'to the minute'),
  suspendedUntil: orNull(Time),
  suspendedReason: orNull(Type.String(), 'fraud_reported, number_failures'),
  throttledUntil: orNull(Time, 'until when no requests are sent because too many were not approved'),
  createdAt: Time,
  expiresAt: orNull(Time, 'of the code of a pending token'),
  activatedAt: orNull(Time),
  endedAt: orNull(Time),
  endedReason: orNull(Type.String()),
})
const Code = Type.Object({
  state: oneOf(['pending']),
  code: Type.String(),
  link: Type.String({ description: 'activates by a tap; for the user alone, like the code' }),
  expiresAt: Time,
})
const Issue = Type.Union([Code, Type.Object({ state: oneOf(['active']) })])

const phone: ManagedToken = {
  id: '2b7f0c9e4d1a86350f7e9b2c4d6a8013c5e7f9b1',
  state: 'active',
  domain: { id: 'a3c9e07b5d1f48620b9e7d3c5a1f08642e6b9d07', name: 'Office VPN' },
  user: { id: '5e0b6a9c31d74f28b0a4c6e8d2f1937a5b8c0d4e', username: 'jane' },
  device: { name: 'Jane’s phone', platform: 'Android', app: 'countersign/1.0', persisted: true },
  factor: 'pin',
  pushState: 'ok',
  pushError: null,
  pushErrorSince: null,
  lastAnswerAt: '2027-01-15T09:12:00.000Z',
  suspendedUntil: null,
  suspendedReason: null,
  throttledUntil: null,
  createdAt: '2027-01-15T08:00:00.000Z',
  expiresAt: null,
  activatedAt: '2027-01-15T08:05:30.000Z',
  endedAt: null,
  endedReason: null,
}
const code: ManagedCode = {
  state: 'pending',
  code: 'd2mfr24k8r',
  link: 'https://mfa.example.org/a#c=d2mfr24k8r&s=8m0hXo5Y3vQ2cJ1kTq7b9A&u=jane',
  expiresAt: '2027-01-22T08:00:00.000Z',
}

export const list = operation({
  summary: 'List the tokens',
  about: 'The newest first, with those that have ended. A key that is bound to domains names one of them.',
  query: { ...filterQuery, state: Type.Optional(oneOf(tokenStates)), ...listQuery },
  reply: listOf(Token),
  example: { query: { state: 'active', limit: '20' }, reply: { items: [phone] } },
  handle: (app, actor, { query }) => listTokens(app, actor, filtersOf(query)),
})

export const listOfUser = operation({
  summary: 'List the tokens of a user',
  about: 'In all domains, the newest first, with those that have ended.',
  query: listQuery,
  reply: listOf(Token),
  example: { reply: { items: [phone] } },
  handle: (app, actor, { id, query }) => listTokensOfUser(app, actor, { ...query, userId: id('userId') }),
})

export const show = operation({
  summary: 'Show the token of a member',
  about: 'The pending or active one, without its code.',
  reply: Token,
  example: { reply: phone },
  handle: (app, actor, request) => getManagedToken(app, actor, memberOf(request)),
})

export const create = operation({
  summary: 'Give a member a token',
  about: 'A pending or active token stays as it is; its code, if pending, is shown, and that it was is recorded.',
  reply: Issue,
  example: { reply: code },
  handle: (app, actor, request) => createManagedToken(app, actor, memberOf(request)),
})

export const remove = operation({
  summary: 'Revoke the token of a member',
  about: 'For good: the device forgets it, a pending code is void, what was pending or approved is denied.',
  handle: (app, actor, request) => revokeToken(app, actor, memberOf(request)),
})

export const showCode = operation({
  summary: 'Reveal the activation code of a member',
  about: 'Whoever has the code can become the user’s authenticator: that it was revealed, and to whom, is recorded.',
  reply: Code,
  example: { reply: code },
  handle: (app, actor, request) => getActivationCode(app, actor, memberOf(request)),
})

export const reissue = operation({
  summary: 'Replace the token of a member',
  about:
    'For a new phone: the old token ends, what was pending or approved by it is denied, and there is a new code, all at once.',
  reply: Code,
  example: { reply: code },
  handle: (app, actor, request) => reissueManagedToken(app, actor, memberOf(request)),
})

export const resume = operation({
  summary: 'End the suspension of a member’s token',
  about:
    'After a fraud report, wrong numbers, or too many requests without an approval. Where none holds nothing happens.',
  handle: (app, actor, request) => resumeToken(app, actor, memberOf(request)),
})

function memberOf({ id }: Pick<AdminRequest, 'id'>) {
  return { domainId: id('domainId'), userId: id('userId') }
}
