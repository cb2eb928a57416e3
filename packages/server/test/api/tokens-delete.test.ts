import assert from 'node:assert/strict'
import { after, before, it } from 'node:test'
import { auditOf } from '../support/audit.ts'
import { TestDevice } from '../support/device.ts'
import { onEveryEngine } from '../support/engines.ts'
import { newPhone, newUser, phoneOf, refusal } from '../support/phones.ts'
import { startTestServer, type TestServer } from '../support/server.ts'
import { sql } from '../support/sql.ts'

const noSuchToken = { status: 404, code: 'api.error.notfound.token' }
const activationFailed = { status: 400, code: 'activation_failed' }

onEveryEngine((engine) => {
  let server: TestServer
  before(async () => {
    server = await startTestServer(engine)
  })
  after(() => server.stop())

  const ask = (domainId: string, userId: string) =>
    server.call('POST', `/api/domains/${domainId}/sessions`, { body: { user: { id: userId } } })

  async function issued() {
    const { userId, username } = await newUser(server)
    const token = `/api/domains/${server.acme.domainId}/users/${userId}/token`
    const { code } = (await server.call('PUT', token)).body
    const begin = () => server.device('activation/begin', { v: 1, code, username })
    return { userId, username, token, code, begin }
  }

  it('T06: a code that was annulled begins no activation, and is nowhere in the database', async () => {
    const { token, userId, begin } = await issued()
    const reply = await server.call('DELETE', token)
    assert.deepEqual([reply.status, reply.text, reply.headers.get('content-length')], [200, '', '0'])
    assert.deepEqual(refusal(await begin()), activationFailed)
    assert.deepEqual(refusal(await server.call('GET', token)), noSuchToken)
    const [row] = await sql(server.database, 'select * from tokens where user_id = ?', userId)
    const { state, code_index, code_cipher, secret_index, secret_cipher, code_expires_at } = row ?? {}
    assert.equal(state, 'revoked')
    for (const erased of [code_index, code_cipher, secret_index, secret_cipher, code_expires_at])
      assert.equal(erased, null)
  })

  it('T06: an activation that had begun is not finished, nor by the code that follows', async () => {
    const { token, username, begin } = await issued()
    const begun = (await begin()).body
    const device = await TestDevice.prepare(server, begun.tid, { username, pin: false })
    await server.call('DELETE', token)
    assert.deepEqual(
      refusal(await server.device('activation/finish', await device.finishMessage(begun))),
      activationFailed,
    )
    await server.call('PUT', token)
    assert.deepEqual(
      refusal(await server.device('activation/finish', await device.finishMessage(begun))),
      activationFailed,
    )
    assert.equal((await server.call('GET', token)).body.state, 'pending')
    assert.deepEqual(await sql(server.database, 'select * from activations where tid = ?', begun.tid), [])
  })

  it('T07: after a re-issue the old phone is told so, and the new code makes a new token', async () => {
    const phone = await newPhone(server)
    const request = await phone.ask()
    await server.call('DELETE', phone.token)
    const { code } = (await server.call('PUT', phone.token)).body
    assert.deepEqual(await phone.device.poll(), { kid: phone.device.tid, ok: false, code: 'token_revoked' })
    assert.deepEqual(refusal(await phone.device.approve(request)), { status: 410, code: 'token_revoked' })
    const { username } = phone
    const next = await TestDevice.activate(server, { code, username, pin: false })
    assert.notEqual(next.tid, phone.device.tid)
    assert.deepEqual(refusal(await server.device('activation/begin', { v: 1, code, username })), activationFailed)
    // The new phone hears of new requests only.
    assert.deepEqual(await next.requests(), [])
    const { body } = await ask(phone.domainId, phone.userId)
    assert.equal((await next.request()).sid, body.id)
    const events = (await auditOf(server, { user_id: phone.userId })).map(({ event }) => event)
    assert.equal(events.filter((event) => event === 'token.revoked').length, 1)
    assert.equal(events.filter((event) => event === 'token.activated').length, 2)
  })

  it('T17 A40: sessions pending, approved and approved and read: all are denied from then on', async () => {
    const phone = await newPhone(server, { pin: true })
    const [pending, unread, read] = [await phone.ask(), await phone.ask(), await phone.ask()]
    await phone.device.approve(unread)
    await phone.device.approve(read)
    assert.equal(await phone.verdict(read.sid), 'approved')

    await server.call('DELETE', phone.token)
    for (const { sid } of [pending, unread, read]) {
      const path = `/api/domains/${phone.domainId}/sessions/${sid}`
      const reply = await server.call('GET', path)
      assert.deepEqual([reply.status, reply.text], [200, `{"id":"${sid}","state":"denied"}`])
      assert.deepEqual(await phone.details(sid), { state: 'denied', reason: 'token_revoked' })
    }
    assert.deepEqual(refusal(await ask(phone.domainId, phone.userId)), noSuchToken)
    for (const request of [pending, unread]) assert.equal((await phone.device.approve(request)).status, 410)
    for (const { sid } of [pending, unread, read]) assert.equal(await phone.verdict(sid), 'denied')
  })

  it('T17: keys, codes, subscription and device are erased from the row, and who and when stays', async () => {
    const phone = await newPhone(server, { pin: true })
    server.clock.advance(1)
    await server.call('DELETE', phone.token)
    const [row = {}] = await sql(server.database, 'select * from tokens where tid = ?', phone.device.tid)
    const secrets = Object.entries(row).filter(
      ([column]) =>
        /^(code|secret|pin_key|push|credential|device|factor)_/.test(column) ||
        /^(public_key|row_mac|origin|thumbprint|factor)$/.test(column),
    )
    assert.deepEqual(
      secrets
        .splice(
          secrets.findIndex(([column]) => column === 'push_at'),
          1,
        )
        .map(([, at]) => Number(at)),
      [0], // when the last push was planned: a time, and for a phone that has had none
    )
    assert.equal(secrets.length, 25)
    for (const [column, value] of secrets) assert.equal(value, null, column)
    assert.deepEqual(
      [row.state, row.ended_reason, row.user_id, row.domain_id],
      ['revoked', 'api', phone.userId, phone.domainId],
    )
    assert.equal(Number(row.ended_at), server.clock.now())
  })

  it('a token of the same user in another domain, and everybody else’s, stays', async () => {
    const phone = await newPhone(server)
    const other = await phoneOf(server, { userId: phone.userId, username: phone.username, pin: true })
    const stranger = await newPhone(server)
    const open = [await other.ask(), await stranger.ask()]
    await server.call('DELETE', phone.token)
    for (const [index, owner] of [other, stranger].entries()) {
      const request = open[index] ?? assert.fail()
      assert.equal((await owner.device.approve(request)).body.state, 'approved')
    }
  })

  it('a second time, or many times at once, there is nothing to revoke', async () => {
    for (const { token } of [await issued(), await newPhone(server)]) {
      const replies = await Promise.all(Array.from({ length: 20 }, () => server.call('DELETE', token)))
      assert.equal(replies.filter(({ status }) => status === 200).length, 1)
      for (const reply of replies) if (reply.status !== 200) assert.deepEqual(refusal(reply), noSuchToken)
      assert.deepEqual(refusal(await server.call('DELETE', token)), noSuchToken)
    }
  })

  it('A24: a code whose time is over is none, also to be annulled', async () => {
    const { token, userId } = await issued()
    server.clock.advance(7 * 86_400_000)
    assert.deepEqual(refusal(await server.call('DELETE', token)), noSuchToken)
    const [row] = await sql(server.database, 'select state, code_index from tokens where user_id = ?', userId)
    assert.deepEqual({ ...row }, { state: 'expired', code_index: null })
  })

  it('whoever waits for the verdict is told at once', async () => {
    const phone = await newPhone(server)
    const { sid } = await phone.ask()
    const waiting = server.call('GET', `/api/domains/${phone.domainId}/sessions/${sid}?wait=25`)
    const polling = phone.device.poll({ wait: 25, have: [sid] })
    while (server.app.events.watching < 2) await new Promise(setImmediate)
    await server.call('DELETE', phone.token)
    assert.equal((await waiting).body.state, 'denied')
    assert.deepEqual(await polling, { kid: phone.device.tid, ok: false, code: 'token_revoked' })
  })
})
