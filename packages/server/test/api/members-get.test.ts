import assert from 'node:assert/strict'
import { after, before, it } from 'node:test'
import { onEveryEngine } from '../support/engines.ts'
import { newDomain, refusal } from '../support/phones.ts'
import { startTestServer, type TestServer } from '../support/server.ts'

onEveryEngine((engine) => {
  let server: TestServer
  before(async () => {
    server = await startTestServer(engine)
  })
  after(() => server.stop())

  it('a member is answered as the user is, in upper-case ids, too', async () => {
    const { domainId, alice } = server.acme
    const { text } = await server.call('GET', `/api/users/${alice}`)
    for (const path of [`${domainId}/users/${alice}`, `${domainId.toUpperCase()}/users/${alice.toUpperCase()}`]) {
      const reply = await server.call('GET', `/api/domains/${path}`)
      assert.deepEqual([reply.status, reply.text], [200, text])
    }
  })

  it('a user who is no member of this domain is not found in it, and one who left is not any more', async () => {
    const member = `/api/domains/${await newDomain(server, {})}/users/${server.acme.alice}`
    const missing = { status: 404, code: 'api.error.notfound.user' }
    assert.deepEqual(refusal(await server.call('GET', member)), missing)
    await server.call('PUT', member)
    assert.equal((await server.call('GET', member)).status, 200)
    await server.call('DELETE', member)
    assert.deepEqual(refusal(await server.call('GET', member)), missing)
  })
})
