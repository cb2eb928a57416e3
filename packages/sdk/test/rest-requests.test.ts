// What each method sends, and what it makes of the answer.
import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import type { CountersignClient, NewHardwareToken } from '@countersign/sdk/rest.ts'
import { apiKey, clientOf, domainId, refusal, sid, userId } from './support.ts'

const [codeId, hardwareId] = ['c', 'e'].map((digit) => digit.repeat(40)) as [string, string]
const fob: NewHardwareToken = { serialNumber: 'S1', type: 'TOTP6', timeStep: '30s', seed: '3132333435363738' }

suite('requests', () => {
  const calls: [string, (client: CountersignClient) => Promise<unknown>, body?: object][] = [
    ['GET /api/ping', (client) => client.ping()],
    ['GET /api/organization', (client) => client.organization()],
    ['POST /api/users', (client) => client.createUser({ username: 'jane' }), { username: 'jane' }],
    [`GET /api/users/${userId}`, (client) => client.getUser(userId)],
    [`PUT /api/users/${userId}`, (client) => client.updateUser(userId, { name: 'Jane' }), { name: 'Jane' }],
    [`DELETE /api/users/${userId}`, (client) => client.deleteUser(userId)],
    [`GET /api/domains/${domainId}`, (client) => client.getDomain(domainId)],
    [`GET /api/domains/${domainId}/users/${userId}`, (client) => client.getMember(domainId, userId)],
    [`PUT /api/domains/${domainId}/users/${userId}`, (client) => client.addMember(domainId, userId)],
    [`DELETE /api/domains/${domainId}/users/${userId}`, (client) => client.removeMember(domainId, userId)],
    [`PUT /api/domains/${domainId}/users`, (client) => client.replaceMembers(domainId, []), []],
    [`PUT /api/domains/${domainId}/users/${userId}/token`, (client) => client.createToken(domainId, userId)],
    [`GET /api/domains/${domainId}/users/${userId}/token`, (client) => client.getToken(domainId, userId)],
    [`DELETE /api/domains/${domainId}/users/${userId}/token`, (client) => client.revokeToken(domainId, userId)],
    [
      `POST /api/domains/${domainId}/sessions`,
      (client) => client.createSession(domainId, { user: { username: 'jane' }, numberMatching: true }),
      { user: { username: 'jane' }, numberMatching: true },
    ],
    [`GET /api/users/${userId}/bypasscodes`, (client) => client.listBypassCodes(userId)],
    [`POST /api/users/${userId}/bypasscodes`, (client) => client.createBypassCode(userId), {}],
    [
      `POST /api/users/${userId}/bypasscodes`,
      (client) => client.createBypassCode(userId, { usesAllowed: 3, expirationTime: 60 }),
      { usesAllowed: 3, expirationTime: 60 },
    ],
    [`DELETE /api/users/${userId}/bypasscodes`, (client) => client.deleteBypassCodes(userId)],
    [`GET /api/bypasscodes/${codeId}`, (client) => client.getBypassCode(codeId)],
    [`DELETE /api/bypasscodes/${codeId}`, (client) => client.deleteBypassCode(codeId)],
    ['GET /api/hardware', (client) => client.getHardwareTokensPage(1)],
    ['POST /api/hardware', (client) => client.createHardwareToken(fob), fob],
    [`GET /api/hardware/${hardwareId}`, (client) => client.getHardwareToken(hardwareId)],
    [
      `PUT /api/hardware/${hardwareId}`,
      (client) => client.updateHardwareToken(hardwareId, { alias: 'Spare' }),
      { alias: 'Spare' },
    ],
    [`DELETE /api/hardware/${hardwareId}`, (client) => client.deleteHardwareToken(hardwareId)],
    [`GET /api/users/${userId}/hardware`, (client) => client.getUserHardwareToken(userId)],
    [`PUT /api/users/${userId}/hardware/${hardwareId}`, (client) => client.assignHardwareToken(userId, hardwareId)],
    [`DELETE /api/users/${userId}/hardware`, (client) => client.unassignHardwareToken(userId)],
    [`GET /api/domains/${domainId}/sessions/${sid}`, (client) => client.getSession(domainId, sid)],
    [`DELETE /api/domains/${domainId}/sessions/${sid}`, (client) => client.cancelSession(domainId, sid)],
  ]
  for (const [line, call, body] of calls) {
    test(line, async () => {
      const { client, received } = clientOf([{ body: ['the answer'] }])
      assert.deepEqual(await call(client), ['the answer'])
      const [request] = received
      assert.equal(`${request?.method} ${request?.url.pathname}`, line)
      assert.equal(request?.headers.get('authorization'), `LoginTC key="${apiKey}"`)
      assert.equal(request?.body, body ? JSON.stringify(body) : '')
      const kind = /^(GET|PUT|POST).*\/(sessions|token$)/.test(line) ? 'countersign' : 'logintc'
      assert.equal(request?.headers.get('accept'), `application/vnd.${kind}.v1+json`)
    })
  }

  test("a domain's image is bytes", async () => {
    const image = Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 0xff)
    const { client, received } = clientOf([{ body: image }])
    assert.deepEqual(await client.getDomainImage(domainId), image)
    assert.equal(received[0]?.url.pathname, `/api/domains/${domainId}/image`)
    assert.equal(received[0]?.headers.get('accept'), 'image/png')
  })

  test('an empty body is undefined', async () => {
    assert.equal(await clientOf([{ body: '' }]).client.deleteUser(userId), undefined)
  })

  test('an id that would leave its place in the path is refused', async () => {
    const { client, received } = clientOf([])
    for (const bad of ['../../x', '', `${userId}/token`, 'a'.repeat(39)])
      assert.throws(() => client.getUser(bad), TypeError)
    assert.equal(received.length, 0)
  })

  test('a user is found by the very name', async () => {
    const { client, received } = clientOf([{ body: { id: userId } }, refusal(404, 'api.error.notfound.user')])
    assert.equal((await client.findUser('j+d & \u00eb=/?#'))?.id, userId)
    assert.equal(received[0]?.url.search, '?username=j%2Bd%20%26%20%C3%AB%3D%2F%3F%23')
    assert.equal(await client.findUser('nobody'), undefined)
    await assert.rejects(clientOf([refusal(401, 'api.error.unauthorized')]).client.findUser('x'), { status: 401 })
  })
})
