import { oathCode, stepAt } from '../../src/core/oath.ts'
import { alike, type Row } from './row.ts'
import * as seen from './seen.ts'
import { known, type World } from './world.ts'

const sessions = '/api/domains/:domainId/sessions'
const codes = '/api/users/:userId/bypasscodes'
const seed = '3132333435363738393031323334353637383930'
const approved = (world: World) => seen.session(known(world, 'sessionId'), 'approved')

function limited(world: World, usesRemaining = 2): seen.BypassCode {
  const [id, code, user] = ['bypassCodeId', 'code', 'userId'].map((name) => known(world, name))
  return { id, code, dtExpiry: '2027-01-15T09:00:00+0000', user, usesAllowed: 2, usesRemaining }
}

function everlasting(world: World): seen.BypassCode {
  const [id, code, user] = ['everlastingId', 'everlastingCode', 'userId'].map((name) => known(world, name))
  return { id, code, dtExpiry: '9999-12-31T23:59:59+0000', user, usesAllowed: 1, usesRemaining: 1 }
}

/** Bypass codes, and a login by one. */
export const bypassCodeRows: Row[] = [
  {
    endpoint: `GET ${codes}`,
    returns: 'bypassCode',
    many: true,
    expect: () => ({ all: [], php: null }),
  },
  {
    endpoint: `POST ${codes}`,
    returns: 'bypassCode',
    body: {
      php: '{"usesAllowed":2,"expirationTime":60}',
      python: '{"usesAllowed": 2, "expirationTime": 60}',
      java: '{"expirationTime":60,"usesAllowed":2}',
    },
    keep: { bypassCodeId: 'id', code: 'code' },
    expect: (world) => seen.bypassCode(limited(world)),
  },
  {
    // PHP passes on what its caller has, and a form has strings.
    endpoint: `POST ${codes}`,
    returns: 'bypassCode',
    body: {
      php: '{"usesAllowed":"1","expirationTime":"0"}',
      python: '{"usesAllowed": 1, "expirationTime": 0}',
      java: '{"expirationTime":0,"usesAllowed":1}',
    },
    // What is listed by creation is not all of one moment.
    prepare: ({ server }) => server.clock.advance(1),
    keep: { everlastingId: 'id', everlastingCode: 'code' },
    expect: (world) => seen.bypassCode(everlasting(world)),
  },
  {
    endpoint: `POST ${sessions}`,
    returns: 'session',
    body: {
      php: '{"user":{"id":"{userId}"},"attributes":[],"bypasscode":"{code}"}',
      python: '{"user": {"id": "{userId}"}, "attributes": [], "bypasscode": "{code}"}',
      java: '{"bypasscode":"{code}","attributes":[],"user":{"id":"{userId}"}}',
    },
    keep: { sessionId: 'id' },
    expect: approved,
  },
  {
    endpoint: 'GET /api/bypasscodes/:bypassCodeId',
    returns: 'bypassCode',
    expect: (world) => seen.bypassCode(limited(world, 1)),
  },
  {
    endpoint: `GET ${codes}`,
    returns: 'bypassCode',
    many: true,
    expect: (world) => seen.bypassCodes([limited(world, 1), everlasting(world)]),
  },
  { endpoint: 'DELETE /api/bypasscodes/:bypassCodeId', returns: 'void', expect: () => seen.nothing },
  { endpoint: `DELETE ${codes}`, returns: 'void', expect: () => seen.nothing },
]

function fob(world: World, now: Record<string, unknown> = {}): seen.Seen {
  return seen.same(fobOf(world, now))
}

function fobOf(world: World, now: Record<string, unknown>): Record<string, unknown> {
  return {
    id: known(world, 'hardwareId'),
    alias: `HW-${known(world, 'hardwareId').slice(0, 8)}`,
    serialNumber: '1000/1',
    type: 'TOTP6',
    timeStep: '60s',
    syncState: 'Never Used',
    user: '',
    ...now,
  }
}

const mine = (world: World) => ({ alias: 'Zoë’s', user: known(world, 'userId') })

/** What the fob shows now. */
function readFob({ server, ids }: World): void {
  const step = stepAt(server.clock.now(), 60)
  ids.otp = oathCode({ seed: Buffer.from(seed, 'hex'), step, digits: 6 })
}

/** Hardware tokens, and a login by one. No client writes an alias that it has not been given. */
export const hardwareRows: Row[] = [
  {
    endpoint: 'POST /api/hardware',
    returns: 'hardwareToken',
    body: {
      php: String.raw`{"serialNumber":"1000\/1","type":"TOTP6","timeStep":"60","seed":"${seed}"}`,
      python: `{"serialNumber": "1000/1", "type": "TOTP6", "timeStep": 60, "seed": "${seed}"}`,
      java: `{"serialNumber":"1000/1","timeStep":"60s","seed":"${seed}","type":"TOTP6"}`,
    },
    keep: { hardwareId: 'id' },
    expect: fob,
  },
  { endpoint: 'GET /api/hardware/:hardwareId', returns: 'hardwareToken', expect: fob },
  {
    endpoint: 'PUT /api/hardware/:hardwareId',
    returns: 'hardwareToken',
    body: { php: '{"alias":null}', python: '{}', java: '{}' },
    expect: fob,
  },
  {
    endpoint: 'PUT /api/hardware/:hardwareId',
    returns: 'hardwareToken',
    body: {
      php: String.raw`{"alias":"Zo\u00eb\u2019s"}`,
      python: String.raw`{"alias": "Zo\u00eb\u2019s"}`,
      java: '{"alias":"Zo\xeb\\u2019s"}',
    },
    expect: (world) => fob(world, { alias: 'Zoë’s' }),
  },
  { endpoint: 'PUT /api/users/:userId/hardware/:hardwareId', returns: 'void', expect: () => seen.nothing },
  {
    endpoint: 'GET /api/users/:userId/hardware',
    returns: 'hardwareToken',
    expect: (world) => fob(world, mine(world)),
  },
  {
    endpoint: `POST ${sessions}`,
    returns: 'session',
    prepare: readFob,
    body: {
      php: '{"user":{"id":"{userId}"},"attributes":[],"otp":"{otp}"}',
      python: '{"user": {"id": "{userId}"}, "attributes": [], "otp": "{otp}"}',
      java: '{"attributes":[],"otp":"{otp}","user":{"id":"{userId}"}}',
    },
    keep: { sessionId: 'id' },
    expect: approved,
  },
  {
    endpoint: 'GET /api/hardware',
    query: alike('page=1'),
    returns: 'hardwareToken',
    many: true,
    expect: (world) => seen.same([fobOf(world, { ...mine(world), syncState: 'Synchronized' })]),
  },
  {
    // Each of them asks for pages: a program that goes on until one is empty must come to an end.
    endpoint: 'GET /api/hardware',
    query: alike('page=2'),
    returns: 'hardwareToken',
    many: true,
    expect: () => ({ all: [], php: null }),
  },
  { endpoint: 'DELETE /api/users/:userId/hardware', returns: 'void', expect: () => seen.nothing },
  { endpoint: 'DELETE /api/hardware/:hardwareId', returns: 'void', expect: () => seen.nothing },
]
