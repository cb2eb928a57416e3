import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { type Scope, scopes } from '../../src/core/actors.ts'
import { apiRoutes } from '../../src/http/api/routes.ts'
import { newApiKey } from '../support/api-keys.ts'
import { asOther, newBypassCode, newFob } from '../support/codes.ts'
import { onEveryEngine } from '../support/engines.ts'
import { newPhone, newUser, refusal } from '../support/phones.ts'
import { type Call, type Reply, startTestServer, type TestServer } from '../support/server.ts'
import { type Spy, spyOnStorage } from '../support/spied-storage.ts'
import { dump } from '../support/sql.ts'

/** Who and what a request names. */
interface Named {
  domainId: string
  userId: string
  sessionId: string
  /** of the user */
  bypassCodeId: string
  /** the user's */
  hardwareId: string
}

interface Action {
  /** the keys that may */
  may: Scope[]
  body?(named: Named): unknown
}

const everybody: Scope[] = ['auth', 'read', 'enroll', 'admin']
const readers: Scope[] = ['read', 'enroll', 'admin']
const enrollers: Scope[] = ['enroll', 'admin']
const logins: Scope[] = ['auth', 'admin']

const tokenPath = '/api/domains/:domainId/users/:userId/token'
const sessionPath = '/api/domains/:domainId/sessions/:sessionId'
const codesPath = '/api/users/:userId/bypasscodes'
const codePath = '/api/bypasscodes/:bypassCodeId'
const hardwarePath = '/api/hardware/:hardwareId'
/** the parameters of the paths, and how a refusal calls what is not there */
const nouns: Record<keyof Named, string> = {
  domainId: 'domain',
  userId: 'user',
  sessionId: 'session',
  bypassCodeId: 'bypasscode',
  hardwareId: 'hardware',
}
const seed = '3132333435363738393031323334353637383930'
let created = 0

/** By the route; a route that is not here fails the first test. */
const actions: Record<string, Action> = {
  'GET /api/ping': { may: everybody },
  'GET /api/organization': { may: readers },
  'GET /api/users': { may: readers },
  'POST /api/users': { may: enrollers, body: () => ({ username: `created${++created}` }) },
  'GET /api/users/:userId': { may: readers },
  'PUT /api/users/:userId': { may: enrollers, body: () => ({ name: 'Renamed', email: 'renamed@example.org' }) },
  'DELETE /api/users/:userId': { may: enrollers },
  'GET /api/domains/:domainId': { may: readers },
  'GET /api/domains/:domainId/image': { may: readers },
  'GET /api/domains/:domainId/users': { may: readers },
  'GET /api/domains/:domainId/users/:userId': { may: readers },
  'PUT /api/domains/:domainId/users/:userId': { may: enrollers },
  'DELETE /api/domains/:domainId/users/:userId': { may: enrollers },
  [`GET ${tokenPath}`]: { may: enrollers },
  [`PUT ${tokenPath}`]: { may: enrollers },
  [`DELETE ${tokenPath}`]: { may: enrollers },
  'POST /api/domains/:domainId/sessions': { may: logins, body: ({ userId }) => ({ user: { id: userId } }) },
  [`GET ${sessionPath}`]: { may: everybody },
  [`DELETE ${sessionPath}`]: { may: logins },
  // T38: a bypass code is a credential, whoever reads it.
  [`GET ${codesPath}`]: { may: enrollers },
  [`POST ${codesPath}`]: { may: enrollers, body: () => ({}) },
  [`DELETE ${codesPath}`]: { may: enrollers },
  [`GET ${codePath}`]: { may: enrollers },
  [`DELETE ${codePath}`]: { may: enrollers },
  'GET /api/hardware': { may: readers },
  'POST /api/hardware': {
    may: enrollers,
    body: () => ({ serialNumber: `created${++created}`, type: 'TOTP6', timeStep: 30, seed }),
  },
  [`GET ${hardwarePath}`]: { may: readers },
  [`PUT ${hardwarePath}`]: { may: enrollers, body: () => ({ alias: 'Renamed' }) },
  [`DELETE ${hardwarePath}`]: { may: enrollers },
  'GET /api/users/:userId/hardware': { may: readers },
  'PUT /api/users/:userId/hardware/:hardwareId': { may: enrollers },
  'DELETE /api/users/:userId/hardware': { may: enrollers },
  // Comes last, since it removes everybody else.
  'PUT /api/domains/:domainId/users': { may: enrollers, body: () => [{ username: 'bob' }] },
}

const unknownId = '0123456789abcdef0123456789abcdef01234567'
const malformedIds = [
  'x',
  unknownId.slice(1),
  `${unknownId}0`,
  `${unknownId.slice(1)}%20`,
  '%27%20or%201=1--',
  '%F0%9F%98%80',
]

onEveryEngine((engine) => {
  let server: TestServer
  let spy: Spy
  /** one of each, and all of one another */
  let own: Named
  let foreign: Named
  let keys: Record<Scope, string>
  before(async () => {
    spy = spyOnStorage()
    server = await startTestServer(engine, { storage: spy.storage })
    own = await newcomer()
    const made = scopes.map(async (scope) => [scope, await newApiKey(server, scope, { expiresInMs: 1 })])
    keys = Object.fromEntries(await Promise.all(made))
    const { domainId, mallory: userId, apiKey: key } = server.other
    await server.call('PUT', `/api/domains/${domainId}/users/${userId}/token`, { key })
    const body = { user: { id: userId }, otp: '' }
    const refused = await server.call('POST', `/api/domains/${domainId}/sessions`, { key, body })
    const { id: bypassCodeId } = await newBypassCode(asOther(server), userId)
    const { id: hardwareId } = await newFob(asOther(server), userId)
    foreign = { domainId, userId, sessionId: refused.body.id, bypassCodeId, hardwareId }
  })
  after(() => server.stop())

  it('every route is asked the questions of this file', () => {
    assert.deepEqual(apiRoutes.map(({ method, path }) => `${method} ${path}`).sort(), Object.keys(actions).sort())
  })

  for (const [route, action] of Object.entries(actions)) {
    const [method = '', path = ''] = route.split(' ')
    const names = namedIn(route)

    describe(route, () => {
      const ask = (named: Named, options: Call = {}) => {
        const filled = path.replace(/:(\w+)/g, (_, name: keyof Named) => named[name])
        const body = action.body?.(named)
        return server.call(method, filled, { ...(body === undefined ? {} : { body }), ...options })
      }

      it('is for nobody without a live key', async () => {
        const ended = [await newApiKey(server, 'admin', { revoked: true })]
        ended.push(await newApiKey(server, 'admin', { expiresInMs: 0 }))
        await changingNothing(async () => {
          for (const key of [null, 'a'.repeat(64), ...ended]) {
            const reply = await ask(own, { key })
            assert.deepEqual(refusal(reply), { status: 401, code: 'api.error.unauthorized' })
            assert.equal(reply.headers.get('www-authenticate'), 'LoginTC realm="countersign"')
          }
        })
      })

      it('is for the scopes that are meant for it', async () => {
        for (const scope of action.may) {
          const reply = await ask(await newcomer(), { key: keys[scope] })
          assert.equal(reply.status, 200, `${scope}: ${reply.text}`)
        }
        await changingNothing(async () => {
          for (const scope of scopes.filter((scope) => !action.may.includes(scope))) {
            const reply = await ask(own, { key: keys[scope] })
            assert.deepEqual(refusal(reply), { status: 403, code: 'api.error.forbidden' }, scope)
          }
        })
      })

      if (names.length === 0) return

      it('A43: what is another organization’s costs and says the same as what never was', async () => {
        await changingNothing(async () => {
          for (const name of names) {
            const never = await watched({ ...own, [name]: unknownId })
            const noun = path === sessionPath ? 'session' : nouns[name]
            assert.deepEqual(refusal(never.reply), { status: 404, code: `api.error.notfound.${noun}` })
            const foreigner = await watched({ ...own, [name]: foreign[name] })
            assert.equal(foreigner.reply.text, never.reply.text)
            assert.deepEqual(foreigner.calls, never.calls)
            for (const id of malformedIds) {
              // In a body it is as it is, in a path it is percent-encoded.
              assert.equal((await ask({ ...own, [name]: id })).text, never.reply.text, id)
            }
          }
        })
      })

      it('mallory does nothing with acme’s ids', async () => {
        const { apiKey: key } = server.other
        await changingNothing(async () => {
          for (const name of names) {
            const reply = await ask({ ...foreign, [name]: own[name] }, { key })
            assert.equal(reply.status, 404, name)
            assert.equal(reply.text, (await ask({ ...foreign, [name]: unknownId }, { key })).text)
          }
          assert.equal((await ask(own, { key })).status, 404)
        })
      })

      async function watched(named: Named): Promise<{ calls: string[]; reply: Reply }> {
        spy.calls = []
        const reply = await ask(named)
        // The sweeper has a clock of its own.
        return { calls: spy.calls.filter((call) => !/^tx\.\w+\.(lockLapsed|endSpent|deleteOld\w*)$/.test(call)), reply }
      }
    })
  }

  it('the first thing that is missing is named: domain before user, user before token', async () => {
    const user = await newUser(server)
    const at = (domainId: string, userId: string) =>
      server.call('GET', `/api/domains/${domainId}/users/${userId}/token`)
    for (const [reply, noun] of [
      [await at(unknownId, unknownId), 'domain'],
      [await at(own.domainId, unknownId), 'user'],
      [await at(own.domainId, user.userId), 'token'],
    ] as const) {
      assert.deepEqual(refusal(reply), { status: 404, code: `api.error.notfound.${noun}` })
    }
  })

  /** Refusals, after which every row of the database is as it was. */
  async function changingNothing(work: () => Promise<void>): Promise<void> {
    const rows = await dump(server.database)
    await work()
    assert.deepEqual(await dump(server.database), rows)
  }

  /** A user of acme’s with an activated phone, a request that waits, a bypass code and a hardware token. */
  async function newcomer(): Promise<Named> {
    const { domainId, userId, ask } = await newPhone(server)
    const { sid } = await ask()
    const { id: bypassCodeId } = await newBypassCode(server, userId)
    const { id: hardwareId } = await newFob(server, userId)
    return { domainId, userId, sessionId: sid, bypassCodeId, hardwareId }
  }
})

/** What a request of this route names: in its path, and the user of a new session in its body. */
function namedIn(route: string): (keyof Named)[] {
  const inBody = route.startsWith('POST /api/domains')
  const names = Object.keys(nouns) as (keyof Named)[] // the record's type lists them all
  return names.filter((name) => route.includes(`:${name}`) || (inBody && name === 'userId'))
}
