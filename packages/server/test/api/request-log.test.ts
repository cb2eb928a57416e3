import assert from 'node:assert/strict'
import { after, before, it } from 'node:test'
import type { ApiRoute } from '../../src/http/route.ts'
import { startListener } from '../../src/http/server.ts'
import { onEveryEngine } from '../support/engines.ts'
import { startTestServer, type TestServer } from '../support/server.ts'
import { exchange } from '../support/wire.ts'

onEveryEngine((engine) => {
  let server: TestServer
  before(async () => {
    server = await startTestServer(engine)
  })
  after(() => server.stop())

  it('a request is one line at debug level: method, pattern of the route, status, duration', async () => {
    server.logged.length = 0
    await server.call('GET', `/api/domains/${server.acme.domainId}/users/${server.acme.alice}?page=1`)
    const [line, ...more] = server.logged
    assert.deepEqual(more, [])
    const { method, route, status, level } = line ?? {}
    assert.deepEqual(
      { method, route, status, level },
      { method: 'GET', route: '/api/domains/:domainId/users/:userId', status: 200, level: 20 },
    )
    assert.equal(typeof line?.ms, 'number')
  })

  it('no body, no key and no query reaches the log, however the request ends', async () => {
    server.logged.length = 0
    const canary = 'c4n4ry'
    await server.call('POST', '/api/users', { body: { username: canary } })
    await server.call('POST', '/api/users', { body: `{"username":"${canary}` })
    await server.call('POST', '/api/users', { body: { username: 7, name: canary } })
    await server.call('GET', `/api/users?username=${canary}`)
    await server.call('GET', `/${canary}?${canary}`)
    await server.call('GET', '/api/ping', { key: canary })
    await server.call('GET', '/api/ping', { key: canary.repeat(11).slice(0, 64) })
    await server.device(`${canary}?${canary}`, { canary })
    await server.device('activation/begin', `{"v":1,"code":"${canary}"}`)
    await server.device('answer', canary)
    await exchange(server.apiUrl, `GET /api/users?username=${canary}\xe9 HTTP/1.1\r\nAuthorization: ${canary}\r\n\r\n`)
    await exchange(server.apiUrl, `GET /${canary} HTTP/1.1\r\n${canary}\r\n\r\n`)
    await exchange(server.apiUrl, `GET /${canary}%zz HTTP/1.1\r\n\r\n`)
    assert.ok(server.logged.length > 10)
    const log = JSON.stringify(server.logged)
    assert.doesNotMatch(log, /c4n4ry/)
    assert.ok(!log.includes(server.acme.apiKey))
  })

  it('what went wrong in the server is told to the operator and not to the client', async () => {
    const broken: ApiRoute = {
      method: 'GET',
      path: '/broken',
      handle: () => Promise.reject(new Error('the cupboard is empty')),
    }
    const listen = { host: '127.0.0.1', port: 0 }
    const listener = await startListener({ kind: 'api', app: server.app, listen, routes: [broken] })
    server.logged.length = 0
    const key = `Authorization: LoginTC key="${server.acme.apiKey}"\r\n`
    const answer = await exchange(`http://127.0.0.1:${listener.port}`, `GET /broken?q HTTP/1.1\r\n${key}\r\n`)
    await listener.close()
    const message = 'Something went wrong in the server. Its log says what.'
    assert.equal(answer.status, 500)
    assert.deepEqual(JSON.parse(answer.body), { errors: [{ code: 'api.error.internal', message }] })
    const line = server.logged.find(({ level }) => level === 50)
    assert.equal(line?.where, 'GET /broken')
    assert.match(JSON.stringify(line?.err), /the cupboard is empty/)
  })
})
