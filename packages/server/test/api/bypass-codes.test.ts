import assert from 'node:assert/strict'
import { after, before, it } from 'node:test'
import { auditOf } from '../support/audit.ts'
import { asOther, judged, newBypassCode, usesLeft } from '../support/codes.ts'
import { onEveryEngine } from '../support/engines.ts'
import { newUser, refusal } from '../support/phones.ts'
import { startTestServer, type TestServer, testEpoch } from '../support/server.ts'
import { dump, sql } from '../support/sql.ts'

const badRequest = { status: 400, code: 'api.error.badrequest' }
const tooMany = { status: 400, code: 'api.error.limit.bypasscodes' }
const noSuchUser = { status: 404, code: 'api.error.notfound.user' }
const noSuchCode = { status: 404, code: 'api.error.notfound.bypasscode' }
const never = '9999-12-31T23:59:59+0000'

onEveryEngine((engine) => {
  let server: TestServer
  before(async () => {
    server = await startTestServer(engine)
  })
  after(() => server.stop())

  const pathOf = (userId: string) => `/api/users/${userId}/bypasscodes`
  const create = (userId: string, body?: unknown) =>
    server.call('POST', pathOf(userId), body === undefined ? {} : { body })
  const list = async (userId: string) => (await server.call('GET', pathOf(userId))).body
  const idsOf = async (userId: string) => (await list(userId)).map(({ id }: { id: string }) => id)

  it('a code is created and read, byte for byte, alone and in the list', async () => {
    assert.equal(server.clock.now(), testEpoch, 'comes first: the time below is that of the test’s clock')
    const { userId } = await newUser(server)
    const reply = await create(userId, { usesAllowed: 3, expirationTime: 60 })
    const { id, code } = reply.body
    assert.match(id, /^[0-9a-f]{40}$/)
    assert.match(code, /^[0-9]{9}$/)
    const rest = `"dtExpiry":"2027-01-15T09:00:00+0000","user":"${userId}","usesAllowed":3,"usesRemaining":3}`
    assert.deepEqual([reply.status, reply.text], [200, `{"id":"${id}","code":"${code}",${rest}`])
    for (const path of [`/api/bypasscodes/${id}`, `/api/bypasscodes/${id.toUpperCase()}`]) {
      assert.equal((await server.call('GET', path)).text, reply.text)
    }
    assert.equal((await server.call('GET', pathOf(userId))).text, `[${reply.text}]`)
  })

  it('without wishes it is for one use and never ends', async () => {
    for (const body of [
      undefined,
      {},
      { usesAllowed: null, expirationTime: null },
      { usesAllowed: '', expirationTime: '' },
      { expirationTime: 0 },
      { expirationTime: '0', usesAllowed: '1' },
    ]) {
      const { userId } = await newUser(server)
      const { body: code } = await create(userId, body)
      assert.deepEqual([code.dtExpiry, code.usesAllowed, code.usesRemaining], [never, 1, 1], JSON.stringify(body))
    }
  })

  it('the limits of uses and minutes are kept, as numbers or as the texts that the Java client sends', async () => {
    const { userId } = await newUser(server)
    for (const usesAllowed of [1, 1000, '1000']) {
      const { body } = await create(userId, { usesAllowed })
      assert.equal(body.usesAllowed, Number(usesAllowed))
    }
    for (const expirationTime of [1, 525_600]) {
      const { body } = await create(userId, { expirationTime: String(expirationTime) })
      const ends = new Date(server.clock.now() + expirationTime * 60_000).toISOString()
      assert.equal(body.dtExpiry, `${ends.slice(0, 19)}+0000`)
    }
    const { userId: other } = await newUser(server)
    const before = await dump(server.database)
    for (const body of [
      ...[0, -1, 1001, 1.5, 1e30, '0', '1001', '-1', '1.5', ' 1', '0x1', 'many', true, [], {}, [1]].map(
        (usesAllowed) => ({
          usesAllowed,
        }),
      ),
      ...[-1, 525_601, 0.5, '-1', '525601', 'never', false, [], {}].map((expirationTime) => ({ expirationTime })),
      [],
      '"1"',
      '{',
    ]) {
      assert.deepEqual(refusal(await create(other, body)), badRequest, JSON.stringify(body))
    }
    assert.deepEqual(await dump(server.database), before)
  })

  it('the sixth code that can still be used is refused; used-up, expired and deleted ones do not count', async () => {
    const { userId } = await newUser(server)
    const first = await newBypassCode(server, userId)
    await newBypassCode(server, userId, { expirationTime: 1 })
    const third = await newBypassCode(server, userId)
    const [lasting] = [await newBypassCode(server, userId, { usesAllowed: 2 }), await newBypassCode(server, userId)]
    const full = async () => assert.deepEqual(refusal(await create(userId, {})), tooMany)
    await full()
    assert.equal(await judged(server, { id: userId }, { bypasscode: first.code }), 'approved')
    const sixth = await newBypassCode(server, userId)
    await full()
    server.clock.advance(60_000 - 1)
    await full()
    server.clock.advance(1)
    await newBypassCode(server, userId)
    await full()
    await server.call('DELETE', `/api/bypasscodes/${third.id}`)
    await newBypassCode(server, userId)
    await full()
    // One that has a use left counts.
    assert.equal(await judged(server, { id: userId }, { bypasscode: lasting.code }), 'approved')
    await full()
    // What is used up is listed still.
    assert.equal((await idsOf(userId)).length, 7)
    assert.deepEqual(await Promise.all([first, lasting, sixth].map(({ id }) => usesLeft(server, id))), [0, 1, 1])
  })

  it('twenty requests at once make five codes', async () => {
    const { userId } = await newUser(server)
    const replies = await Promise.all(Array.from({ length: 20 }, () => create(userId, {})))
    assert.equal(replies.filter(({ status }) => status === 200).length, 5)
    for (const reply of replies) if (reply.status !== 200) assert.deepEqual(refusal(reply), tooMany)
    assert.equal((await list(userId)).length, 5)
  })

  it('the codes are listed in the order of their creation, and stand in the user’s object', async () => {
    const { userId } = await newUser(server)
    assert.deepEqual(await list(userId), [])
    const ids: string[] = []
    for (let count = 0; count < 5; count++) {
      ids.push((await newBypassCode(server, userId)).id)
      server.clock.advance(1)
    }
    assert.deepEqual(await idsOf(userId), ids)
    const domain = `/api/domains/${server.acme.domainId}/users`
    for (const path of [`/api/users/${userId}`, `${domain}/${userId}`]) {
      assert.deepEqual((await server.call('GET', path)).body.bypasscodes, ids)
    }
    for (const path of ['/api/users', domain]) {
      const { body: users } = await server.call('GET', path)
      const codes = users.map((user: { id: string; bypasscodes: string[] }) => [user.id, user.bypasscodes])
      assert.deepEqual(Object.fromEntries(codes)[userId], ids)
    }
  })

  it('one is deleted, or all of a user’s; nobody else’s', async () => {
    const [{ userId }, { userId: other }] = [await newUser(server), await newUser(server)]
    const made = [await newBypassCode(server, userId), await newBypassCode(server, userId)]
    const kept = await newBypassCode(server, other)
    const [first, second] = made.map(({ id }) => id)
    const reply = await server.call('DELETE', `/api/bypasscodes/${first}`)
    assert.deepEqual([reply.status, reply.text, reply.headers.get('content-length')], [200, '', '0'])
    assert.deepEqual(await idsOf(userId), [second])
    assert.deepEqual(refusal(await server.call('GET', `/api/bypasscodes/${first}`)), noSuchCode)
    assert.deepEqual(refusal(await server.call('DELETE', `/api/bypasscodes/${first}`)), noSuchCode)
    for (let count = 0; count < 2; count++) {
      const all = await server.call('DELETE', pathOf(userId))
      assert.deepEqual([all.status, all.text], [200, ''])
      assert.deepEqual(await list(userId), [])
    }
    assert.deepEqual(await idsOf(other), [kept.id])
    const deleted = (await auditOf(server, { user_id: userId })).filter(({ event }) => event === 'bypass_code.deleted')
    assert.deepEqual(
      deleted.map(({ data }) => data.ids),
      [[first], [second]],
    )
  })

  it('a deleted user’s codes are gone', async () => {
    const { userId } = await newUser(server)
    const { id } = await newBypassCode(server, userId)
    await server.call('DELETE', `/api/users/${userId}`)
    assert.deepEqual(refusal(await server.call('GET', `/api/bypasscodes/${id}`)), noSuchCode)
    for (const method of ['GET', 'POST', 'DELETE'])
      assert.deepEqual(refusal(await server.call(method, pathOf(userId))), noSuchUser, method)
    assert.deepEqual(await sql(server.database, 'select * from bypass_codes where user_id = ?', userId), [])
  })

  it('T38: whoever makes or reads codes is recorded with them, and without the codes', async () => {
    const { userId } = await newUser(server)
    const events = async () => (await auditOf(server, { user_id: userId })).filter(({ event }) => /^bypass/.test(event))
    const { id, code } = await newBypassCode(server, userId, { expirationTime: 1 })
    const expiresAt = server.clock.now() + 60_000
    server.clock.advance(1)
    await list(userId)
    server.clock.advance(1)
    await server.call('GET', `/api/bypasscodes/${id}`)
    assert.deepEqual(await events(), [
      { event: 'bypass_code.created', data: { id, usesAllowed: 1, expiresAt } },
      { event: 'bypass_code.revealed', data: { ids: [id] } },
      { event: 'bypass_code.revealed', data: { ids: [id] } },
    ])
    assert.ok(!JSON.stringify([await dump(server.database), server.logged]).includes(code))
  })

  it('T37: a code that was moved to another row in the database is not read', async () => {
    const [{ userId: a }, { userId: b }] = [await newUser(server), await newUser(server)]
    const [own, moved] = [await newBypassCode(server, a), await newBypassCode(server, b)]
    const [row] = await sql(server.database, 'select code_cipher from bypass_codes where id = ?', own.id)
    const set = 'update bypass_codes set code_cipher = ? where id = ?'
    await sql(server.database, set, String(row?.code_cipher), moved.id)
    assert.equal((await server.call('GET', `/api/bypasscodes/${moved.id}`)).body.code, '')
    const body = { user: { id: b }, bypasscode: own.code }
    const session = await server.call('POST', `/api/domains/${server.acme.domainId}/sessions`, { body })
    assert.equal(session.body.state, 'denied')
  })

  it('mallory sees, makes and deletes nothing of acme’s', async () => {
    const { userId } = await newUser(server)
    const { id } = await newBypassCode(server, userId)
    const before = await dump(server.database)
    const { call } = asOther(server)
    for (const method of ['GET', 'DELETE'])
      assert.deepEqual(refusal(await call(method, `/api/bypasscodes/${id}`)), noSuchCode)
    for (const method of ['GET', 'POST', 'DELETE'])
      assert.deepEqual(refusal(await call(method, pathOf(userId))), noSuchUser)
    assert.deepEqual(await dump(server.database), before)
  })
})
