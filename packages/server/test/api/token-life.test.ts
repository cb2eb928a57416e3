import assert from 'node:assert/strict'
import { after, before, it } from 'node:test'
import { TestDevice } from '../support/device.ts'
import { onEveryEngine } from '../support/engines.ts'
import { startTestServer, type TestServer } from '../support/server.ts'

onEveryEngine((engine) => {
  let server: TestServer
  before(async () => {
    server = await startTestServer(engine)
  })
  after(() => server.stop())

  it('a token lives from its code over an approval to its revocation', async () => {
    const { domainId, alice } = server.acme
    const token = `/api/domains/${domainId}/users/${alice}/token`

    const created = await server.call('PUT', token)
    assert.equal(created.status, 200)
    assert.match(created.text, /^\{"state":"pending","code":"[0-9a-hjkmnp-tv-z]{10}"\}$/)
    assert.equal((await server.call('PUT', token)).text, created.text)
    assert.equal((await server.call('GET', token)).text, created.text)

    const code = created.body.code.toUpperCase()
    const device = await TestDevice.activate(server, { code, username: 'Alice', pin: false })
    assert.equal((await server.call('GET', token)).text, '{"state":"active"}')
    assert.equal((await server.call('PUT', token)).text, '{"state":"active"}')

    const session = await server.call('POST', `/api/domains/${domainId}/sessions`, { body: { user: { id: alice } } })
    assert.match(session.text, /^\{"id":"[0-9a-f]{40}","state":"pending"\}$/)
    const verdict = `/api/domains/${domainId}/sessions/${session.body.id}`
    assert.equal((await server.call('GET', verdict)).text, session.text)

    const approved = await device.approve(await device.request())
    assert.deepEqual(approved.body, { sid: session.body.id, state: 'approved' })
    assert.equal((await server.call('GET', verdict)).body.state, 'approved')

    const deleted = await server.call('DELETE', token)
    assert.equal(deleted.status, 200)
    assert.equal(deleted.text, '')
    assert.equal(deleted.headers.get('content-length'), '0')

    const gone = await server.call('GET', token)
    assert.equal(gone.status, 404)
    assert.equal(gone.body.errors[0].code, 'api.error.notfound.token')
    const refused = await server.call('POST', `/api/domains/${domainId}/sessions`, { body: { user: { id: alice } } })
    assert.equal(refused.status, 404)
    assert.equal(refused.body.errors[0].code, 'api.error.notfound.token')
    assert.equal((await server.call('GET', verdict)).body.state, 'denied')
    assert.deepEqual(await device.poll(), { kid: device.tid, ok: false, code: 'token_revoked' })
  })
})
