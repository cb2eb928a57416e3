import assert from 'node:assert/strict'
import { after, before, it } from 'node:test'
import { auditOf } from '../support/audit.ts'
import { asOther, judged, newFob } from '../support/codes.ts'
import { onEveryEngine } from '../support/engines.ts'
import { newUser, refusal } from '../support/phones.ts'
import { startTestServer, type TestServer } from '../support/server.ts'
import { dump, sql } from '../support/sql.ts'

const badRequest = { status: 400, code: 'api.error.badrequest' }
const taken = { status: 400, code: 'api.error.conflict.serialnumber' }
const anothers = { status: 400, code: 'api.error.conflict.hardware' }
const noSuchUser = { status: 404, code: 'api.error.notfound.user' }
const noSuchHardware = { status: 404, code: 'api.error.notfound.hardware' }
const seed = '3132333435363738393031323334353637383930'

onEveryEngine((engine) => {
  let server: TestServer
  before(async () => {
    server = await startTestServer(engine)
  })
  after(() => server.stop())

  let serials = 0
  const wished = (wishes = {}) => ({ serialNumber: `W-${++serials}`, type: 'TOTP6', timeStep: 30, seed, ...wishes })
  const create = (body: unknown) => server.call('POST', '/api/hardware', { body })
  const read = (id: string) => server.call('GET', `/api/hardware/${id}`)
  const ofUser = (userId: string) => server.call('GET', `/api/users/${userId}/hardware`)
  const give = (userId: string, id: string) => server.call('PUT', `/api/users/${userId}/hardware/${id}`)
  const take = (userId: string) => server.call('DELETE', `/api/users/${userId}/hardware`)
  const ownerOf = async (id: string) => (await read(id)).body.user
  const inUser = async (userId: string) => (await server.call('GET', `/api/users/${userId}`)).body.hardware

  it('a token is registered and read, byte for byte, and its seed is never seen again', async () => {
    const body = { serialNumber: '7 81"23', type: 'TOTP8', timeStep: 60, seed, alias: 'Jané’s' }
    const reply = await create(body)
    const { id } = reply.body
    assert.match(id, /^[0-9a-f]{40}$/)
    const rest = String.raw`"alias":"Jan\u00e9\u2019s","serialNumber":"7 81\"23","type":"TOTP8","timeStep":"60s"`
    const text = `{"id":"${id}",${rest},"syncState":"Never Used","user":""}`
    assert.deepEqual([reply.status, reply.text], [200, text])
    for (const path of [id, id.toUpperCase()]) assert.equal((await read(path)).text, text)
    assert.equal((await server.call('GET', '/api/hardware')).text, `[${text}]`)
    const kept = JSON.stringify([await dump(server.database), server.logged])
    for (const form of [seed, Buffer.from(seed, 'hex').toString('base64'), Buffer.from(seed, 'hex').toString()])
      assert.ok(!kept.includes(form))
  })

  it('without an alias, or with an empty one, it is called by its id', async () => {
    for (const wishes of [{}, { alias: null }, { alias: '' }]) {
      const { body } = await create(wished(wishes))
      assert.equal(body.alias, `HW-${body.id.slice(0, 8)}`)
    }
  })

  it('the step is taken in all the ways that it is written', async () => {
    for (const timeStep of [30, '30', '30s']) assert.equal((await create(wished({ timeStep }))).body.timeStep, '30s')
    for (const timeStep of [60, '60', '60s']) assert.equal((await create(wished({ timeStep }))).body.timeStep, '60s')
  })

  it('what is at the limits is taken, and what is beyond is refused by its name', async () => {
    for (const wishes of [
      { seed: '00'.repeat(10) },
      { seed: 'aB'.repeat(64) },
      { serialNumber: 'x' },
      { serialNumber: 'x'.repeat(64) },
      { alias: '🙂'.repeat(64) },
    ]) {
      assert.equal((await create(wished(wishes))).status, 200, JSON.stringify(wishes))
    }
    const before = await dump(server.database)
    const bad: Record<string, unknown[]> = {
      serialNumber: [undefined, null, '', ' ', ' x', 'x ', 'x\ny', 'é', 'x'.repeat(65), 5, [], {}],
      type: [undefined, null, '', 'totp6', 'TOTP7', 'HOTP6', 'toString', 6, []],
      timeStep: [undefined, null, '', 0, 31, '30 s', '30m', '030', 30.5, true, [30], {}],
      seed: [undefined, null, '', 'x'.repeat(40), seed.slice(1), ` ${seed}`, '00'.repeat(9), '00'.repeat(65), 12, []],
      alias: ['x'.repeat(65), ' ', '\u0007', 5, []],
    }
    for (const [field, values] of Object.entries(bad)) {
      for (const value of values) {
        const reply = await create(wished({ [field]: value }))
        assert.deepEqual(refusal(reply), badRequest, `${field} ${JSON.stringify(value)}`)
        assert.ok(reply.body.errors[0].message.startsWith(`${field}:`), reply.text)
        assert.ok(!reply.text.includes(seed))
      }
    }
    assert.deepEqual(await dump(server.database), before)
  })

  it('a serial number is an organization’s once, also when twenty ask at once', async () => {
    const body = wished()
    const replies = await Promise.all(Array.from({ length: 20 }, () => create(body)))
    assert.equal(replies.filter(({ status }) => status === 200).length, 1)
    for (const reply of replies) if (reply.status !== 200) assert.deepEqual(refusal(reply), taken)
    const foreign = await asOther(server).call('POST', '/api/hardware', { body })
    assert.equal(foreign.status, 200)
    // One that was deleted frees its number.
    const { id } = replies.find(({ status }) => status === 200)?.body ?? assert.fail()
    await server.call('DELETE', `/api/hardware/${id}`)
    assert.equal((await create(body)).status, 200)
  })

  it('only the alias changes, and without one nothing does', async () => {
    const { body: token } = await create(wished({ alias: 'First' }))
    const change = (body?: unknown) =>
      server.call('PUT', `/api/hardware/${token.id}`, body === undefined ? {} : { body })
    const other = { serialNumber: 'other', type: 'TOTP8', timeStep: 60, seed: '00'.repeat(20), user: server.acme.bob }
    const changed = await change({ alias: 'Second', ...other })
    assert.deepEqual([changed.status, changed.body], [200, { ...token, alias: 'Second' }])
    for (const body of [undefined, {}, { alias: null }, other]) {
      const reply = await change(body)
      assert.deepEqual([reply.status, reply.body], [200, { ...token, alias: 'Second' }])
    }
    for (const alias of ['', ' ', 'x'.repeat(65), 5]) assert.deepEqual(refusal(await change({ alias })), badRequest)
    assert.deepEqual((await read(token.id)).body, { ...token, alias: 'Second' })
  })

  it('a token is given, and shows in the user’s object and the user in its own', async () => {
    const { userId } = await newUser(server)
    const { id } = await newFob(server, undefined)
    assert.deepEqual(refusal(await ofUser(userId)), noSuchHardware)
    assert.equal(await inUser(userId), '')
    for (let count = 0; count < 2; count++) {
      const given = await give(userId, id)
      assert.deepEqual([given.status, given.text, given.headers.get('content-length')], [200, '', '0'])
    }
    assert.equal((await ofUser(userId)).text, (await read(id)).text)
    assert.equal(await ownerOf(id), userId)
    const domain = `/api/domains/${server.acme.domainId}/users`
    for (const path of [`/api/users/${userId}`, `${domain}/${userId}`])
      assert.equal((await server.call('GET', path)).body.hardware, id)
    for (const path of ['/api/users', domain]) {
      const { body: users } = await server.call('GET', path)
      const held = users.map((user: { id: string; hardware: string }) => [user.id, user.hardware])
      assert.equal(Object.fromEntries(held)[userId], id)
    }
    const events = (await auditOf(server, { user_id: userId })).filter(({ event }) => event === 'hardware.assigned')
    assert.equal(events.length, 1, 'the second time nothing changed')
  })

  it('another one takes the place of the first, and what is somebody else’s is refused', async () => {
    const [{ userId: a }, { userId: b }] = [await newUser(server), await newUser(server)]
    const [first, second] = [await newFob(server, a), await newFob(server, b)]
    assert.deepEqual(refusal(await give(a, second.id)), anothers)
    assert.deepEqual([await inUser(a), await inUser(b)], [first.id, second.id])
    const third = await newFob(server, undefined)
    assert.equal((await give(a, third.id)).status, 200)
    assert.deepEqual([await inUser(a), await ownerOf(first.id), await ownerOf(third.id)], [third.id, '', a])
    assert.equal(await judged(server, { id: a }, { otp: first.otp() }), 'wrong_code')
    assert.equal(await judged(server, { id: a }, { otp: third.otp() }), 'approved')
    assert.equal((await give(b, first.id)).status, 200)
  })

  it('a token is taken away once', async () => {
    const { userId } = await newUser(server)
    const { id } = await newFob(server, userId)
    const reply = await take(userId)
    assert.deepEqual([reply.status, reply.text], [200, ''])
    assert.deepEqual(refusal(await take(userId)), noSuchHardware)
    assert.deepEqual(refusal(await ofUser(userId)), noSuchHardware)
    assert.deepEqual([await ownerOf(id), await inUser(userId)], ['', ''])
  })

  it('one token is given to one of twenty, and one of twenty tokens is a user’s, when all ask at once', async () => {
    const { id } = await newFob(server, undefined)
    const users = await Promise.all(Array.from({ length: 20 }, () => newUser(server)))
    const replies = await Promise.all(users.map(({ userId }) => give(userId, id)))
    assert.equal(replies.filter(({ status }) => status === 200).length, 1)
    for (const reply of replies) if (reply.status !== 200) assert.deepEqual(refusal(reply), anothers)
    const { userId } = await newUser(server)
    const fobs = await Promise.all(Array.from({ length: 20 }, () => newFob(server, undefined)))
    for (const { status } of await Promise.all(fobs.map((fob) => give(userId, fob.id)))) assert.equal(status, 200)
    const rows = await sql(server.database, 'select id from hardware_tokens where user_id = ?', userId)
    assert.deepEqual(
      rows.map((row) => row.id),
      [await inUser(userId)],
    )
  })

  it('a deleted token is gone from its user, and a deleted user’s token is free', async () => {
    const [{ userId }, { userId: leaving }] = [await newUser(server), await newUser(server)]
    const [deleted, freed] = [await newFob(server, userId), await newFob(server, leaving)]
    const reply = await server.call('DELETE', `/api/hardware/${deleted.id}`)
    assert.deepEqual([reply.status, reply.text, reply.headers.get('content-length')], [200, '', '0'])
    assert.deepEqual(refusal(await read(deleted.id)), noSuchHardware)
    assert.deepEqual(refusal(await server.call('DELETE', `/api/hardware/${deleted.id}`)), noSuchHardware)
    assert.deepEqual([await inUser(userId), refusal(await ofUser(userId))], ['', noSuchHardware])
    await server.call('DELETE', `/api/users/${leaving}`)
    assert.equal(await ownerOf(freed.id), '')
    for (const answer of [await ofUser(leaving), await give(leaving, freed.id), await take(leaving)])
      assert.deepEqual(refusal(answer), noSuchUser)
    assert.equal((await give(userId, freed.id)).status, 200)
  })

  it('all are listed, the oldest first', async () => {
    const ids = async () => (await server.call('GET', '/api/hardware')).body.map(({ id }: { id: string }) => id)
    const made: string[] = []
    for (let count = 0; count < 4; count++) {
      server.clock.advance(1)
      made.push((await newFob(server, undefined)).id)
    }
    assert.deepEqual((await ids()).slice(-4), made)
  })

  it('mallory sees, changes and takes nothing of acme’s, and gets none of it', async () => {
    const { userId } = await newUser(server)
    const { id } = await newFob(server, userId)
    const { id: free } = await newFob(server, undefined)
    const { call } = asOther(server)
    const before = await dump(server.database)
    for (const method of ['GET', 'PUT', 'DELETE'])
      assert.deepEqual(refusal(await call(method, `/api/hardware/${id}`)), noSuchHardware)
    for (const method of ['GET', 'DELETE'])
      assert.deepEqual(refusal(await call(method, `/api/users/${userId}/hardware`)), noSuchUser)
    const given = await call('PUT', `/api/users/${server.other.mallory}/hardware/${free}`)
    assert.deepEqual(refusal(given), noSuchHardware)
    const { body: listed } = await call('GET', '/api/hardware')
    assert.ok(!listed.some((token: { id: string }) => [id, free].includes(token.id)))
    assert.deepEqual(await dump(server.database), before)
  })
})
