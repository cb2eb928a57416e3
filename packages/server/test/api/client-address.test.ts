import assert from 'node:assert/strict'
import { after, before, it } from 'node:test'
import type { DeviceRoute } from '../../src/http/route.ts'
import { startListener } from '../../src/http/server.ts'
import { onEveryEngine } from '../support/engines.ts'
import { startTestServer, type TestServer } from '../support/server.ts'
import { exchange } from '../support/wire.ts'

const echo: DeviceRoute = {
  method: 'GET',
  path: '/address',
  handle: async (_app, request) => ({ address: request.clientAddress }),
}

onEveryEngine((engine) => {
  let server: TestServer
  before(async () => {
    server = await startTestServer(engine)
  })
  after(() => server.stop())

  /** Who the server takes a local client for, whose requests have these headers, when it trusts these proxies. */
  async function seenAs(trustedProxies: string[], ...forwarded: string[]): Promise<string> {
    const app = { ...server.app, config: { ...server.config, trustedProxies } }
    const listener = await startListener({
      kind: 'device',
      app,
      listen: { host: '127.0.0.1', port: 0 },
      routes: [echo],
    })
    const headers = forwarded.map((value) => `X-Forwarded-For: ${value}\r\n`).join('')
    const answer = await exchange(`http://127.0.0.1:${listener.port}`, `GET /address HTTP/1.1\r\n${headers}\r\n`)
    await listener.close()
    return JSON.parse(answer.body).address
  }

  it('a client is who the connection says, whatever it claims', async () => {
    assert.equal(await seenAs([]), '127.0.0.1')
    assert.equal(await seenAs([], '203.0.113.9'), '127.0.0.1')
    assert.equal(await seenAs(['10.0.0.0/8'], '203.0.113.9'), '127.0.0.1')
  })

  it('behind a trusted proxy it is the last address that no trusted proxy has', async () => {
    assert.equal(await seenAs(['127.0.0.1'], '203.0.113.9'), '203.0.113.9')
    assert.equal(await seenAs(['127.0.0.0/8'], '1.1.1.1, 203.0.113.9'), '203.0.113.9')
    assert.equal(await seenAs(['127.0.0.1'], '1.1.1.1', '203.0.113.9'), '203.0.113.9')
    assert.equal(await seenAs(['127.0.0.1', '10.0.0.0/8'], '1.1.1.1, 203.0.113.9, 10.1.2.3'), '203.0.113.9')
  })

  it('an address is written one way', async () => {
    assert.equal(await seenAs(['127.0.0.1'], '203.0.113.9:4711'), '203.0.113.9')
    assert.equal(await seenAs(['127.0.0.1'], '::FFFF:203.0.113.9'), '203.0.113.9')
    assert.equal(await seenAs(['127.0.0.1'], '[2001:DB8::1]:4711'), '2001:db8::1')
  })

  it('what is no address is not believed: it is the proxy then', async () => {
    assert.equal(await seenAs(['127.0.0.1'], 'unknown'), '127.0.0.1')
    assert.equal(await seenAs(['127.0.0.1'], '203.0.113.9, <script>'), '127.0.0.1')
    assert.equal(await seenAs(['127.0.0.1']), '127.0.0.1')
  })
})
