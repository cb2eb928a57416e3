import assert from 'node:assert/strict'
import { after, before, it } from 'node:test'
import { apiRoutes } from '../../src/http/api/routes.ts'
import { startListener } from '../../src/http/server.ts'
import { newAdministrator } from '../support/administrators.ts'
import { newApiKey } from '../support/api-keys.ts'
import { onEveryEngine } from '../support/engines.ts'
import { startTestServer, type TestServer } from '../support/server.ts'
import { sql } from '../support/sql.ts'
import { Wire } from '../support/wire.ts'

onEveryEngine((engine) => {
  let server: TestServer
  before(async () => {
    server = await startTestServer(engine)
  })
  after(() => server.stop())

  /** Sends the headers, and the body only when `meanwhile` has happened; the server has let the headers in before. */
  async function hold(
    request: { origin: string; method?: string; path: string; headers: Record<string, string>; body: object },
    meanwhile: () => Promise<unknown>,
  ): Promise<{ status: number; body: string }> {
    const body = JSON.stringify(request.body)
    const headers = { ...request.headers, host: 'x', 'content-length': body.length, expect: '100-continue' }
    const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`)
    const wire = await Wire.open(request.origin)
    wire.send(`${request.method ?? 'POST'} ${request.path} HTTP/1.1\r\n${lines.join('')}\r\n`)
    assert.equal((await wire.answer()).status, 100)
    await meanwhile()
    const answer = await wire.send(body).answer()
    wire.close()
    return answer
  }

  it('A40: an owner who is disabled while the body is held back makes no owner of anybody', async () => {
    await newAdministrator(server, 'owner')
    const olivia = await newAdministrator(server, 'owner')
    const headers = await olivia.signIn()
    const body = { email: 'back@example.org', name: 'Back', role: 'owner' }
    const request = { origin: server.apiUrl, path: '/admin/v1/administrators', headers: { ...headers }, body }
    const answer = await hold(request, () => server.call('PATCH', olivia.path, { body: { disabled: true } }))
    assert.equal(answer.status, 401, answer.body)
    assert.deepEqual(await sql(server.database, 'select 1 from administrators where email_key = ?', body.email), [])
  })

  it('A40: a key that is revoked while the body is held back makes no other key, by either spelling', async () => {
    for (const spelling of [(key: string) => `Bearer ${key}`, (key: string) => `LoginTC key="${key}"`]) {
      const { body: created } = await server.call('POST', '/admin/v1/api-keys', {
        body: { name: 'Held', scope: 'admin' },
      })
      const headers = { authorization: spelling(created.apiKey) }
      const request = {
        origin: server.apiUrl,
        path: '/admin/v1/api-keys',
        headers,
        body: { name: 'Back', scope: 'admin' },
      }
      const answer = await hold(request, () => server.call('DELETE', `/admin/v1/api-keys/${created.id}`))
      assert.equal(answer.status, 401, answer.body)
    }
    assert.deepEqual(await sql(server.database, 'select 1 from api_keys where name = ?', 'Back'), [])
  })

  it('A40: a key that ends while the body of a request to the REST API is held back creates nothing', async () => {
    const listen = { host: '127.0.0.1', port: 0 }
    const limits = { keyFreshMs: 0 }
    const listener = await startListener({ kind: 'api', app: server.app, listen, routes: apiRoutes, limits })
    const key = await newApiKey(server, 'admin', { expiresInMs: 1_000 })
    const headers = { authorization: `LoginTC key="${key}"` }
    const origin = `http://127.0.0.1:${listener.port}`
    const request = { origin, path: '/api/users', headers, body: { username: 'held' } }
    const answer = await hold(request, async () => server.clock.advance(1_000))
    assert.equal(answer.status, 401, answer.body)
    assert.deepEqual(await sql(server.database, 'select 1 from users where username_key = ?', 'held'), [])
    await listener.close()
  })
})
