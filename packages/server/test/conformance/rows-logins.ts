import assert from 'node:assert/strict'
import { alike, type Row } from './row.ts'
import { juergen } from './rows-people.ts'
import * as seen from './seen.ts'
import { activate, approve, known, type World } from './world.ts'

const token = '/api/domains/:domainId/users/:userId/token'
const sessions = '/api/domains/:domainId/sessions'
const asMember = (world: World) => juergen(world, { domains: [known(world, 'domainId')] })
const pending = (world: World) => seen.session(known(world, 'sessionId'), 'pending')

/** A domain, its member, the member's token and the logins that it decides. */
export const loginRows: Row[] = [
  {
    endpoint: 'GET /api/domains/:domainId',
    returns: 'domain',
    expect: (world) =>
      seen.domain({
        id: known(world, 'domainId'),
        name: 'Büro',
        type: 'API',
        keyType: 'ONE_STEP',
        maxAllowedRetries: 5,
        requestTimeout: 120,
        activationCodeExpiration: 7,
        requestPollingEnabled: true,
        bypassEnabled: true,
      }),
  },
  { endpoint: 'PUT /api/domains/:domainId/users/:userId', returns: 'void', expect: () => seen.nothing },
  {
    endpoint: 'GET /api/domains/:domainId/users/:userId',
    returns: 'user',
    expect: (world) => seen.user(asMember(world)),
  },
  {
    endpoint: 'GET /api/domains/:domainId/users',
    query: alike('page=1'),
    returns: 'user',
    many: true,
    expect: (world) => seen.users([asMember(world)]),
  },
  {
    endpoint: `PUT ${token}`,
    returns: 'token',
    keep: { activationCode: 'code' },
    expect: (world) => {
      assert.match(known(world, 'activationCode'), /^[0-9a-z]{10}$/)
      return seen.pendingToken(known(world, 'activationCode'))
    },
  },
  {
    endpoint: `GET ${token}`,
    returns: 'token',
    expect: (world) => seen.pendingToken(known(world, 'activationCode')),
  },
  { endpoint: `GET ${token}`, returns: 'token', prepare: activate, expect: () => seen.activeToken },
  { endpoint: `PUT ${token}`, returns: 'token', expect: () => seen.activeToken },
  {
    // PHP's attributes are a map, or what json_encode makes of DomainAttributes; the C client has only a name, escaped.
    endpoint: `POST ${sessions}`,
    returns: 'session',
    body: {
      php: String.raw`{"user":{"id":"{userId}"},"attributes":{"Product":"Qu\u00efnoa"},"ipAddress":"203.0.113.9"}`,
      python: String.raw`{"user": {"id": "{userId}"}, "attributes": [{"key": "Product", "value": "Qu\u00efnoa"}], "ipAddress": "203.0.113.9"}`,
      java: '{"ipAddress":"203.0.113.9","attributes":[{"value":"Qu\xefnoa","key":"Product"}],"user":{"id":"{userId}"}}',
      c: '{"user":{"username":"j%C3%BCrgen%26co%2B1"}, "attributes":[]}',
    },
    keep: { sessionId: 'id' },
    expect: pending,
  },
  { endpoint: `GET ${sessions}/:sessionId`, returns: 'session', c: true, expect: pending },
  {
    endpoint: `GET ${sessions}/:sessionId`,
    returns: 'session',
    c: true,
    async prepare(world) {
      const attrs = (await world.phone?.request())?.challenge.attrs
      assert.deepEqual(attrs, world.client === 'c' ? [] : [{ k: 'Product', v: 'Quïnoa' }])
      await approve(world)
    },
    expect: (world) => seen.session(known(world, 'sessionId'), 'approved'),
  },
  {
    endpoint: `POST ${sessions}`,
    returns: 'session',
    body: {
      php: String.raw`{"user":{"username":"j\u00fcrgen&co+1"},"attributes":[]}`,
      python: String.raw`{"user": {"username": "j\u00fcrgen&co+1"}, "attributes": []}`,
      java: '{"attributes":[],"user":{"username":"j\xfcrgen&co+1"}}',
      c: '{"user":{"username":"J%C3%9CRGEN%26co%2B1"}, "attributes":[]}',
    },
    keep: { sessionId: 'id' },
    expect: pending,
  },
  { endpoint: `DELETE ${sessions}/:sessionId`, returns: 'void', expect: () => seen.nothing },
  {
    endpoint: `GET ${sessions}/:sessionId`,
    returns: 'session',
    c: true,
    expect: (world) => seen.session(known(world, 'sessionId'), 'denied'),
  },
  { endpoint: `DELETE ${token}`, returns: 'void', expect: () => seen.nothing },
]
