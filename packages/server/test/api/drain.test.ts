import assert from 'node:assert/strict'
import { before, it } from 'node:test'
import { setImmediate } from 'node:timers/promises'
import { onEveryEngine } from '../support/engines.ts'
import { newDomain, newPhone, type Phone } from '../support/phones.ts'
import { startTestServer, type TestServer } from '../support/server.ts'
import { Wire } from '../support/wire.ts'

onEveryEngine((engine) => {
  let server: TestServer
  before(async () => {
    server = await startTestServer(engine, { settings: { COUNTERSIGN_DRAIN_SECONDS: '1' } })
  })

  /** A connection on which the application reads a session, and waits for its verdict. */
  async function reads({ domainId }: Phone, sid: string, { query = '', agent = 'curl/8' } = {}): Promise<Wire> {
    const { watching } = server.app.events
    const wire = await Wire.open(server.apiUrl)
    const headers = `Authorization: LoginTC key="${server.acme.apiKey}"\r\nUser-Agent: ${agent}\r\n`
    wire.send(`GET /api/domains/${domainId}/sessions/${sid}${query} HTTP/1.1\r\n${headers}\r\n`)
    await untilWaiting(watching + 1)
    return wire
  }

  async function untilWaiting(count: number): Promise<void> {
    while (server.app.events.watching !== count) await setImmediate()
  }

  // In this order: a server goes down once.
  it('whoever waits when the server begins to go down has an answer at once, but for the PAM module, which reads once', async () => {
    const phone = await newPhone(server)
    const request = await phone.ask()
    const application = await reads(phone, request.sid, { query: '?wait=25' })
    const poll = phone.device.poll({ wait: 25, have: [request.sid] })
    await untilWaiting(2)
    const pam = await newPhone(server, { domainId: await newDomain(server, { type: 'PAM' }) })
    const login = await pam.ask()
    const module = await reads(pam, login.sid, { agent: 'LoginTC-C/0.1.0' })

    const begun = performance.now()
    const drained = server.server.drain()
    const answer = await application.answer()
    assert.deepEqual([answer.status, answer.headers.connection], [200, 'close'])
    assert.equal(answer.body, `{"id":"${request.sid}","state":"pending"}`)
    const polled = await poll
    assert.equal(polled.ok && polled.requests[0]?.sid, request.sid)
    assert.ok(performance.now() - begun < 10_000)

    assert.equal((await server.call('GET', '/readyz')).status, 503)
    await drained
    assert.ok(performance.now() - begun > 990, 'it did not go on for the second that it was told')
    await pam.device.approve(login)
    assert.equal((await module.answer()).body, `{"id":"${login.sid}","state":"approved"}`)
  })

  it('whoever comes meanwhile waits as usual, and has an answer when the server stops', async () => {
    const phone = await newPhone(server)
    const [approved, pending] = [await phone.ask(), await phone.ask()]
    const first = await reads(phone, approved.sid, { query: '?wait=25' })
    const second = await reads(phone, pending.sid, { query: '?wait=25' })
    await phone.device.approve(approved)
    assert.equal(JSON.parse((await first.answer()).body).state, 'approved')
    await untilWaiting(1)
    const stopped = server.stop()
    assert.equal(JSON.parse((await second.answer()).body).state, 'pending')
    await stopped
  })
})
