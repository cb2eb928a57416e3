import assert from 'node:assert/strict'
import { after, before, it } from 'node:test'
import { onEveryEngine } from '../support/engines.ts'
import { newPhone } from '../support/phones.ts'
import { startTestServer, type TestServer } from '../support/server.ts'
import { Wire } from '../support/wire.ts'

const slowClients = 300
const memoryMaxBytes = 128 * 1024 * 1024

onEveryEngine((engine) => {
  let server: TestServer
  before(async () => {
    server = await startTestServer(engine)
  })
  after(() => server.stop())

  it('T30 hundreds of bodies that never end take little memory, and the others are served within a second', async () => {
    const phone = await newPhone(server)
    const before = process.memoryUsage().rss
    const slow = await Promise.all(Array.from({ length: slowClients }, () => Wire.open(server.deviceUrl)))
    for (const wire of slow)
      wire.send('POST /device/v1/answer HTTP/1.1\r\nContent-Length: 16384\r\n\r\n', 'x'.repeat(16_000))
    const huge = await Promise.all(Array.from({ length: slowClients }, () => Wire.open(server.apiUrl)))
    const put = `PUT /api/domains/${phone.domainId}/users HTTP/1.1\r\nContent-Length: 60000000\r\n`
    const key = `Authorization: LoginTC key="${server.acme.apiKey}"\r\n`
    for (const wire of huge) wire.send(`${put}${key}\r\n`, '['.padEnd(50_000))

    const begun = performance.now()
    const request = await phone.ask()
    assert.equal((await phone.device.approve(request)).body.state, 'approved')
    assert.equal(await phone.verdict(request.sid), 'approved')
    assert.ok(performance.now() - begun < 1_000, `${Math.round(performance.now() - begun)} ms`)
    assert.ok(process.memoryUsage().rss - before < memoryMaxBytes)
    for (const wire of [...slow, ...huge]) wire.close()
  })
})
