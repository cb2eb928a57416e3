// Bypass codes and hardware tokens by the REST client, against a real server.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { CountersignClient, type NewHardwareToken } from '@countersign/sdk/rest.ts'
import { onEveryEngine } from '../../server/test/support/engines.ts'
import { startTestServer, type TestServer } from '../../server/test/support/server.ts'

const fob = { type: 'TOTP6', timeStep: '30s', seed: '3132333435363738393031323334353637383930' } as const
const named = (serialNumber: string): NewHardwareToken => ({ ...fob, serialNumber })

onEveryEngine((engine) => {
  let server: TestServer
  let client: CountersignClient
  before(async () => {
    server = await startTestServer(engine)
    client = new CountersignClient({ url: server.apiUrl, apiKey: server.acme.apiKey })
  })
  after(() => server.stop())

  test('a bypass code is created, used up and deleted', async () => {
    const { domainId, alice } = server.acme
    const created = await client.createBypassCode(alice, { usesAllowed: 2, expirationTime: 60 })
    assert.match(created.code, /^\d{9}$/)
    assert.deepEqual([created.user, created.usesRemaining, created.dtExpiry], [alice, 2, '2027-01-15T09:00:00+0000'])
    const signIn = { user: { id: alice }, bypasscode: created.code }
    const states = [1, 2, 3].map(async () => (await client.createSession(domainId, signIn)).state)
    assert.deepEqual((await Promise.all(states)).sort(), ['approved', 'approved', 'denied'])
    assert.deepEqual(await client.listBypassCodes(alice), [{ ...created, usesRemaining: 0 }])
    await client.deleteBypassCode(created.id)
    await assert.rejects(client.getBypassCode(created.id), { code: 'api.error.notfound.bypasscode' })
  })

  test('all bypass codes of a user are deleted together, and nobody else\u2019s', async () => {
    const { alice, bob } = server.acme
    const { id } = await client.createBypassCode(bob)
    for (let count = 0; count < 5; count++) await client.createBypassCode(alice)
    await assert.rejects(client.createBypassCode(alice), { status: 400, code: 'api.error.limit.bypasscodes' })
    await client.deleteBypassCodes(alice)
    assert.deepEqual(await client.listBypassCodes(alice), [])
    assert.equal((await client.getBypassCode(id)).usesRemaining, 1)
  })

  test('a hardware token is imported, handed out, taken back and deleted', async () => {
    const { alice } = server.acme
    const token = await client.createHardwareToken(named('GA-1'))
    assert.deepEqual([token.type, token.timeStep, token.syncState, token.user], ['TOTP6', '30s', 'Never Used', ''])
    assert.equal((await client.updateHardwareToken(token.id, { alias: 'Spare' })).alias, 'Spare')
    await client.assignHardwareToken(alice, token.id)
    assert.deepEqual(await client.getUserHardwareToken(alice), { ...token, alias: 'Spare', user: alice })
    assert.equal((await client.getUser(alice)).hardware, token.id)
    await client.unassignHardwareToken(alice)
    await assert.rejects(client.getUserHardwareToken(alice), { code: 'api.error.notfound.hardware' })
    const all = () => Array.fromAsync(client.hardwareTokens())
    assert.deepEqual(await all(), [await client.getHardwareToken(token.id)])
    await client.deleteHardwareToken(token.id)
    assert.deepEqual(await all(), [])
  })

  test('a serial number is taken once, and a hardware token by one user', async () => {
    const { alice, bob } = server.acme
    const { id } = await client.createHardwareToken(named('GA-2'))
    await assert.rejects(client.createHardwareToken(named('GA-2')), { code: 'api.error.conflict.serialnumber' })
    await client.assignHardwareToken(alice, id)
    await assert.rejects(client.assignHardwareToken(bob, id), { code: 'api.error.conflict.hardware' })
  })

  test('a pending token comes with what a QR code holds', async () => {
    const { domainId, bob } = server.acme
    const token = await client.createToken(domainId, bob)
    assert.ok(token.state === 'pending')
    assert.ok(token.link?.startsWith(`${server.deviceUrl}/`))
    assert.ok(token.expiresAt !== undefined && Date.parse(token.expiresAt) > server.clock.now())
    assert.deepEqual(await client.getToken(domainId, bob), token)
  })
})
