import assert from 'node:assert/strict'
import { after, before, it } from 'node:test'
import { newBypassCode, newFob } from '../support/codes.ts'
import { onEveryEngine } from '../support/engines.ts'
import { newDomain, newUser } from '../support/phones.ts'
import { startTestServer, type TestServer } from '../support/server.ts'

onEveryEngine((engine) => {
  let server: TestServer
  before(async () => {
    server = await startTestServer(engine)
  })
  after(() => server.stop())

  it('T38: a key that is bound to a domain changes nobody who was there before, and is told of no other domain and no code', async () => {
    const domainId = await newDomain(server, {})
    const { userId, username } = await newUser(server)
    await newBypassCode(server, userId)
    await newFob(server, userId)
    const whole = () => server.call('GET', `/api/users/${userId}`)
    const { name, email } = (await whole()).body
    const { body: made } = await server.call('POST', '/admin/v1/api-keys', {
      body: { name: 'Bound', scope: 'enroll', domainIds: [domainId] },
    })
    const key = made.apiKey
    const newcomer = { username: `new-${username}`, name: 'New', email: 'new@example.org' }
    const list = [{ username, name: 'Evil', email: 'x@evil.example' }, newcomer]
    assert.equal((await server.call('PUT', `/api/domains/${domainId}/users`, { key, body: list })).status, 200)
    const { body: after } = await whole()
    assert.deepEqual([after.name, after.email], [name, email])
    assert.ok(after.domains.includes(domainId) && after.domains.length === 3)
    const { body: seen } = await server.call('GET', `/api/domains/${domainId}/users`, { key })
    const [own, other] = [username, newcomer.username].map((wanted) =>
      seen.find((user: { username: string }) => user.username === wanted),
    )
    assert.deepEqual([own.domains, own.bypasscodes, own.hardware], [[domainId], [], ''])
    assert.deepEqual([other.name, other.email], [newcomer.name, newcomer.email])
  })
})
