import { alike, type Row } from './row.ts'
import * as seen from './seen.ts'
import { known, type World } from './world.ts'

/** The user as all of the API shows it, members in the order of the documentation. */
export function juergen(world: World, now: Record<string, unknown> = {}): Record<string, unknown> {
  return {
    id: known(world, 'userId'),
    username: 'jürgen&co+1',
    name: 'Zoë "ß" </b>',
    email: 'j@example.org',
    domains: [],
    bypasscodes: [],
    hardware: '',
    ...now,
  }
}

const nameless = (world: World) => seen.user(juergen(world, { name: 'jürgen&co+1' }))
const named = (world: World) => seen.user(juergen(world))

/** Ping, the organization and the users in it. org.json writes members in the order of a HashMap. */
export const peopleRows: Row[] = [
  { endpoint: 'GET /api/ping', returns: 'ping', expect: () => seen.pong },
  {
    endpoint: 'GET /api/organization',
    returns: 'organization',
    expect: ({ client }) => seen.same({ name: `Söhne “${client}”` }),
  },
  {
    // PHP and Python hand null on; org.json leaves a member out instead.
    endpoint: 'POST /api/users',
    returns: 'user',
    body: {
      php: String.raw`{"username":"j\u00fcrgen&co+1","name":null,"email":"j@example.org"}`,
      python: String.raw`{"username": "j\u00fcrgen&co+1", "email": "j@example.org", "name": null}`,
      java: '{"email":"j@example.org","username":"jürgen&co+1"}',
    },
    keep: { userId: 'id' },
    expect: nameless,
  },
  {
    // PHP writes a name into the URL as it is; httplib2 and java.net.URI encode what is not ASCII.
    endpoint: 'GET /api/users',
    query: {
      php: 'username=j\xc3\xbcrgen&co+1',
      python: 'username=j%C3%BCrgen&co+1',
      java: 'username=j%C3%BCrgen&co+1',
    },
    returns: 'user',
    expect: nameless,
  },
  {
    endpoint: 'PUT /api/users/:userId',
    returns: 'user',
    body: {
      php: String.raw`{"name":"Zo\u00eb \"\u00df\" <\/b>","email":null}`,
      python: String.raw`{"name": "Zo\u00eb \"\u00df\" </b>"}`,
      java: '{"name":"Zo\xeb \\"\xdf\\" <\\/b>"}',
    },
    expect: named,
  },
  { endpoint: 'GET /api/users/:userId', returns: 'user', expect: named },
  {
    endpoint: 'GET /api/users',
    query: alike('page=1'),
    returns: 'user',
    many: true,
    expect: (world) => seen.users([juergen(world)]),
  },
  {
    endpoint: 'GET /api/users',
    query: alike('page=2'),
    returns: 'user',
    many: true,
    expect: () => ({ all: [], php: null }),
  },
]

const zoe = {
  php: String.raw`{"username":"zo\u00eb","name":"Zo\u00eb","email":"z@example.org"}`,
  python: String.raw`{"username": "zo\u00eb", "email": "z@example.org", "name": "Zo\u00eb"}`,
  java: '{"name":"Zo\xeb","email":"z@example.org","username":"zo\xeb"}',
}

/** The list of a domain's users as one, and how it all ends. */
export const endingRows: Row[] = [
  {
    endpoint: 'PUT /api/domains/:domainId/users',
    returns: 'void',
    body: {
      php: String.raw`[${zoe.php},{"username":"j\u00fcrgen&co+1","name":null,"email":null}]`,
      python: String.raw`[${zoe.python}, {"username": "j\u00fcrgen&co+1", "email": null, "name": null}]`,
      java: `[${zoe.java},{"username":"j\xfcrgen&co+1"}]`,
    },
    expect: () => seen.nothing,
  },
  {
    endpoint: 'GET /api/users',
    query: { php: 'username=ZO\xc3\x8b', python: 'username=ZO%C3%8B', java: 'username=ZO%C3%8B' },
    returns: 'user',
    keep: { zoeId: 'id' },
    expect: (world) => seen.user(zoeOf(world)),
  },
  {
    endpoint: 'GET /api/domains/:domainId/users',
    query: alike('page=1'),
    returns: 'user',
    many: true,
    expect: (world) => seen.users([member(world), zoeOf(world)]),
  },
  { endpoint: 'DELETE /api/domains/:domainId/users/:userId', returns: 'void', expect: () => seen.nothing },
  { endpoint: 'GET /api/users/:userId', returns: 'user', expect: named },
  { endpoint: 'DELETE /api/users/:userId', returns: 'void', expect: () => seen.nothing },
  {
    endpoint: 'GET /api/users',
    query: alike('page=1'),
    returns: 'user',
    many: true,
    expect: (world) => seen.users([zoeOf(world)]),
  },
]

function member(world: World): Record<string, unknown> {
  return juergen(world, { domains: [known(world, 'domainId')] })
}

function zoeOf(world: World): Record<string, unknown> {
  const zoë = { id: known(world, 'zoeId'), username: 'zoë', name: 'Zoë', email: 'z@example.org' }
  return { ...member(world), ...zoë }
}
