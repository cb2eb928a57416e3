import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { type Scope, scopes } from '../../src/core/actors.ts'
import { apiRoutes } from '../../src/http/api/routes.ts'
import { newApiKey } from '../support/api-keys.ts'
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
    foreign = { domainId, userId, sessionId: refused.body.id }
  })
  after(() => server.stop())

  it('every route is asked the questions of this file', () => {
    assert.deepEqual(apiRoutes.map(({ method, path }) => `${method} ${path}`).sort(), Object.keys(actions).sort())
  })

  for (const [route, action] of Object.entries(actions)) {
    const [method = '', path = ''] = route.split(' ')
    const names = ['domainId', 'userId', 'sessionId'].filter(
      (name) => path.includes(`:${name}`) || (name === 'userId' && route.startsWith('POST /api/domains')),
    ) as (keyof Named)[]

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
            const noun = path === sessionPath ? 'session' : name.replace('Id', '')
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
        return { calls: spy.calls, reply }
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

  /** A user of acme’s with an activated phone and a request that waits. */
  async function newcomer(): Promise<Named> {
    const phone = await newPhone(server)
    const { sid } = await phone.ask()
    return { domainId: phone.domainId, userId: phone.userId, sessionId: sid }
  }
})
