import assert from 'node:assert/strict'
import { after, before, it } from 'node:test'
import { onEveryEngine } from '../support/engines.ts'
import { startTestServer, type TestServer } from '../support/server.ts'

onEveryEngine((engine) => {
  let server: TestServer
  before(async () => {
    server = await startTestServer(engine)
  })
  after(() => server.stop())

  it('a live key is told that all is well, byte for byte', async () => {
    const reply = await server.call('GET', '/api/ping')
    assert.equal(reply.status, 200)
    assert.equal(reply.text, '{"status":"OK"}')
    assert.equal(reply.headers.get('content-type'), 'application/vnd.logintc.v1+json')
    assert.equal(reply.headers.get('content-length'), '15')
  })

  it('whatever else comes along with a ping does not matter', async () => {
    for (const path of ['/api/ping?page=x&wait=1', '/api/ping?', '/api/ping?username=%00']) {
      assert.equal((await server.call('GET', path)).text, '{"status":"OK"}', path)
    }
    const pings = await Promise.all(Array.from({ length: 100 }, () => server.call('GET', '/api/ping')))
    assert.ok(pings.every(({ text }) => text === '{"status":"OK"}'))
  })
})
