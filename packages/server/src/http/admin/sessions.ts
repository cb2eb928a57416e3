import Type from 'typebox'
import {
  cancelManagedSession,
  getManagedSession,
  listSessions,
  type ManagedSession,
  managedSessionStates,
  type ShownSession,
  sessionMethods,
} from '../../core/managed-sessions.ts'
import { aboutWhom, filterQuery, filtersOf, Id, listOf, listQuery, oneOf, orNull, Time } from './objects.ts'
import { operation } from './operation.ts'

const fields = {
  id: Id,
  state: oneOf(managedSessionStates, '`expired`: nobody answered, or the approval is too old to be read'),
  reason: Type.String({ description: 'why it is in that state; "" while pending and for an approval' }),
  method: oneOf(sessionMethods),
  ...aboutWhom,
  tokenId: orNull(Id, 'the token that was asked; null where a code came along'),
  ipAddress: orNull(Type.String(), 'what the application said of where the user is'),
  numberMatching: Type.Boolean({ description: 'whether a number had to be typed' }),
  createdAt: Time,
  expiresAt: Time,
  approvedAt: orNull(Time),
  endedAt: orNull(Time),
}
const Session = Type.Object(fields)
const Attribute = Type.Object({ key: Type.String(), value: Type.String() })
const Shown = Type.Object({
  ...fields,
  attributes: Type.Array(Attribute, { description: 'as the authenticator showed them' }),
})

const when = (description: string) => Type.Optional(Type.String({ format: 'date-time', description }))

const login: ManagedSession = {
  id: '7d1e5f3a9c0b24680e2c4a6f8b1d3957f0a2c4e6',
  state: 'approved',
  reason: '',
  method: 'push',
  domain: { id: 'a3c9e07b5d1f48620b9e7d3c5a1f08642e6b9d07', name: 'Office VPN' },
  user: { id: '5e0b6a9c31d74f28b0a4c6e8d2f1937a5b8c0d4e', username: 'jane' },
  tokenId: '2b7f0c9e4d1a86350f7e9b2c4d6a8013c5e7f9b1',
  ipAddress: '203.0.113.17',
  numberMatching: false,
  createdAt: '2027-01-15T09:12:00.000Z',
  expiresAt: '2027-01-15T09:14:00.000Z',
  approvedAt: '2027-01-15T09:12:11.000Z',
  endedAt: null,
}
const shown: ShownSession = { ...login, attributes: [{ key: 'Application', value: 'Office VPN' }] }

export const list = operation({
  summary: 'List the sessions',
  about: 'The newest first. A key that is bound to domains names one of them.',
  query: {
    ...filterQuery,
    state: Type.Optional(oneOf(managedSessionStates)),
    since: when('created then or later'),
    until: when('created before then'),
    ...listQuery,
  },
  reply: listOf(Session),
  example: { query: { state: 'approved', since: '2027-01-15T00:00:00Z' }, reply: { items: [login] } },
  handle: (app, actor, { query }) => listSessions(app, actor, filtersOf(query)),
})

export const show = operation({
  summary: 'Show a session',
  about: 'With what the user was shown, but for the number to type, which nobody can read again.',
  reply: Shown,
  example: { reply: shown },
  handle: (app, actor, { id }) => getManagedSession(app, actor, { sessionId: id('sessionId') }),
})

export const cancel = operation({
  summary: 'Cancel a session',
  about: 'The authenticator drops it, and an approval is no longer one. A session that has ended stays as it ended.',
  handle: (app, actor, { id }) => cancelManagedSession(app, actor, { sessionId: id('sessionId') }),
})
