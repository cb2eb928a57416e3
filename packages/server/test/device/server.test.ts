import assert from 'node:assert/strict'
import { after, before, it } from 'node:test'
import { onEveryEngine } from '../support/engines.ts'
import { refusal } from '../support/phones.ts'
import { startTestServer, type TestServer } from '../support/server.ts'

onEveryEngine((engine) => {
  let server: TestServer
  before(async () => {
    server = await startTestServer(engine, { settings: { COUNTERSIGN_NAME: 'Example MFA — Zürich' } })
  })
  after(() => server.stop())

  it('tells anybody its name, its versions, its origin and the time', async () => {
    const response = await fetch(`${server.deviceUrl}/device/v1/server`, { headers: { host: 'evil.example' } })
    assert.equal(response.status, 200)
    assert.deepEqual(await response.json(), {
      name: 'Example MFA — Zürich',
      versions: [1],
      origin: server.deviceUrl,
      time: server.clock.now() / 1000,
    })
  })

  it('answers with the headers of an origin that nobody can frame, read from elsewhere or set cookies for', async () => {
    const origin = { origin: 'https://admin.example.org' }
    const answers = [
      await fetch(`${server.deviceUrl}/device/v1/server`, { headers: origin }),
      await fetch(`${server.deviceUrl}/device/v1/sync`, { method: 'POST', body: '{}', headers: origin }),
      await fetch(`${server.deviceUrl}/device/v1/sync`, {
        method: 'OPTIONS',
        headers: { ...origin, 'access-control-request-method': 'POST' },
      }),
      await fetch(`${server.deviceUrl}/nothing`, { headers: origin }),
    ]
    for (const { headers } of answers) {
      assert.equal(headers.get('content-type'), 'application/json')
      assert.equal(headers.get('cache-control'), 'no-store')
      assert.equal(headers.get('x-content-type-options'), 'nosniff')
      assert.match(
        headers.get('content-security-policy') ?? '',
        /default-src 'none'.*frame-ancestors 'none'.*require-trusted-types-for 'script'/,
      )
      for (const name of headers.keys()) assert.ok(!/^access-control-|^set-cookie/.test(name), name)
    }
  })

  it('knows its operations by POST only, and none of the REST API', async () => {
    for (const path of [
      'activation/begin',
      'activation/finish',
      'sync',
      'answer',
      'push',
      'factor',
      'rotate',
      'remove',
    ]) {
      const response = await fetch(`${server.deviceUrl}/device/v1/${path}`)
      assert.equal(response.headers.get('allow'), 'POST', path)
      assert.equal(response.status, 405, path)
      assert.match(await response.text(), /"code":"method_not_allowed"/)
    }
    const { apiKey: key } = server.acme
    const headers = { authorization: `LoginTC key="${key}"` }
    for (const url of [`${server.deviceUrl}/api/ping`, `${server.apiUrl}/device/v1/server`]) {
      assert.equal((await fetch(url, { headers })).status, 404, url)
    }
    assert.deepEqual(refusal(await server.device('answer/', '')), { status: 404, code: 'not_found' })
  })
})
