import assert from 'node:assert/strict'
import { after, before, it } from 'node:test'
import { auditOf } from '../support/audit.ts'
import { onEveryEngine } from '../support/engines.ts'
import { newDomain, newPhone, newUser, refusal } from '../support/phones.ts'
import { startTestServer, type TestServer } from '../support/server.ts'

onEveryEngine((engine) => {
  let server: TestServer
  before(async () => {
    server = await startTestServer(engine)
  })
  after(() => server.stop())

  const pathOf = (domainId: string) => `/admin/v1/domains/${domainId}/members`
  const parts = async (path: string, query: string) => {
    const seen: string[][] = []
    for (let after: string | undefined; ; ) {
      const { body } = await server.call('GET', `${path}?${query}${after ? `&after=${after}` : ''}`)
      seen.push(body.items.map(({ username }: { username: string }) => username))
      after = body.next
      if (after === undefined) return seen
    }
  }

  it('lists a domain’s members by name, as users are shown, and nobody else', async () => {
    const path = pathOf(await newDomain(server, {}))
    assert.deepEqual((await server.call('GET', path)).body, { items: [] })
    const members = ['list-c', 'List-A', 'list-b', 'other', 'list-d']
    for (const username of [...members, 'list-no-member']) {
      const { body } = await server.call('POST', '/admin/v1/users', { body: { username } })
      if (username !== 'list-no-member') assert.equal((await server.call('PUT', `${path}/${body.id}`)).status, 204)
    }
    assert.deepEqual(await parts(path, 'limit=2'), [['List-A', 'list-b'], ['list-c', 'list-d'], ['other']])
    assert.deepEqual(await parts(path, 'q=LIST&limit=3'), [['List-A', 'list-b', 'list-c'], ['list-d']])
    const [first] = (await server.call('GET', path)).body.items
    assert.deepEqual(first, (await server.call('GET', `/admin/v1/users/${first.id}`)).body)
  })

  it('finds members that a list of the compatible API brought', async () => {
    const domainId = await newDomain(server, {})
    const body = [{ username: 'Bulk-Two' }, { username: 'bulk-one' }]
    await server.call('PUT', `/api/domains/${domainId}/users`, { body })
    assert.deepEqual(await parts(pathOf(domainId), 'q=bulk-'), [['bulk-one', 'Bulk-Two']])
  })

  it('adding a member again changes nothing; several at once add one', async () => {
    const domainId = await newDomain(server, {})
    const { userId } = await newUser(server)
    const replies = await Promise.all([1, 2, 3].map(() => server.call('PUT', `${pathOf(domainId)}/${userId}`)))
    assert.deepEqual(
      replies.map(({ status, text }) => [status, text]),
      [
        [204, ''],
        [204, ''],
        [204, ''],
      ],
    )
    assert.equal((await auditOf(server, { domain_id: domainId, event: 'member.added' })).length, 1)
  })

  it('A40: who leaves a domain leaves the token and the open sessions there behind', async () => {
    const phone = await newPhone(server)
    const { sid } = await phone.ask()
    const path = `${pathOf(phone.domainId)}/${phone.userId}`
    assert.equal((await server.call('DELETE', path)).status, 204)
    assert.equal(await phone.verdict(sid), 'denied')
    assert.equal((await phone.device.poll()).ok, false)
    assert.equal(refusal(await server.call('DELETE', path)).code, 'api.error.notfound.user')
  })

  it('another organization’s user or domain is not found, and nobody is added', async () => {
    const { domainId } = server.acme
    const foreign = [
      ['PUT', `${pathOf(domainId)}/${server.other.mallory}`, 'user'],
      ['DELETE', `${pathOf(domainId)}/${server.other.mallory}`, 'user'],
      ['PUT', `${pathOf(server.other.domainId)}/${server.acme.alice}`, 'domain'],
      ['GET', pathOf(server.other.domainId), 'domain'],
    ] as const
    for (const [method, path, missing] of foreign) {
      assert.equal(refusal(await server.call(method, path)).code, `api.error.notfound.${missing}`, path)
    }
    assert.deepEqual(await parts(pathOf(domainId), 'q=mallory'), [[]])
  })
})
