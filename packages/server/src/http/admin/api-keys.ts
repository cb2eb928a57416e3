import Type from 'typebox'
import { scopes } from '../../core/actors.ts'
import {
  createApiKey,
  editable,
  getApiKey,
  listApiKeys,
  type ManagedApiKey,
  revokeApiKey,
  rotateApiKey,
  updateApiKey,
} from '../../core/managed-api-keys.ts'
import { Id, listOf, listQuery, oneOf, Time, tagged } from './objects.ts'
import { changesOf, closed, operation } from './operation.ts'

const name = Type.String({ description: '1 to 128 characters' })
const scope = oneOf(scopes, '`admin` may do everything, the others what their name says')
const domainIds = Type.Union(
  [Type.Null(), Type.Array(Type.String({ pattern: '^[0-9A-Fa-f]{40}$' }), { minItems: 1, maxItems: 100 })],
  { description: 'the only domains that the key may act in; null for all' },
)
const expiresAt = Type.Union([Type.Null(), Time], { description: 'when it stops working; null for never' })

const ApiKey = Type.Object({
  id: Id,
  name,
  prefix: Type.String({ description: 'the first 6 characters of the key' }),
  scope,
  domainIds,
  createdAt: Time,
  expiresAt,
  revokedAt: Type.Union([Type.Null(), Time]),
  lastUsedAt: Type.Union([Type.Null(), Time], { description: 'some minutes late, at most' }),
})
const NewApiKey = Type.Object({
  ...ApiKey.properties,
  apiKey: Type.String({ description: '64 letters and digits, shown this once' }),
})

const mailServer = {
  id: 'c85b1f0e94d2a7360f1be8c5d9a24763b0e5f81a',
  name: 'Mail server',
  prefix: '8sKd2P',
  scope: 'auth',
  domainIds: null,
  createdAt: '2027-01-15T08:00:00.000Z',
  expiresAt: '2028-01-15T08:00:00.000Z',
  revokedAt: null,
  lastUsedAt: null,
} as const
const apiKey = '8sKd2PqY7mZfT4hUcWvR1xNbE6oJ9gLa3iDyHrC5wQpX0tVkBzM8uSnFeGjAlO2I'

export const list = operation({
  summary: 'List the API keys',
  about: 'In the order of their creation, with those that were revoked or have expired.',
  query: listQuery,
  reply: listOf(ApiKey),
  example: { query: { limit: '20' }, reply: { items: [mailServer] } },
  handle: (app, actor, { query }) => listApiKeys(app, actor, query),
})

export const create = operation({
  summary: 'Create an API key',
  about: 'The key is in this answer and nowhere else. It can do no more than who creates it.',
  body: closed({ name, scope, ...changesOf({ domainIds, expiresAt }).properties }),
  status: 201,
  reply: NewApiKey,
  example: {
    body: { name: 'Mail server', scope: 'auth', expiresAt: '2028-01-15T08:00:00Z' },
    reply: { ...mailServer, apiKey },
  },
  handle: async (app, actor, { body }) => shownOnce(await createApiKey(app, actor, body)),
})

export const show = operation({
  summary: 'Show an API key',
  reply: ApiKey,
  example: { reply: mailServer },
  handle: async (app, actor, { id }) => shown(await getApiKey(app, actor, { keyId: id('keyId') })),
})

export const update = operation({
  summary: 'Change an API key',
  takesIfMatch: true,
  about: 'What is absent stays. A key that was revoked or has expired stays as it is.',
  body: changesOf({ name, domainIds, expiresAt }),
  reply: ApiKey,
  example: { body: { name: 'Old mail server' }, reply: { ...mailServer, name: 'Old mail server' } },
  handle: async (app, actor, { id, body, ifMatch }) =>
    shown(await updateApiKey(app, actor, { ...body, keyId: id('keyId'), ifMatch })),
})

export const revoke = operation({
  summary: 'Revoke an API key',
  takesIfMatch: true,
  about: 'The next request with it is refused, on every node; a request that is being answered ends. It stays listed.',
  handle: (app, actor, { id, ifMatch }) => revokeApiKey(app, actor, { keyId: id('keyId'), ifMatch }),
})

export const rotate = operation({
  summary: 'Replace an API key',
  takesIfMatch: true,
  about:
    'Makes another key with the same name, scope and domains, and with a life as long. The old one works for ' +
    '`overlapHours` more, so that every application can be given the new one.',
  body: closed({
    overlapHours: Type.Optional(
      Type.Integer({ minimum: 0, maximum: 720, description: '24 unless told; 0 ends the old key at once' }),
    ),
  }),
  status: 201,
  reply: NewApiKey,
  example: { body: { overlapHours: 48 }, reply: { ...mailServer, apiKey } },
  handle: async (app, actor, { id, body, ifMatch }) =>
    shownOnce(await rotateApiKey(app, actor, { ...body, keyId: id('keyId'), ifMatch })),
})

function shown(key: ManagedApiKey) {
  return tagged(key, editable(key))
}

function shownOnce({ apiKey, ...key }: ManagedApiKey & { apiKey: string }) {
  return tagged({ ...key, apiKey }, editable(key))
}
