import assert from 'node:assert/strict'
import { after, before, it } from 'node:test'
import { setImmediate } from 'node:timers/promises'
import { onEveryEngine } from '../support/engines.ts'
import { countersign, newPhone } from '../support/phones.ts'
import { startTestServer, type TestServer } from '../support/server.ts'
import { Wire } from '../support/wire.ts'

onEveryEngine((engine) => {
  let server: TestServer
  before(async () => {
    server = await startTestServer(engine)
  })
  after(() => server.stop())

  const path = (sid: string, query = '') => `/api/domains/${server.acme.domainId}/sessions/${sid}${query}`

  it('who waits is told as soon as the verdict is in', async () => {
    const phone = await newPhone(server)
    const request = await phone.ask()
    const waiting = server.call('GET', path(request.sid, '?wait=25'))
    await phone.device.approve(request)
    assert.equal((await waiting).text, `{"id":"${request.sid}","state":"approved"}`)
  })

  it('a wait that is none, or has nothing to wait for, answers at once', async () => {
    const phone = await newPhone(server)
    const request = await phone.ask()
    for (const wait of ['0', '-5', 'x', '', 'NaN', '0.01']) {
      assert.equal((await server.call('GET', path(request.sid, `?wait=${wait}`))).body.state, 'pending', wait)
    }
    await phone.device.deny(request)
    assert.equal((await server.call('GET', path(request.sid, '?wait=25'))).body.state, 'denied')
  })

  it('the details are for those who ask for them, and so is their type', async () => {
    const phone = await newPhone(server)
    const request = await phone.ask()
    const detailed = await server.call('GET', path(request.sid), { headers: countersign })
    assert.equal(detailed.headers.get('content-type'), 'application/vnd.countersign.v1+json')
    assert.deepEqual(Object.keys(detailed.body), ['id', 'state', 'reason', 'method', 'createdAt', 'expiresAt'])
    const listed = { accept: 'text/html;q=0.1, Application/vnd.Countersign.v1+JSON; q=0.9' }
    assert.equal((await server.call('GET', path(request.sid), { headers: listed })).text, detailed.text)
    assert.equal((await server.call('GET', path(request.sid))).text, `{"id":"${request.sid}","state":"pending"}`)
  })

  it('a client that hangs up leaves nobody waiting', async () => {
    const phone = await newPhone(server)
    const request = await phone.ask()
    const { events } = server.app
    const wire = await Wire.open(server.apiUrl)
    wire.send(
      `GET ${path(request.sid, '?wait=25')} HTTP/1.1\r\nAuthorization: LoginTC key="${server.acme.apiKey}"\r\n\r\n`,
    )
    while (events.watching === 0) await setImmediate()
    const begun = performance.now()
    wire.close()
    while (events.watching > 0) await setImmediate()
    assert.ok(performance.now() - begun < 10_000)
    assert.equal(await phone.verdict(request.sid), 'pending')
  })

  it('ids are found in upper case, too', async () => {
    const phone = await newPhone(server)
    const request = await phone.ask()
    const upper = `/api/domains/${server.acme.domainId.toUpperCase()}/sessions/${request.sid.toUpperCase()}`
    assert.equal((await server.call('GET', upper)).body.id, request.sid)
    const body = { user: { id: phone.userId.toUpperCase() } }
    assert.equal((await server.call('POST', `/api/domains/${server.acme.domainId}/sessions`, { body })).status, 200)
  })
})
