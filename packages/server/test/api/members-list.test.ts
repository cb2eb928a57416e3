import assert from 'node:assert/strict'
import { after, before, it } from 'node:test'
import { onEveryEngine } from '../support/engines.ts'
import { newDomain } from '../support/phones.ts'
import { startTestServer, type TestServer } from '../support/server.ts'

// Pages, their Link header and what is no page: paging.test.ts.
onEveryEngine((engine) => {
  let server: TestServer
  before(async () => {
    server = await startTestServer(engine)
  })
  after(() => server.stop())

  const list = (domainId: string) => server.call('GET', `/api/domains/${domainId}/users`)
  const idsOf = (users: { id: string }[]) => users.map(({ id }) => id)

  it('a domain lists its members as they are read one by one, and nobody else', async () => {
    const domainId = await newDomain(server, {})
    assert.equal((await list(domainId)).text, '[]')
    await server.call('PUT', `/api/domains/${domainId}/users/${server.acme.bob}`)
    const { text } = await server.call('GET', `/api/users/${server.acme.bob}`)
    const reply = await list(domainId)
    assert.equal(reply.text, `[${text}]`)
    assert.ok(text.includes(domainId))
    assert.equal(reply.headers.get('link'), null)
    assert.deepEqual(idsOf((await list(server.acme.domainId)).body), [server.acme.alice, server.acme.bob].sort())
  })

  it('the order is that of the users’ creation, not of their joining; of one moment the smaller id comes first', async () => {
    const domainId = await newDomain(server, {})
    const moments: string[][] = []
    for (let moment = 0; moment < 3; moment++) {
      server.clock.advance(1)
      const names = ['c', 'b', 'a'].map((name) => `${name}${3 - moment}.ordered`)
      const created = await Promise.all(
        names.map((username) => server.call('POST', '/api/users', { body: { username } })),
      )
      moments.push(created.map(({ body }) => body.id).sort())
    }
    const expected = moments.flat()
    for (const id of expected.toReversed()) await server.call('PUT', `/api/domains/${domainId}/users/${id}`)
    assert.deepEqual(idsOf((await list(domainId)).body), expected)
  })
})
