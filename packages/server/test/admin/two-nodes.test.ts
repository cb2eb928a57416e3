import assert from 'node:assert/strict'
import { after, before, it } from 'node:test'
import { asPanel, newAdministrator, useLink } from '../support/administrators.ts'
import { onPostgres } from '../support/engines.ts'
import { startTestServer, type TestServer } from '../support/server.ts'

onPostgres((engine) => {
  let here: TestServer
  let there: TestServer
  before(async () => {
    here = await startTestServer(engine)
    const { database, clock } = here
    there = await startTestServer(engine, { database, clock, empty: true })
  })
  after(async () => {
    await there.stop()
    await here.stop()
  })

  it('a key that one node has revoked is refused by the next request to the other', async () => {
    const { body } = await here.call('POST', '/admin/v1/api-keys', { body: { name: 'Key', scope: 'read' } })
    const ping = async () => (await there.call('GET', '/api/ping', { key: body.apiKey })).status
    for (let round = 0; round < 3; round++) assert.equal(await ping(), 200)
    await here.call('DELETE', `/admin/v1/api-keys/${body.id}`)
    assert.equal(await ping(), 401)
  })

  it('the last use of a key is the later one of what two nodes saw, whichever writes first', async () => {
    const { body } = await here.call('POST', '/admin/v1/api-keys', { body: { name: 'Key', scope: 'read' } })
    const ping = (node: TestServer) => node.call('GET', '/api/ping', { key: body.apiKey })
    await ping(here)
    here.clock.advance(1_000)
    await ping(there)
    const last = new Date(here.clock.now()).toISOString()
    await there.restart()
    await here.restart()
    assert.equal((await here.call('GET', `/admin/v1/api-keys/${body.id}`)).body.lastUsedAt, last)
  })

  it('A25: a link that is used on both nodes at once signs in once', async () => {
    const { link } = await newAdministrator(here)
    for (let round = 0; round < 10; round++) {
      const secret = await link()
      const replies = await Promise.all([here, there].map((node) => useLink(node, secret)))
      assert.deepEqual(replies.map(({ status }) => status).sort(), [201, 401])
      here.clock.advance(60_000)
    }
  })

  it('A40: a session of one node is one of the other, until it ends there', async () => {
    const { path, signIn } = await newAdministrator(here)
    const headers = { ...(await signIn()), 'sec-fetch-site': 'same-origin' }
    const statuses = () =>
      Promise.all([here, there].map(async (node) => (await asPanel(node, headers)('GET', 'session')).status))
    assert.deepEqual(await statuses(), [200, 200])
    await here.call('PATCH', path, { body: { disabled: true } })
    assert.deepEqual(await statuses(), [401, 401])
  })

  it('two owners who demote each other on two nodes leave one of them', async () => {
    const as = (node: TestServer, method: string, path: string, body: object) =>
      node.call(method, `/admin/v1/administrators${path}`, { key: here.other.apiKey, body })
    const create = async (name: string) =>
      (await as(here, 'POST', '', { email: `${name}@example.org`, name, role: 'owner' })).body.id
    const [first, second] = [await create('first'), await create('second')]
    for (let round = 0; round < 10; round++) {
      const replies = await Promise.all([
        as(here, 'PATCH', `/${first}`, { role: 'admin' }),
        as(there, 'PATCH', `/${second}`, { role: 'admin' }),
      ])
      assert.deepEqual(replies.map(({ status }) => status).sort(), [200, 400])
      for (const id of [first, second]) await as(here, 'PATCH', `/${id}`, { role: 'owner' })
    }
  })
})
