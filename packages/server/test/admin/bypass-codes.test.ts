import assert from 'node:assert/strict'
import { after, before, it } from 'node:test'
import { newApiKey } from '../support/api-keys.ts'
import { auditOf } from '../support/audit.ts'
import { asOther, judged } from '../support/codes.ts'
import { onEveryEngine } from '../support/engines.ts'
import { newUser, refusal } from '../support/phones.ts'
import { startTestServer, type TestServer } from '../support/server.ts'
import { dump, sql } from '../support/sql.ts'

const hourMs = 3_600_000

onEveryEngine((engine) => {
  let server: TestServer
  before(async () => {
    server = await startTestServer(engine)
  })
  after(() => server.stop())

  const ofUser = (userId: string) => `/admin/v1/users/${userId}/bypass-codes`
  const one = (id: string) => `/admin/v1/bypass-codes/${id}`
  const create = (userId: string, body: object = {}) => server.call('POST', ofUser(userId), { body })
  const inMs = (ms: number) => new Date(server.clock.now() + ms).toISOString()

  it('a code has one use and no end unless told, and logs its user in', async () => {
    const { userId } = await newUser(server)
    const reply = await create(userId)
    assert.equal(reply.status, 201)
    const { id, code, ...rest } = reply.body
    assert.match(code, /^[0-9]{9}$/)
    assert.deepEqual(rest, { user: userId, usesAllowed: 1, usesRemaining: 1, expiresAt: null, createdAt: inMs(0) })
    assert.equal(await judged(server, { id: userId }, { bypasscode: code }), 'approved')
    const spent = { ...reply.body, usesRemaining: 0 }
    assert.deepEqual((await server.call('GET', one(id.toUpperCase()))).body, spent)
    assert.deepEqual((await server.call('GET', ofUser(userId))).body, { items: [spent] })
  })

  it('it ends when it is told to, to the millisecond', async () => {
    const { userId } = await newUser(server)
    const { body } = await create(userId, { usesAllowed: 9, expiresAt: inMs(hourMs) })
    assert.equal(body.expiresAt, inMs(hourMs))
    server.clock.advance(hourMs - 1)
    assert.equal(await judged(server, { id: userId }, { bypasscode: body.code }), 'approved')
    server.clock.advance(1)
    assert.equal(await judged(server, { id: userId }, { bypasscode: body.code }), 'code_spent')
  })

  it('what cannot be is refused by its name, and nothing is made', async () => {
    const { userId } = await newUser(server)
    const before = await dump(server.database)
    for (const wrong of [
      { usesAllowed: 0 },
      { usesAllowed: 1_001 },
      { usesAllowed: '1' },
      { expiresAt: inMs(0) },
      { expiresAt: inMs(366 * 24 * hourMs) },
      { expiresAt: 'tomorrow' },
      { expiresAt: '2027-02-30' },
      { code: '123456789' },
    ]) {
      const reply = await create(userId, wrong)
      assert.equal(reply.status, 400, reply.text)
      assert.match(reply.body.errors[0].message, new RegExp(`^${Object.keys(wrong)[0]}: `))
    }
    assert.deepEqual(await dump(server.database), before)
  })

  it('a sixth code is refused, in parallel, too', async () => {
    const { userId } = await newUser(server)
    const replies = await Promise.all(Array.from({ length: 8 }, () => create(userId)))
    assert.deepEqual(replies.map(({ status }) => status).sort(), [201, 201, 201, 201, 201, 400, 400, 400])
    const refused = replies.find(({ status }) => status === 400)
    assert.equal(refused && refusal(refused).code, 'api.error.limit.bypasscodes')
  })

  it('T38: each reading of a code in clear text is recorded with its reader, and only those that were shown', async () => {
    const { userId } = await newUser(server)
    const ids: string[] = []
    for (let n = 0; n < 3; n++) {
      ids.push((await create(userId)).body.id)
      server.clock.advance(1)
    }
    const first = await server.call('GET', `${ofUser(userId)}?limit=2`)
    const second = await server.call('GET', `${ofUser(userId)}?limit=2&after=${first.body.next}`)
    await server.call('GET', one(ids[1] ?? ''))
    assert.equal(second.body.next, undefined)
    const revealed = (await auditOf(server, { user_id: userId, event: 'bypass_code.revealed' })).map(
      ({ data }) => data.ids,
    )
    assert.deepEqual(revealed.map(String).sort(), [ids.slice(0, 2), ids.slice(2), [ids[1]]].map(String).sort())
    const { text } = await server.call('GET', `/admin/v1/audit?user=${userId}`)
    for (const { code } of first.body.items) assert.ok(!text.includes(code))
  })

  it('T38: a key of the scope auth or read sees no code and makes none', async () => {
    const { userId } = await newUser(server)
    const { body } = await create(userId)
    for (const scope of ['auth', 'read'] as const) {
      const key = await newApiKey(server, scope)
      for (const [method, path] of [
        ['GET', ofUser(userId)],
        ['POST', ofUser(userId)],
        ['GET', one(body.id)],
        ['DELETE', one(body.id)],
      ] as const) {
        assert.equal(
          refusal(await server.call(method, path, { key })).code,
          'api.error.forbidden',
          `${scope} ${method}`,
        )
      }
    }
    assert.deepEqual(await auditOf(server, { user_id: userId, event: 'bypass_code.revealed' }), [])
  })

  it('A21: another organization finds neither the user nor the code, and the code is nobody else’s', async () => {
    const { userId } = await newUser(server)
    const { body } = await create(userId)
    const other = asOther(server)
    assert.equal(refusal(await other.call('GET', ofUser(userId))).code, 'api.error.notfound.user')
    assert.equal(refusal(await other.call('POST', ofUser(userId), { body: {} })).code, 'api.error.notfound.user')
    assert.equal(refusal(await other.call('GET', one(body.id))).code, 'api.error.notfound.bypasscode')
    assert.equal(refusal(await other.call('DELETE', one(body.id))).code, 'api.error.notfound.bypasscode')
    assert.equal(await judged(server, { id: server.acme.bob }, { bypasscode: body.code }), 'wrong_code')
    const failures = 'select bypass_codes from code_failures where owner_id = ?'
    assert.deepEqual(
      (await sql(server.database, failures, server.acme.bob)).map(({ bypass_codes }) => bypass_codes),
      [engine.name === 'postgres' ? '1' : 1],
    )
    assert.equal(await judged(server, { id: userId }, { bypasscode: body.code }), 'approved')
  })

  it('a deleted code is gone at once, and can be deleted only once', async () => {
    const { userId } = await newUser(server)
    const { body } = await create(userId)
    const [first, second] = await Promise.all([
      server.call('DELETE', one(body.id)),
      server.call('DELETE', one(body.id)),
    ])
    assert.deepEqual([first.status, second.status].sort(), [204, 404])
    assert.equal(await judged(server, { id: userId }, { bypasscode: body.code }), 'wrong_code')
    assert.equal((await auditOf(server, { user_id: userId, event: 'bypass_code.deleted' })).length, 1)
  })
})
