import assert from 'node:assert/strict'
import { after, before, it } from 'node:test'
import { newFob } from '../support/codes.ts'
import { onEveryEngine } from '../support/engines.ts'
import { startTestServer, type TestServer } from '../support/server.ts'

onEveryEngine((engine) => {
  let server: TestServer
  before(async () => {
    server = await startTestServer(engine)
    const users = Array.from({ length: 230 }, (_, index) => ({ username: `member${index}` }))
    await server.call('PUT', `/api/domains/${server.acme.domainId}/users`, { body: users })
    for (let count = 0; count < 230; count += 10)
      await Promise.all(Array.from({ length: 10 }, () => newFob(server, undefined)))
  })
  after(() => server.stop())

  it('lists come in bare arrays of 100, and a header shows the way on', async () => {
    for (const path of ['/api/users', `/api/domains/${server.acme.domainId}/users`, '/api/hardware']) {
      const first = await server.call('GET', path)
      assert.equal(first.body.length, 100)
      assert.equal(first.headers.get('link'), `<${path}?page=2>; rel="next"`)
      const second = await server.call('GET', `${path}?page=2`)
      assert.equal(second.headers.get('link'), `<${path}?page=3>; rel="next"`)
      const third = await server.call('GET', `${path}?page=3`)
      assert.equal(third.headers.get('link'), null)
      const ids = [...first.body, ...second.body, ...third.body].map(({ id }) => id)
      assert.equal(new Set(ids).size, ids.length)
      assert.ok(ids.length >= 230)
      assert.deepEqual((await server.call('GET', `${path}?page=4`)).text, '[]')
      assert.deepEqual((await server.call('GET', `${path}?page=99999999999999999999`)).text, '[]')
    }
  })

  it('a page that is no page is the first', async () => {
    for (const path of ['/api/users', '/api/hardware']) {
      const first = (await server.call('GET', path)).text
      for (const page of ['', '0', '-1', '1', '01', 'x', '1.5', '2x', '1e1', '%00', '[]']) {
        assert.equal((await server.call('GET', `${path}?page=${page}`)).text, first, page)
      }
    }
  })
})
