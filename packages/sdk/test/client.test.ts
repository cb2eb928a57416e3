// The REST client against a real server.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { CountersignClient } from '@countersign/sdk/rest.ts'
import { TestDevice } from '../../server/test/support/device.ts'
import { onEveryEngine } from '../../server/test/support/engines.ts'
import { startTestServer, type TestServer } from '../../server/test/support/server.ts'

onEveryEngine((engine) => {
  let server: TestServer
  let client: CountersignClient
  before(async () => {
    server = await startTestServer(engine)
    client = new CountersignClient({ url: server.apiUrl, apiKey: server.acme.apiKey })
  })
  after(() => server.stop())

  test('the key is good, and whose it is', async () => {
    assert.deepEqual([await client.ping(), await client.organization()], [{ status: 'OK' }, { name: 'Acme' }])
    const stranger = new CountersignClient({ url: server.apiUrl, apiKey: 'x'.repeat(64) })
    await assert.rejects(stranger.ping(), { status: 401, code: 'api.error.unauthorized' })
  })

  test('a user is created, found by any spelling, changed and deleted', async () => {
    const { id } = await client.createUser({ username: 'J\u00f6rg+1 & co', email: 'j@example.org' })
    assert.equal((await client.findUser('j\u00d6RG+1 & CO'))?.id, id)
    assert.equal((await client.updateUser(id, { name: 'J\u00f6rg' })).name, 'J\u00f6rg')
    assert.equal((await client.getUser(id)).email, 'j@example.org')
    await client.deleteUser(id)
    assert.equal(await client.findUser('J\u00f6rg+1 & co'), undefined)
  })

  test('long lists come page by page', async () => {
    const names = Array.from({ length: 230 }, (_, index) => ({ username: `user${index}` }))
    await client.replaceMembers(server.acme.pinDomainId, names)
    const members = await collect(client.members(server.acme.pinDomainId))
    assert.deepEqual(new Set(members.map(({ username }) => username)), new Set(names.map(({ username }) => username)))
    assert.equal((await collect(client.users())).length, 232)
    await client.replaceMembers(server.acme.pinDomainId, [])
    assert.deepEqual(await collect(client.members(server.acme.pinDomainId)), [])
  })

  test('members come and go one by one, too', async () => {
    const { pinDomainId, bob } = server.acme
    assert.equal((await client.getDomain(pinDomainId)).keyType, 'PIN')
    await client.addMember(pinDomainId, bob)
    assert.equal((await client.getMember(pinDomainId, bob)).username, 'bob')
    await client.removeMember(pinDomainId, bob)
    await assert.rejects(client.getMember(pinDomainId, bob), { code: 'api.error.notfound.user' })
  })

  test('a token is pending, active, revoked', async () => {
    const { domainId, bob } = server.acme
    const issued = await client.createToken(domainId, bob)
    assert.deepEqual(await client.getToken(domainId, bob), issued)
    await TestDevice.enrol(server, { userId: bob })
    assert.deepEqual(await client.getToken(domainId, bob), { state: 'active' })
    await client.revokeToken(domainId, bob)
    await assert.rejects(client.revokeToken(domainId, bob), { status: 404, code: 'api.error.notfound.token' })
  })

  test('a wait ends with the verdict, by the long poll', async () => {
    const { domainId, alice } = server.acme
    const device = await TestDevice.enrol(server, { userId: alice })
    const { id, state, number } = await client.createSession(domainId, { user: { id: alice }, numberMatching: true })
    assert.equal(state, 'pending')
    assert.match(number ?? '', /^\d{6}$/)
    const wait = client.waitForSession(domainId, id)
    await device.approve(await device.request(), { num: number })
    const { state: verdict, method, reason } = await wait
    assert.deepEqual([verdict, method, reason], ['approved', 'push', ''])
  })

  test('a wait ends with a cancellation, and with its time-out', async () => {
    const { domainId, alice } = server.acme
    const { id } = await client.createSession(domainId, { user: { username: 'alice' } })
    assert.equal((await client.waitForSession(domainId, id, { timeoutMs: 10 })).state, 'pending')
    const wait = client.waitForSession(domainId, id)
    await client.cancelSession(domainId, id)
    assert.equal((await wait).state, 'denied')
    await assert.rejects(client.getSession(domainId, alice), { code: 'api.error.notfound.session' })
  })
})

async function collect<Item>(items: AsyncIterable<Item>): Promise<Item[]> {
  const all: Item[] = []
  for await (const item of items) all.push(item)
  return all
}
