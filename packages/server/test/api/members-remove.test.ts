import assert from 'node:assert/strict'
import { after, before, it } from 'node:test'
import { auditOf } from '../support/audit.ts'
import { onEveryEngine } from '../support/engines.ts'
import { newDomain, newPhone, newUser, phoneOf, refusal } from '../support/phones.ts'
import { startTestServer, type TestServer } from '../support/server.ts'
import { sql } from '../support/sql.ts'

const noSuchUser = { status: 404, code: 'api.error.notfound.user' }

onEveryEngine((engine) => {
  let server: TestServer
  before(async () => {
    server = await startTestServer(engine)
  })
  after(() => server.stop())

  const member = (domainId: string, userId: string) => `/api/domains/${domainId}/users/${userId}`

  it('T17: who leaves a domain loses the token there, what it approved included, and no other token', async () => {
    const phone = await newPhone(server)
    const other = await phoneOf(server, { userId: phone.userId, username: phone.username, pin: true })
    const [pending, approved, elsewhere] = [await phone.ask(), await phone.ask(), await other.ask()]
    await phone.device.approve(approved)
    await other.device.approve(elsewhere)

    server.clock.advance(1)
    const reply = await server.call('DELETE', member(phone.domainId, phone.userId))
    assert.deepEqual([reply.status, reply.text, reply.headers.get('content-length')], [200, '', '0'])
    for (const { sid } of [pending, approved]) {
      assert.deepEqual(await phone.details(sid), { state: 'denied', reason: 'token_revoked' })
    }
    assert.equal((await phone.device.approve(pending)).status, 410)
    assert.equal(await other.verdict(elsewhere.sid), 'approved')
    assert.equal((await server.call('GET', other.token)).text, '{"state":"active"}')
    assert.equal((await server.call('GET', `/api/users/${phone.userId}`)).body.domains.length, 1)
    const events = await auditOf(server, { user_id: phone.userId, domain_id: phone.domainId })
    const [revoked, removed] = events.slice(-2)
    const sessions = [pending.sid, approved.sid]
    assert.deepEqual([revoked?.event, removed?.event], ['token.revoked', 'member.removed'])
    assert.equal(revoked?.data.reason, 'member_removed')
    assert.deepEqual(new Set(revoked?.data.sessions as string[]), new Set(sessions))
  })

  it('who comes back has no token, and the old phone stays out', async () => {
    const phone = await newPhone(server)
    await server.call('DELETE', member(phone.domainId, phone.userId))
    await server.call('PUT', member(phone.domainId, phone.userId))
    assert.deepEqual(refusal(await server.call('GET', phone.token)), { status: 404, code: 'api.error.notfound.token' })
    assert.deepEqual(await phone.device.poll(), { kid: phone.device.tid, ok: false, code: 'token_revoked' })
  })

  it('a pending code is annulled', async () => {
    const { userId, username } = await newUser(server)
    const path = member(server.acme.domainId, userId)
    const { code } = (await server.call('PUT', `${path}/token`)).body
    await server.call('DELETE', path)
    const begun = await server.device('activation/begin', { v: 1, code, username })
    assert.deepEqual(refusal(begun), { status: 400, code: 'activation_failed' })
    assert.deepEqual(await sql(server.database, 'select * from tokens where code_index is not null'), [])
  })

  it('leaving twice, or many times at once, leaves once', async () => {
    const { userId } = await newUser(server)
    const path = member(server.acme.domainId, userId)
    const replies = await Promise.all(Array.from({ length: 20 }, () => server.call('DELETE', path)))
    assert.equal(replies.filter(({ status }) => status === 200).length, 1)
    for (const reply of replies) if (reply.status !== 200) assert.deepEqual(refusal(reply), noSuchUser)
    assert.deepEqual(refusal(await server.call('DELETE', path)), noSuchUser)
    assert.equal((await auditOf(server, { user_id: userId, event: 'member.removed' })).length, 1)
  })

  it('a user who never was a member is not found, and loses nothing', async () => {
    const phone = await newPhone(server)
    assert.deepEqual(
      refusal(await server.call('DELETE', member(await newDomain(server, {}), phone.userId))),
      noSuchUser,
    )
    assert.equal((await server.call('GET', phone.token)).text, '{"state":"active"}')
  })
})
