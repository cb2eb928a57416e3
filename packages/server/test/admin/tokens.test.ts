import assert from 'node:assert/strict'
import { after, before, it } from 'node:test'
import { newApiKey } from '../support/api-keys.ts'
import { auditOf } from '../support/audit.ts'
import { onEveryEngine } from '../support/engines.ts'
import { newDomain, newPhone, newUser, type Phone, refusal } from '../support/phones.ts'
import { startTestServer, type TestServer } from '../support/server.ts'
import { dump, sql } from '../support/sql.ts'

const hourMs = 3_600_000
const noToken = { status: 404, code: 'api.error.notfound.token' }

onEveryEngine((engine) => {
  let server: TestServer
  before(async () => {
    server = await startTestServer(engine)
  })
  after(() => server.stop())

  const memberOf = ({ domainId, userId }: { domainId: string; userId: string }) =>
    `/admin/v1/domains/${domainId}/members/${userId}/token`
  const shown = async (phone: Phone) => (await server.call('GET', memberOf(phone))).body
  const iso = (ms = 0) => new Date(server.clock.now() + ms).toISOString()
  const pending = async () => {
    const member = { ...(await newUser(server)), domainId: server.acme.domainId }
    const { body, status } = await server.call('PUT', memberOf(member))
    assert.equal(status, 200)
    return { ...member, path: memberOf(member), issued: body }
  }

  it('a pending token is shown without its code, and the code where it is asked for, which is recorded', async () => {
    const { path, issued, userId, username, domainId } = await pending()
    assert.deepEqual(Object.keys(issued), ['state', 'code', 'link', 'expiresAt'])
    assert.ok(issued.link.startsWith(`${server.deviceUrl}/a#c=${issued.code}&s=`))
    assert.equal(issued.expiresAt, iso(7 * 24 * hourMs))
    const { body, text } = await server.call('GET', path)
    assert.deepEqual(body, {
      id: body.id,
      state: 'pending',
      domain: { id: domainId, name: 'Acme VPN' },
      user: { id: userId, username },
      device: null,
      factor: null,
      pushState: 'none',
      pushError: null,
      pushErrorSince: null,
      lastAnswerAt: null,
      suspendedUntil: null,
      suspendedReason: null,
      throttledUntil: null,
      createdAt: iso(),
      expiresAt: issued.expiresAt,
      activatedAt: null,
      endedAt: null,
      endedReason: null,
    })
    for (const secret of [issued.code, issued.link.slice(-40)]) assert.ok(!text.includes(secret))
    const reveals = () => auditOf(server, { user_id: userId, event: 'token.code_revealed' })
    assert.deepEqual(await reveals(), [])
    assert.deepEqual((await server.call('GET', `${path}/code`)).body, issued)
    assert.deepEqual((await server.call('PUT', path)).body, issued)
    assert.equal((await reveals()).length, 2)
  })

  it('T38: a key that may list tokens sees them, and no code; one that authenticates sees nothing', async () => {
    const { path } = await pending()
    const [read, auth] = [await newApiKey(server, 'read'), await newApiKey(server, 'auth')]
    const before = await dump(server.database)
    assert.equal((await server.call('GET', path, { key: read })).status, 200)
    assert.equal((await server.call('GET', '/admin/v1/tokens', { key: read })).status, 200)
    const refused: [string, string, string][] = [
      ['GET', `${path}/code`, read],
      ['PUT', path, read],
      ['POST', `${path}/reissue`, read],
      ...(['', '/code'] as const).map((end): [string, string, string] => ['GET', path + end, auth]),
      ...(['/reissue', '/resume'] as const).map((end): [string, string, string] => ['POST', path + end, auth]),
      ...(['PUT', 'DELETE'] as const).map((method): [string, string, string] => [method, path, auth]),
    ]
    for (const [method, path, key] of refused) {
      assert.equal(refusal(await server.call(method, path, { key })).code, 'api.error.forbidden', `${method} ${path}`)
    }
    assert.deepEqual(await dump(server.database), before)
  })

  it('an active token shows its device and what unlocks it, and has no code', async () => {
    const phone = await newPhone(server, { pin: true })
    server.clock.advance(60_000)
    await phone.device.approve(await phone.ask())
    const { state, device, factor, lastAnswerAt, activatedAt, expiresAt } = await shown(phone)
    assert.deepEqual(device, { name: 'Test phone', platform: 'test', app: 'test/1', persisted: true })
    assert.deepEqual([state, factor, lastAnswerAt, expiresAt], ['active', 'pin', iso(), null])
    assert.equal(activatedAt, iso(-60_000))
    assert.deepEqual((await server.call('PUT', memberOf(phone))).body, { state: 'active' })
    assert.deepEqual(refusal(await server.call('GET', `${memberOf(phone)}/code`)), noToken)
  })

  it('a deleted token is over on the phone, and stays in the list without its device', async () => {
    const phone = await newPhone(server)
    const { id } = await shown(phone)
    assert.deepEqual((await server.call('DELETE', memberOf(phone))).status, 204)
    assert.equal((await phone.device.poll()).ok, false)
    for (const method of ['GET', 'DELETE'])
      assert.deepEqual(refusal(await server.call(method, memberOf(phone))), noToken)
    const [token] = (await server.call('GET', `/admin/v1/users/${phone.userId}/tokens`)).body.items
    assert.deepEqual([token.id, token.state, token.endedReason, token.endedAt], [id, 'revoked', 'api', iso()])
    assert.deepEqual([token.device, token.factor], [null, null])
  })

  it('A40: a reissued token ends the old one with all its sessions, and only its own code makes the next', async () => {
    const phone = await newPhone(server)
    const [approved, open] = [await phone.ask(), await phone.ask()]
    await phone.device.approve(approved)
    const { id: old } = await shown(phone)
    const { status, body } = await server.call('POST', `${memberOf(phone)}/reissue`)
    assert.equal(status, 200)
    for (const { sid } of [approved, open]) {
      assert.deepEqual(await phone.details(sid), { state: 'denied', reason: 'token_revoked' })
    }
    assert.equal((await phone.device.poll()).ok, false)
    assert.equal(refusal(await phone.device.approve(open)).code, 'token_revoked')
    const { id, state } = await shown(phone)
    assert.deepEqual([state, (await server.call('GET', `${memberOf(phone)}/code`)).body.code], ['pending', body.code])
    const [revoked] = await auditOf(server, { tid: old, event: 'token.revoked' })
    assert.deepEqual(revoked?.data.reason, 'reissued')
    const [created] = await auditOf(server, { tid: id, event: 'token.created' })
    assert.deepEqual(created?.data, { replaces: old })
  })

  it('A26: the code of the token that was replaced activates nothing', async () => {
    const { path, issued, username } = await pending()
    const { body: next } = await server.call('POST', `${path}/reissue`)
    const begin = (code: string) => server.device('activation/begin', { v: 1, code, username })
    assert.equal(refusal(await begin(issued.code)).code, 'activation_failed')
    assert.equal((await begin(next.code)).status, 200)
  })

  it('a reissue gives a code to a member who has no token, too, and to nobody else', async () => {
    const { userId } = await newUser(server)
    const { domainId } = server.acme
    assert.equal((await server.call('POST', `${memberOf({ domainId, userId })}/reissue`)).body.state, 'pending')
    const elsewhere = await newDomain(server, {})
    for (const [domain, user] of [
      [elsewhere, userId],
      [domainId, server.other.mallory],
      [server.other.domainId, server.other.mallory],
    ] as const) {
      const reply = await server.call('POST', `${memberOf({ domainId: domain, userId: user })}/reissue`)
      assert.equal(reply.status, 404)
    }
  })

  it('A40: of many who reissue at once each ends the one before: one token lives, with the last code', async () => {
    const phone = await newPhone(server)
    const path = memberOf(phone)
    const replies = await Promise.all(Array.from({ length: 8 }, () => server.call('POST', `${path}/reissue`)))
    assert.deepEqual([...new Set(replies.map(({ status }) => status))], [200])
    const codes = new Set(replies.map(({ body }) => body.code))
    assert.equal(codes.size, 8)
    const rows = await sql(server.database, `select tid, state, code_index from tokens where user_id = ?`, phone.userId)
    assert.equal(rows.length, 9)
    assert.deepEqual(
      rows.filter(({ state }) => state !== 'revoked').map(({ state }) => state),
      ['pending'],
    )
    assert.ok(codes.has((await server.call('GET', `${path}/code`)).body.code))
    assert.equal((await auditOf(server, { user_id: phone.userId, event: 'token.revoked' })).length, 8)
  })

  it('a token that a fraud report suspended works again when it is resumed, which is recorded once', async () => {
    const phone = await newPhone(server)
    await phone.device.deny(await phone.ask(), 'not_me')
    const { suspendedUntil, suspendedReason } = await shown(phone)
    assert.deepEqual([suspendedUntil, suspendedReason], [iso(hourMs), 'fraud_reported'])
    const resume = () => server.call('POST', `${memberOf(phone)}/resume`)
    assert.deepEqual(
      (await Promise.all([resume(), resume(), resume()])).map(({ status }) => status),
      [204, 204, 204],
    )
    assert.deepEqual((await shown(phone)).suspendedUntil, null)
    await phone.device.approve(await phone.ask())
    const events = await auditOf(server, { user_id: phone.userId, event: 'token.resumed' })
    assert.deepEqual(
      events.map(({ data }) => data),
      [{ suspendedUntil, suspendedReason: 'fraud_reported', throttledUntil: null }],
    )
  })

  it('T22: a throttled token gets requests again when it is resumed', async () => {
    const phone = await newPhone(server)
    for (let n = 0; n < 15; n++) await phone.device.deny(await phone.ask(), 'mistake')
    const sessions = `/api/domains/${phone.domainId}/sessions`
    await server.call('POST', sessions, { body: { user: { id: phone.userId } } })
    assert.equal((await shown(phone)).throttledUntil, iso(hourMs))
    assert.equal((await server.call('POST', `${memberOf(phone)}/resume`)).status, 204)
    assert.equal((await shown(phone)).throttledUntil, null)
    server.clock.advance(60_000) // a phone's answers of a minute are counted, too
    for (let n = 0; n < 15; n++) await phone.device.deny(await phone.ask(), 'mistake')
  })

  it('there is nothing to resume of a pending token, or of none', async () => {
    const { path } = await pending()
    assert.deepEqual(refusal(await server.call('POST', `${path}/resume`)), noToken)
    const phone = await newPhone(server)
    const before = await dump(server.database)
    assert.equal((await server.call('POST', `${memberOf(phone)}/resume`)).status, 204)
    assert.deepEqual(await dump(server.database), before)
  })
})
