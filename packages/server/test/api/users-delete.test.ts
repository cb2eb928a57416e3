import assert from 'node:assert/strict'
import { after, before, it } from 'node:test'
import { auditOf } from '../support/audit.ts'
import { onEveryEngine } from '../support/engines.ts'
import { newPhone, newUser, phoneOf, refusal } from '../support/phones.ts'
import { startTestServer, type TestServer } from '../support/server.ts'
import { sql } from '../support/sql.ts'

const noSuchUser = { status: 404, code: 'api.error.notfound.user' }

onEveryEngine((engine) => {
  let server: TestServer
  before(async () => {
    server = await startTestServer(engine)
  })
  after(() => server.stop())

  const remove = (id: string) => server.call('DELETE', `/api/users/${id}`)

  it('the user is gone from everywhere, and the answer is empty', async () => {
    const { userId, username } = await newUser(server)
    const { domainId } = server.acme
    const reply = await remove(userId)
    assert.deepEqual([reply.status, reply.text, reply.headers.get('content-length')], [200, '', '0'])
    for (const path of [
      `/api/users/${userId}`,
      `/api/users?username=${username}`,
      `/api/domains/${domainId}/users/${userId}`,
      `/api/domains/${domainId}/users/${userId}/token`,
    ]) {
      assert.deepEqual(refusal(await server.call('GET', path)), noSuchUser, path)
    }
    const body = { user: { username } }
    assert.deepEqual(refusal(await server.call('POST', `/api/domains/${domainId}/sessions`, { body })), noSuchUser)
    const { body: members } = await server.call('GET', `/api/domains/${domainId}/users`)
    assert.ok(!members.some(({ id }: { id: string }) => id === userId))
    assert.deepEqual(await sql(server.database, 'select * from members where user_id = ?', userId), [])
  })

  it('T17 A30: tokens of every domain are revoked, and pending and approved sessions read denied, for good', async () => {
    const phone = await newPhone(server)
    const second = await phoneOf(server, { userId: phone.userId, username: phone.username, pin: true })
    const [pending, approved] = [await phone.ask(), await second.ask()]
    await second.device.approve(approved)
    assert.equal(await second.verdict(approved.sid), 'approved')

    server.clock.advance(1)
    await remove(phone.userId)
    for (const [owner, { sid }] of [
      [phone, pending],
      [second, approved],
    ] as const) {
      assert.deepEqual(await owner.details(sid), { state: 'denied', reason: 'token_revoked' })
      const { tid } = owner.device
      assert.deepEqual(await owner.device.poll(), { kid: tid, ok: false, code: 'token_revoked' })
      assert.equal((await owner.device.approve(owner === phone ? pending : approved)).status, 410)
      const [row] = await sql(server.database, 'select * from tokens where tid = ?', tid)
      const { state, ended_reason, public_key, pin_key_cipher, row_mac, code_index } = row ?? {}
      assert.deepEqual([state, ended_reason], ['revoked', 'user_deleted'])
      assert.deepEqual([public_key, pin_key_cipher, row_mac, code_index], [null, null, null, null])
    }
    server.clock.advance(23 * 3_600_000)
    assert.equal(await phone.verdict(pending.sid), 'denied')
    const events = (await auditOf(server, { user_id: phone.userId })).map(({ event }) => event).slice(-3)
    assert.deepEqual(events, ['token.revoked', 'token.revoked', 'user.deleted'])
  })

  it('a pending code dies with its user, also when the activation has begun', async () => {
    const { userId, username } = await newUser(server)
    const { domainId, pinDomainId } = server.acme
    const issue = async (domain: string) =>
      (await server.call('PUT', `/api/domains/${domain}/users/${userId}/token`)).body
    const [{ code }, { code: other }] = [await issue(domainId), await issue(pinDomainId)]
    assert.equal((await server.device('activation/begin', { v: 1, code, username })).status, 200)
    await remove(userId)
    for (const lost of [code, other]) {
      const begun = await server.device('activation/begin', { v: 1, code: lost, username })
      assert.deepEqual(refusal(begun), { status: 400, code: 'activation_failed' })
    }
    assert.deepEqual(await sql(server.database, 'select * from tokens where code_index is not null'), [])
    assert.deepEqual(await sql(server.database, 'select * from activations'), [])
  })

  it('what the user has used up is forgotten, and only that', async () => {
    const [phone, other] = [await newPhone(server), await newPhone(server)]
    await phone.ask()
    await other.ask()
    await remove(phone.userId)
    const used = async (userId: string) =>
      (await sql(server.database, 'select used from user_limits where user_id = ?', userId)).length
    assert.deepEqual([await used(phone.userId), await used(other.userId)], [0, 1])
  })

  it('the name is free again, for another person with no rights of the first', async () => {
    const phone = await newPhone(server)
    const request = await phone.ask()
    await remove(phone.userId)
    const { body } = await server.call('POST', '/api/users', { body: { username: phone.username } })
    assert.notEqual(body.id, phone.userId)
    assert.deepEqual(body.domains, [])
    await server.call('PUT', `/api/domains/${phone.domainId}/users/${body.id}`)
    const session = { user: { username: phone.username } }
    const reply = await server.call('POST', `/api/domains/${phone.domainId}/sessions`, { body: session })
    assert.deepEqual(refusal(reply), { status: 404, code: 'api.error.notfound.token' })
    assert.equal(await phone.verdict(request.sid), 'denied')
  })

  it('deleting twice, or many times at once, deletes once', async () => {
    const { userId } = await newUser(server)
    const replies = await Promise.all(Array.from({ length: 20 }, () => remove(userId)))
    assert.equal(replies.filter(({ status }) => status === 200).length, 1)
    for (const reply of replies) if (reply.status !== 200) assert.deepEqual(refusal(reply), noSuchUser)
    assert.deepEqual(refusal(await remove(userId)), noSuchUser)
    const events = await auditOf(server, { user_id: userId, event: 'user.deleted' })
    assert.equal(events.length, 1)
  })

  it('whatever happens to a user at the moment of the deletion, nothing of them stays', async () => {
    for (let round = 0; round < 10; round++) {
      const { userId, username } = await newUser(server)
      const member = `/api/domains/${server.acme.domainId}/users/${userId}`
      const others = ['PUT', 'DELETE'].map((method) => server.call(method, member))
      const list = [{ username: 'alice' }, { username: 'bob' }, { username }]
      const replaced = server.call('PUT', `/api/domains/${server.acme.pinDomainId}/users`, { body: list })
      const replies = await Promise.all([...others, replaced, server.call('PUT', `${member}/token`), remove(userId)])
      for (const { status, text } of replies) assert.ok([200, 404].includes(status), text)
      const rows = await sql(server.database, 'select user_id from members where user_id = ?', userId)
      const live = "select tid from tokens where user_id = ? and state in ('pending', 'active')"
      assert.deepEqual([...rows, ...(await sql(server.database, live, userId))], [])
    }
  })
})
