import assert from 'node:assert/strict'
import { after, before, it } from 'node:test'
import { asOther, type Fob, judged, newBypassCode, newFob, type Presented } from '../support/codes.ts'
import { onEveryEngine } from '../support/engines.ts'
import { countersign, newPhone, newUser, type Phone, refusal } from '../support/phones.ts'
import { startTestServer, type TestServer } from '../support/server.ts'
import { sql } from '../support/sql.ts'

const lifeMs = 120_000
const approvalValidMs = 600_000
const methods = ['bypasscode', 'otp'] as const
type Method = (typeof methods)[number]

onEveryEngine((engine) => {
  let server: TestServer
  before(async () => {
    server = await startTestServer(engine)
  })
  after(() => server.stop())

  // A token in the place of another would take along what that one approved.
  const fobs = new Map<string, Fob>()

  /** A right code of a user's. */
  async function codeOf(
    userId: string,
    method: Method,
    front: Pick<TestServer, 'call' | 'clock'> = server,
  ): Promise<Presented> {
    if (method === 'bypasscode') return { bypasscode: (await newBypassCode(front, userId)).code }
    const fob = fobs.get(userId) ?? (await newFob(front, userId))
    fobs.set(userId, fob)
    // Each password passes once: the moment moves on to the next one.
    server.clock.advance(30_000)
    return { otp: fob.otp() }
  }
  async function approvedBy(userId: string, method: Method, domainId = server.acme.domainId): Promise<string> {
    const body = { user: { id: userId }, ...(await codeOf(userId, method)) }
    const reply = await server.call('POST', `/api/domains/${domainId}/sessions`, { body })
    assert.equal(reply.body.state, 'approved')
    return reply.body.id
  }
  async function details(sid: string, domainId = server.acme.domainId): Promise<string[]> {
    const reply = await server.call('GET', `/api/domains/${domainId}/sessions/${sid}`, { headers: countersign })
    assert.equal(reply.status, 200, reply.text)
    return [reply.body.state, reply.body.reason]
  }

  for (const method of methods) {
    it(`T21: an approval by ${method} is handed out for ten minutes`, async () => {
      const { userId } = await newUser(server)
      const sid = await approvedBy(userId, method)
      server.clock.advance(approvalValidMs - 1)
      assert.deepEqual(await details(sid), ['approved', ''])
      server.clock.advance(1)
      assert.deepEqual(await details(sid), ['denied', 'approval_expired'])
    })

    it(`A30 A40: who was approved by ${method} and is removed or deleted is denied, read before or not`, async () => {
      const { domainId, pinDomainId } = server.acme
      const remove: Record<string, (user: { userId: string }) => Promise<unknown>> = {
        member_removed: ({ userId }) => server.call('DELETE', `/api/domains/${domainId}/users/${userId}`),
        user_deleted: ({ userId }) => server.call('DELETE', `/api/users/${userId}`),
      }
      for (const [reason, end] of Object.entries(remove)) {
        const user = await newUser(server)
        const [unread, read] = [await approvedBy(user.userId, method), await approvedBy(user.userId, method)]
        const elsewhere = await approvedBy(user.userId, method, pinDomainId)
        const stranger = await approvedBy((await newUser(server)).userId, method)
        assert.deepEqual(await details(read), ['approved', ''])
        await end(user)
        for (const sid of [unread, read]) assert.deepEqual(await details(sid), ['denied', reason])
        const gone = reason === 'user_deleted'
        assert.deepEqual(await details(elsewhere, pinDomainId), gone ? ['denied', reason] : ['approved', ''])
        assert.deepEqual(await details(stranger), ['approved', ''])
        if (gone) continue
        await server.call('PUT', `/api/domains/${domainId}/users/${user.userId}`)
        assert.deepEqual(await details(read), ['denied', reason], 'who comes back is asked anew')
      }
    })

    it(`A30: who is not on the domain’s new list is denied after an approval by ${method}`, async () => {
      const { call } = asOther(server)
      const { body: user } = await call('POST', '/api/users', { body: { username: `listed-${method}` } })
      const domain = `/api/domains/${server.other.domainId}`
      await call('PUT', `${domain}/users/${user.id}`)
      const body = { user: { id: user.id }, ...(await codeOf(user.id, method, asOther(server))) }
      const { body: session } = await call('POST', `${domain}/sessions`, { body })
      assert.equal(session.state, 'approved')
      await call('PUT', `${domain}/users`, { body: [{ username: 'mallory' }] })
      const { body: read } = await call('GET', `${domain}/sessions/${session.id}`, { headers: countersign })
      assert.deepEqual([read.state, read.reason], ['denied', 'member_removed'])
    })

    it(`the end of a token does not concern who was approved by ${method}, and an ended session is not cancelled`, async () => {
      const phone = await newPhone(server)
      const sid = await approvedBy(phone.userId, method)
      await server.call('DELETE', phone.token)
      assert.deepEqual(await details(sid), ['approved', ''])
      assert.equal((await server.call('DELETE', `/api/domains/${phone.domainId}/sessions/${sid}`)).status, 200)
    })

    it(`T37: a session by ${method} that somebody set to approved in the database reads denied`, async () => {
      const { userId } = await newUser(server)
      const body = { user: { id: userId }, [method]: '' }
      const { body: denied } = await server.call('POST', `/api/domains/${server.acme.domainId}/sessions`, { body })
      const good = await approvedBy(userId, method)
      const now = server.clock.now()
      const set = `update sessions set state = 'approved', reason = '', ended_at = null, approved_at = ?, verdict_mac = ? where sid = ?`
      const [row] = await sql(server.database, 'select verdict_mac from sessions where sid = ?', good)
      const mac = String(row?.verdict_mac)
      for (const forged of [null, '', mac]) {
        await sql(server.database, set, now, forged, denied.id)
        assert.deepEqual(await details(denied.id), ['denied', 'tampered'])
      }
      // Nor does an approval get another life, another user or another method.
      const change = async (column: string, value: string | number) => {
        const [before] = await sql(server.database, `select ${column} from sessions where sid = ?`, good)
        await sql(server.database, `update sessions set ${column} = ? where sid = ?`, value, good)
        assert.deepEqual(await details(good), ['denied', 'tampered'], column)
        const old = before?.[column]
        await sql(server.database, `update sessions set ${column} = ? where sid = ?`, old as typeof value, good)
      }
      await change('approved_at', now + 1)
      await change('user_id', server.acme.alice)
      await change('method', 'push')
      assert.deepEqual(await details(good), ['approved', ''])
      assert.ok(server.logged.some(({ alarm, sid }) => alarm === 'session.tampered' && sid === denied.id))
    })

    it(`T23: whoever comes with a right ${method} is asked on the phone again after too many unanswered requests`, async () => {
      const phone = await newPhone(server)
      for (let count = 0; count < 15; count++) {
        assert.equal((await ask(phone)).state, 'pending')
        server.clock.advance(lifeMs)
      }
      assert.deepEqual((await ask(phone)).reason, 'throttled')
      await server.restart()
      assert.equal(await judged(server, { id: phone.userId }, { [method]: '' } as Presented), 'wrong_code')
      assert.deepEqual((await ask(phone)).reason, 'throttled')
      await approvedBy(phone.userId, method)
      assert.equal((await ask(phone)).state, 'pending')
      assert.equal((await phone.device.requests()).length, 1)
    })

    it(`sessions by ${method} are among the thousand that a user has in a day`, async () => {
      const { userId } = await newUser(server)
      await judged(server, { id: userId }, { [method]: '' } as Presented)
      await sql(server.database, 'update user_limits set used = 999 where user_id = ?', userId)
      const body = { user: { id: userId }, ...(await codeOf(userId, method)) }
      const create = () => server.call('POST', `/api/domains/${server.acme.domainId}/sessions`, { body })
      const last = await create()
      assert.equal(last.body.state, 'approved')
      assert.deepEqual(refusal(await create()), { status: 429, code: 'api.error.toomanyrequests' })
    })
  }

  async function ask({ userId, domainId }: Phone): Promise<{ state: string; reason: string }> {
    const path = `/api/domains/${domainId}/sessions`
    return (await server.call('POST', path, { body: { user: { id: userId } }, headers: countersign })).body
  }
})
