import assert from 'node:assert/strict'
import { after, before, it } from 'node:test'
import { auditOf } from '../support/audit.ts'
import { judged, newBypassCode, newFob } from '../support/codes.ts'
import { onEveryEngine } from '../support/engines.ts'
import { newPhone, newUser, refusal } from '../support/phones.ts'
import { startTestServer, type TestServer } from '../support/server.ts'
import { dump } from '../support/sql.ts'

const path = '/admin/v1/users'
const hourMs = 3_600_000
const wrong = { bypasscode: 'not a code' }

onEveryEngine((engine) => {
  let server: TestServer
  before(async () => {
    server = await startTestServer(engine)
  })
  after(() => server.stop())

  const create = (body: object) => server.call('POST', path, { body })
  const change = (id: string, body: object, headers = {}) => server.call('PATCH', `${path}/${id}`, { body, headers })
  const names = async (query: string): Promise<string[]> => {
    const reply = await server.call('GET', `${path}?${query}`)
    assert.equal(reply.status, 200, reply.text)
    return reply.body.items.map(({ username }: { username: string }) => username)
  }
  const locked = async () => {
    const { userId } = await newUser(server)
    for (let n = 0; n < 5; n++) await judged(server, { id: userId }, wrong)
    assert.equal(await judged(server, { id: userId }, wrong), 'codes_locked')
    return userId
  }

  it('a user is created, and is what both APIs show from then on', async () => {
    const reply = await create({ username: 'Jane', email: 'jane@example.org' })
    assert.equal(reply.status, 201)
    const { createdAt, lockedUntil, ...user } = reply.body
    const { id } = user
    const expected = { id, username: 'Jane', name: 'Jane', email: 'jane@example.org' }
    assert.deepEqual(user, { ...expected, domains: [], bypasscodes: [], hardware: '' })
    assert.deepEqual([createdAt, lockedUntil], [new Date(server.clock.now()).toISOString(), null])
    const shown = await server.call('GET', `${path}/${id}`)
    assert.deepEqual([shown.body, shown.headers.get('etag')], [reply.body, reply.headers.get('etag')])
    assert.deepEqual((await server.call('GET', `/api/users/${id}`)).body, user)
    assert.deepEqual(refusal(await create({ username: 'JANE' })), { status: 400, code: 'api.error.conflict.username' })
  })

  it('shows memberships, bypass codes and the hardware token by their ids, and no code', async () => {
    const { userId } = await newUser(server)
    const [code, fob] = [await newBypassCode(server, userId), await newFob(server, userId)]
    const { body, text } = await server.call('GET', `${path}/${userId}`)
    assert.deepEqual(body.domains, [server.acme.domainId, server.acme.pinDomainId].sort())
    assert.deepEqual([body.bypasscodes, body.hardware], [[code.id], fob.id])
    assert.ok(!text.includes(code.code))
  })

  it('a value that cannot be is refused by its name, and changes nothing', async () => {
    const { userId } = await newUser(server)
    const before = await dump(server.database)
    for (const body of [{ name: 'x'.repeat(257) }, { email: 'nowhere' }, { name: 3 }, { username: '' }, { id: 'x' }]) {
      const [field = ''] = Object.keys(body)
      for (const reply of [await change(userId, body), await create({ username: 'fine', ...body })]) {
        assert.equal(reply.status, 400)
        assert.match(reply.body.errors[0].message, new RegExp(`^${field}: `), JSON.stringify(body))
      }
    }
    assert.equal((await create({})).body.errors[0].message, 'username: It is required.')
    assert.match((await change(userId, { username: 'other' })).body.errors[0].message, /^username: /)
    assert.deepEqual(await dump(server.database), before)
  })

  it('of two editors who saw the same user, the second is told; in parallel, too', async () => {
    const { userId } = await newUser(server)
    const seen = (await server.call('GET', `${path}/${userId}`)).headers.get('etag') ?? ''
    await newBypassCode(server, userId) // which no edit of the name overwrites
    const edits = ['One', 'Two', 'Three'].map((name) => change(userId, { name }, { 'if-match': seen }))
    const replies = await Promise.all(edits)
    assert.deepEqual(replies.map(({ status }) => status).sort(), [200, 412, 412])
    const late = await server.call('DELETE', `${path}/${userId}`, { headers: { 'if-match': seen } })
    assert.equal(refusal(late).code, 'api.error.preconditionfailed')
    const now = (await server.call('GET', `${path}/${userId}`)).headers.get('etag') ?? ''
    assert.equal(replies.find(({ status }) => status === 200)?.headers.get('etag'), now)
    const changed = await change(userId, { name: '', email: '' }, { 'if-match': now })
    assert.deepEqual([changed.status, changed.body.name, changed.body.email], [200, changed.body.username, ''])
  })

  it('A40: a deleted user’s tokens and sessions end with the user', async () => {
    const phone = await newPhone(server)
    const { sid } = await phone.ask()
    const reply = await server.call('DELETE', `${path}/${phone.userId}`)
    assert.deepEqual([reply.status, reply.text], [204, ''])
    assert.equal(await phone.verdict(sid), 'denied')
    const polled = await phone.device.poll()
    assert.equal(polled.ok, false)
    for (const method of ['GET', 'DELETE']) {
      assert.equal(refusal(await server.call(method, `${path}/${phone.userId}`)).code, 'api.error.notfound.user')
    }
  })

  it('finds users by how their names begin, in any case and script, and no others', async () => {
    for (const username of [
      'Zoe',
      'zoe.b',
      'ZOË',
      'zo',
      'zp',
      'Ｚoe-wide',
      'z%e',
      'z_e',
      '\u{1f980}crab',
      'Zoe\u{ffee}',
    ]) {
      await create({ username })
    }
    assert.deepEqual(await names('q=zoe'), ['Zoe', 'Ｚoe-wide', 'zoe.b', 'Zoe\u{ffee}'])
    assert.deepEqual(await names('q=ZO'), ['zo', 'Zoe', 'Ｚoe-wide', 'zoe.b', 'Zoe\u{ffee}', 'ZOË'])
    assert.deepEqual(await names(`q=${encodeURIComponent('ｚＯË')}`), ['ZOË'])
    assert.deepEqual(await names('q=z%25'), ['z%e'])
    assert.deepEqual(await names('q=z_'), ['z_e'])
    assert.deepEqual(await names(`q=${encodeURIComponent('\u{1f980}')}`), ['\u{1f980}crab'])
    assert.deepEqual(await names('q=mallory'), [])
    assert.deepEqual(await names('q='), await names('limit=1000'))
  })

  it('the list goes on where a part of it ended, whoever comes and goes meanwhile', async () => {
    const mine = Array.from({ length: 7 }, (_, n) => `page-${'bgacfde'[n]}`)
    for (const username of mine) await create({ username })
    const seen: string[] = []
    for (let after: string | undefined; ; ) {
      const { body } = await server.call('GET', `${path}?q=Page-&limit=2${after ? `&after=${after}` : ''}`)
      assert.ok(body.items.length <= 2)
      seen.push(...body.items.map(({ username }: { username: string }) => username))
      after = body.next
      if (after === undefined) break
      const { body: passing } = await create({ username: `page-${seen.at(-1)?.at(-1)}-` })
      await server.call('DELETE', `${path}/${passing.id}`)
    }
    assert.deepEqual(seen, mine.sort())
  })

  it('a cursor of another list is refused, and a name that nobody can have finds nobody', async () => {
    const { body } = await server.call('GET', `${path}?limit=1`)
    for (const query of ['after=x', `q=zz&after=${body.next}`, `after=WzFd`, `q=${'x'.repeat(257)}`, 'name=alice']) {
      const reply = await server.call('GET', `${path}?${query}`)
      assert.equal(reply.status, 400, query)
    }
    assert.deepEqual(await names('q=%20'), [])
  })

  it('T40: an unlocked user’s codes are judged again, after as many wrong ones as ever', async () => {
    const userId = await locked()
    const [code, fob] = [await newBypassCode(server, userId), await newFob(server, userId)]
    const { body } = await server.call('GET', `${path}/${userId}`)
    assert.equal(body.lockedUntil, new Date(server.clock.now() + hourMs).toISOString())
    const listed = (await server.call('GET', `${path}?q=${body.username}`)).body.items
    assert.equal(listed[0].lockedUntil, body.lockedUntil)
    const reply = await server.call('POST', `${path}/${userId}/unlock`)
    assert.deepEqual([reply.status, reply.text], [204, ''])
    assert.equal((await server.call('GET', `${path}/${userId}`)).body.lockedUntil, null)
    assert.equal(await judged(server, { id: userId }, { bypasscode: code.code }), 'approved')
    for (let n = 0; n < 5; n++) assert.equal(await judged(server, { id: userId }, wrong), 'wrong_code')
    assert.equal(await judged(server, { id: userId }, { otp: fob.otp() }), 'codes_locked')
  })

  it('one of several who unlock at once ends the lock, and an audit event says so once', async () => {
    const userId = await locked()
    const statuses = await Promise.all(
      [1, 2, 3].map(async () => (await server.call('POST', `${path}/${userId}/unlock`)).status),
    )
    assert.deepEqual(statuses, [204, 204, 204])
    assert.equal((await auditOf(server, { user_id: userId, event: 'codes.unlocked' })).length, 1)
  })

  it('whoever is not locked is left alone: wrong codes stay counted', async () => {
    const { userId } = await newUser(server)
    for (let n = 0; n < 4; n++) await judged(server, { id: userId }, wrong)
    const before = await dump(server.database)
    assert.equal((await server.call('POST', `${path}/${userId}/unlock`)).status, 204)
    assert.deepEqual(await dump(server.database), before)
    await judged(server, { id: userId }, wrong)
    assert.equal(await judged(server, { id: userId }, wrong), 'codes_locked')
    server.clock.advance(hourMs)
    assert.equal((await server.call('GET', `${path}/${userId}`)).body.lockedUntil, null)
    const foreign = await server.call('POST', `${path}/${server.other.mallory}/unlock`)
    assert.deepEqual(refusal(foreign), { status: 404, code: 'api.error.notfound.user' })
  })
})
