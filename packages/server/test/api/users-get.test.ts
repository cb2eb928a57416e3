import assert from 'node:assert/strict'
import { after, before, it } from 'node:test'
import { onEveryEngine } from '../support/engines.ts'
import { newUser } from '../support/phones.ts'
import { startTestServer, type TestServer } from '../support/server.ts'

onEveryEngine((engine) => {
  let server: TestServer
  before(async () => {
    server = await startTestServer(engine)
  })
  after(() => server.stop())

  it('a user is read byte for byte, with the domains in the order of their ids', async () => {
    const { alice, domainId, pinDomainId } = server.acme
    const [first, second] = [domainId, pinDomainId].sort()
    const reply = await server.call('GET', `/api/users/${alice}`)
    assert.equal(reply.status, 200)
    assert.equal(
      reply.text,
      `{"id":"${alice}","username":"alice","name":"alice","email":"alice@example.org",` +
        `"domains":["${first}","${second}"],"bypasscodes":[],"hardware":""}`,
    )
  })

  it('domains come and go with the memberships, and a token makes no difference', async () => {
    const { userId } = await newUser(server)
    const { domainId, pinDomainId } = server.acme
    const domains = async () => (await server.call('GET', `/api/users/${userId}`)).body.domains
    await server.call('PUT', `/api/domains/${domainId}/users/${userId}/token`)
    assert.equal((await domains()).length, 2)
    await server.call('DELETE', `/api/domains/${domainId}/users/${userId}`)
    assert.deepEqual(await domains(), [pinDomainId])
    await server.call('DELETE', `/api/domains/${pinDomainId}/users/${userId}`)
    assert.deepEqual(await domains(), [])
  })

  it('an id is found in upper case, too, and answered in lower', async () => {
    const { alice } = server.acme
    assert.equal((await server.call('GET', `/api/users/${alice.toUpperCase()}`)).body.id, alice)
  })
})
