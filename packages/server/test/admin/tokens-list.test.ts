import assert from 'node:assert/strict'
import { after, before, it } from 'node:test'
import { newApiKey } from '../support/api-keys.ts'
import { onEveryEngine } from '../support/engines.ts'
import { newDomain, newUser, phoneOf, refusal } from '../support/phones.ts'
import { startTestServer, type TestServer } from '../support/server.ts'

const path = '/admin/v1/tokens'
const dayMs = 86_400_000

onEveryEngine((engine) => {
  let server: TestServer
  before(async () => {
    server = await startTestServer(engine)
  })
  after(() => server.stop())

  const items = async (query: string, key?: string) => {
    const reply = await server.call('GET', `${path}?${query}`, key === undefined ? {} : { key })
    assert.equal(reply.status, 200, reply.text)
    return reply.body.items
  }
  const ids = async (query: string): Promise<string[]> => (await items(query)).map(({ id }: { id: string }) => id)
  const issue = async (domainId: string, userId: string) => {
    server.clock.advance(1)
    await server.call('PUT', `/admin/v1/domains/${domainId}/members/${userId}`)
    const token = `/admin/v1/domains/${domainId}/members/${userId}/token`
    assert.equal((await server.call('PUT', token)).status, 200)
    return { token, id: (await server.call('GET', token)).body.id as string }
  }

  it('lists tokens newest first, by domain, by user, by state, and by all of them', async () => {
    const [here, there] = [await newDomain(server, {}), await newDomain(server, {})]
    const [jane, joe] = [await newUser(server), await newUser(server)]
    const revoked = await issue(here, jane.userId)
    await server.call('DELETE', revoked.token)
    const pending = await issue(here, jane.userId)
    const joes = await issue(here, joe.userId)
    await phoneOf(server, { ...jane, domainId: there })
    const [active = ''] = await ids(`domain=${there}`)
    const cases: [string, string[]][] = [
      [`domain=${here}`, [joes.id, pending.id, revoked.id]],
      [`domain=${here.toUpperCase()}&state=pending`, [joes.id, pending.id]],
      [`domain=${there}&state=pending`, []],
      [`user=${jane.userId}`, [active, pending.id, revoked.id]],
      [`user=${jane.userId.toUpperCase()}&state=active`, [active]],
      [`user=${jane.userId}&domain=${here}`, [pending.id, revoked.id]],
      [`user=${jane.userId}&domain=${here}&state=revoked`, [revoked.id]],
      [`state=active&limit=1`, [active]],
      [`domain=${server.other.domainId}`, []],
      [`user=${server.other.mallory}`, []],
    ]
    for (const [query, expected] of cases) assert.deepEqual((await ids(query)).sort(), expected.sort(), query)
    assert.deepEqual(await ids(`domain=${here}`), [joes.id, pending.id, revoked.id])
    const [first] = await items(`user=${jane.userId}`)
    assert.deepEqual([first.user.username, first.domain.id], [jane.username, there])
    const { body } = await server.call('GET', `/admin/v1/users/${jane.userId}/tokens`)
    assert.deepEqual(body.items, await items(`user=${jane.userId}`))
    const foreign = await server.call('GET', `/admin/v1/users/${server.other.mallory}/tokens`)
    assert.equal(refusal(foreign).code, 'api.error.notfound.user')
  })

  it('goes on where a part ended, whatever is created meanwhile, and shows every token once', async () => {
    const domainId = await newDomain(server, {})
    const users = [await newUser(server), await newUser(server), await newUser(server)]
    const issued: string[] = []
    for (const { userId } of [...users, ...users, ...users.slice(1)]) {
      const { token, id } = await issue(domainId, userId)
      await server.call('DELETE', token)
      issued.push(id)
    }
    const seen: string[] = []
    for (let after: string | undefined; ; ) {
      const { body } = await server.call('GET', `${path}?domain=${domainId}&limit=3${after ? `&after=${after}` : ''}`)
      seen.push(...body.items.map(({ id }: { id: string }) => id))
      after = body.next
      if (after === undefined) break
      await issue(domainId, (await newUser(server)).userId)
    }
    assert.deepEqual(seen, issued.toReversed())
  })

  it('a token whose code has lapsed is expired, whether or not a sweeper came by', async () => {
    const domainId = await newDomain(server, { activationCodeExpiration: 1 })
    const { token, id } = await issue(domainId, (await newUser(server)).userId)
    server.clock.advance(dayMs)
    assert.deepEqual(await ids(`domain=${domainId}&state=pending`), [])
    const [item] = await items(`domain=${domainId}`)
    assert.deepEqual([item.id, item.state], [id, 'expired'])
    assert.equal(refusal(await server.call('GET', token)).code, 'api.error.notfound.token')
  })

  it('names what was deleted by its id alone', async () => {
    const domainId = await newDomain(server, {})
    const { userId } = await newUser(server)
    await issue(domainId, userId)
    await server.call('DELETE', `/admin/v1/users/${userId}`)
    await server.call('DELETE', `/admin/v1/domains/${domainId}`)
    const [item] = await items(`user=${userId}`)
    assert.deepEqual(item.user, { id: userId, username: null })
    assert.deepEqual(item.domain, { id: domainId, name: null })
  })

  it('T38: shows nobody a key, a code or another organization’s token', async () => {
    const reply = await server.call('GET', `${path}?limit=1000`, { key: await newApiKey(server, 'read') })
    assert.doesNotMatch(reply.text, /code|secret|cipher|key"/i)
    const others = await server.call('GET', path, { key: server.other.apiKey })
    assert.deepEqual(others.body, { items: [] })
    const key = await newApiKey(server, 'auth')
    assert.equal(refusal(await server.call('GET', path, { key })).code, 'api.error.forbidden')
  })

  it('a filter or a cursor that cannot be is refused by its name', async () => {
    for (const query of ['state=gone', 'domain=x', 'user=', 'after=WyJhIl0', 'limit=0', 'colour=red']) {
      const reply = await server.call('GET', `${path}?${query}`)
      assert.equal(reply.status, 400, query)
      assert.match(reply.body.errors[0].message, new RegExp(`^${query.split('=')[0]}: `), query)
    }
  })
})
