import assert from 'node:assert/strict'
import { after, before, it } from 'node:test'
import { onEveryEngine } from '../support/engines.ts'
import { startTestServer, type TestServer } from '../support/server.ts'

// Pages, their Link header and what is no page: paging.test.ts.
onEveryEngine((engine) => {
  let server: TestServer
  before(async () => {
    server = await startTestServer(engine)
  })
  after(() => server.stop())

  const list = async (page = 1) => (await server.call('GET', `/api/users?page=${page}`)).body

  it('a page holds users as they are read one by one, and nobody of another organization', async () => {
    const reply = await server.call('GET', '/api/users')
    const each = [server.acme.alice, server.acme.bob].sort()
    const texts = await Promise.all(each.map(async (id) => (await server.call('GET', `/api/users/${id}`)).text))
    assert.equal(reply.text, `[${texts.join(',')}]`)
    assert.equal(reply.headers.get('link'), null)
    const { body: theirs } = await server.call('GET', '/api/users', { key: server.other.apiKey })
    assert.deepEqual(
      theirs.map(({ username }: { username: string }) => username),
      ['mallory'],
    )
  })

  it('who was created earlier comes first; of the same moment the smaller id, byte by byte', async () => {
    const expected: string[] = (await list()).map(({ id }: { id: string }) => id)
    for (let moment = 0; moment < 3; moment++) {
      server.clock.advance(moment === 2 ? 1 : 3_600_000)
      // Neither the names' order nor that of the creation within the moment counts.
      const names = ['zoe', 'Ada', 'über', '10', '9'].map((name) => `${name}${9 - moment}`)
      const created = await Promise.all(
        names.map((username) => server.call('POST', '/api/users', { body: { username } })),
      )
      expected.push(...created.map(({ body }) => body.id).sort())
    }
    assert.deepEqual(
      (await list()).map(({ id }: { id: string }) => id),
      expected,
    )
  })

  it('a change does not move a user, and a deletion closes the gap', async () => {
    const users = await list()
    const [first, second] = users
    await server.call('PUT', `/api/users/${first.id}`, { body: { name: 'Zzz' } })
    assert.deepEqual(await list(), [{ ...first, name: 'Zzz' }, ...users.slice(1)])
    await server.call('DELETE', `/api/users/${second.id}`)
    assert.deepEqual((await list()).slice(1), users.slice(2))
  })

  it('exactly full pages end with an empty one, and only what has a next page says so', async () => {
    const missing = 200 - (await list()).length
    const names = Array.from({ length: missing }, (_, index) => `filler${index}`)
    await Promise.all(names.map((username) => server.call('POST', '/api/users', { body: { username } })))
    const pages = await Promise.all([1, 2, 3].map((page) => server.call('GET', `/api/users?page=${page}`)))
    assert.deepEqual(
      pages.map(({ body }) => body.length),
      [100, 100, 0],
    )
    assert.deepEqual(
      pages.map(({ headers }) => headers.get('link')),
      ['</api/users?page=2>; rel="next"', null, null],
    )
  })
})
