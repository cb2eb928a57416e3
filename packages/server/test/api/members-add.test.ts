import assert from 'node:assert/strict'
import { after, before, it } from 'node:test'
import { auditOf } from '../support/audit.ts'
import { onEveryEngine } from '../support/engines.ts'
import { newDomain, newPhone, newUser } from '../support/phones.ts'
import { startTestServer, type TestServer } from '../support/server.ts'

onEveryEngine((engine) => {
  let server: TestServer
  before(async () => {
    server = await startTestServer(engine)
  })
  after(() => server.stop())

  it('a user joins a domain and no other, whatever the body is', async () => {
    const { userId } = await newUser(server)
    const [joined, other] = [await newDomain(server, {}), await newDomain(server, {})]
    for (const body of [undefined, '', '{}', 'no JSON']) {
      const reply = await server.call('PUT', `/api/domains/${joined}/users/${userId}`, { body })
      assert.deepEqual([reply.status, reply.text, reply.headers.get('content-length')], [200, '', '0'])
    }
    const { domains } = (await server.call('GET', `/api/users/${userId}`)).body
    assert.ok(domains.includes(joined) && !domains.includes(other))
  })

  it('joining again, or many times at once, joins once, and the token stays', async () => {
    const phone = await newPhone(server)
    const domainId = await newDomain(server, {})
    const join = (domain: string) => server.call('PUT', `/api/domains/${domain}/users/${phone.userId}`)
    const replies = await Promise.all(Array.from({ length: 20 }, () => join(domainId)))
    assert.ok(replies.every(({ status, text }) => status === 200 && text === ''))
    assert.equal((await auditOf(server, { domain_id: domainId, event: 'member.added' })).length, 1)
    await join(phone.domainId)
    assert.equal((await server.call('GET', phone.token)).text, '{"state":"active"}')
    assert.equal(
      (await auditOf(server, { domain_id: phone.domainId, user_id: phone.userId, event: 'member.added' })).length,
      1,
    )
  })
})
