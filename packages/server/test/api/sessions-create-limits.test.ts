import assert from 'node:assert/strict'
import { after, before, it } from 'node:test'
import { auditOf } from '../support/audit.ts'
import { onEveryEngine } from '../support/engines.ts'
import { countersign, newDomain, newPhone, newUser, type Phone, refusal } from '../support/phones.ts'
import { startTestServer, type TestServer } from '../support/server.ts'
import { sql } from '../support/sql.ts'

const hourMs = 3_600_000
const dayMs = 24 * hourMs
const lifeMs = 120_000

onEveryEngine((engine) => {
  let server: TestServer
  before(async () => {
    server = await startTestServer(engine)
  })
  after(() => server.stop())

  const ask = async ({ domainId, userId }: Pick<Phone, 'domainId' | 'userId'>) => {
    const body = { user: { id: userId } }
    const reply = await server.call('POST', `/api/domains/${domainId}/sessions`, { body, headers: countersign })
    assert.equal(reply.status, 200, reply.text)
    return reply.body as { id: string; state: string; reason: string }
  }
  async function letLapse(phone: Phone, count: number): Promise<void> {
    for (let asked = 0; asked < count; asked++) {
      assert.equal((await ask(phone)).state, 'pending', `request ${asked + 1}`)
      server.clock.advance(lifeMs)
    }
  }
  async function throttled(phone: Phone): Promise<boolean> {
    const { id, state, reason } = await ask(phone)
    if (state === 'pending') return false
    assert.deepEqual([state, reason], ['denied', 'throttled'])
    assert.ok(!(await phone.device.requests()).some(({ sid }) => sid === id))
    return true
  }
  const alarms = (phone: Phone) =>
    server.logged.filter(({ alarm, tid }) => alarm === 'session.throttled' && tid === phone.device.tid).length

  it('T22: after fifteen in a row without approval the sixteenth is denied, with an alarm, and nobody else is concerned', async () => {
    const [phone, other] = [await newPhone(server), await newPhone(server)]
    await letLapse(phone, 15)
    assert.equal(await throttled(phone), true)
    assert.equal(alarms(phone), 1)
    const { id } = await ask(phone)
    const [event] = await auditOf(server, { sid: id })
    assert.deepEqual(event, { event: 'session.refused', data: { method: 'push', reason: 'throttled' } })
    assert.equal(alarms(phone), 1, 'one alarm, not one a request')
    assert.equal((await ask(other)).state, 'pending')
  })

  it('T22: denials and cancellations are no approvals either', async () => {
    const phone = await newPhone(server)
    for (let round = 0; round < 5; round++) {
      const [denied, cancelled] = [await phone.ask(), await phone.ask()]
      await phone.device.deny(denied)
      await server.call('DELETE', `/api/domains/${phone.domainId}/sessions/${cancelled.sid}`)
      await letLapse(phone, 1)
    }
    assert.equal(await throttled(phone), true)
  })

  it('an approval sets the count to nought, and the approved one is no exception', async () => {
    const phone = await newPhone(server)
    await letLapse(phone, 14)
    await phone.device.approve(await phone.ask())
    await letLapse(phone, 15)
    assert.equal(await throttled(phone), true)
  })

  it('T23: an hour after it began a throttle is over, however much was asked meanwhile, also over a restart', async () => {
    const phone = await newPhone(server)
    await letLapse(phone, 15)
    assert.equal(await throttled(phone), true)
    for (let minutes = 0; minutes < 59; minutes++) {
      server.clock.advance(60_000)
      if (minutes === 30) await server.restart()
      assert.equal(await throttled(phone), true)
    }
    server.clock.advance(59_999)
    assert.equal(await throttled(phone), true)
    server.clock.advance(1)
    await letLapse(phone, 15)
    assert.equal(await throttled(phone), true, 'and the count was a new one')
    assert.equal(alarms(phone), 2)
  })

  it('T23: what was asked before a restart counts after it', async () => {
    const phone = await newPhone(server)
    await letLapse(phone, 14)
    await server.restart()
    await letLapse(phone, 1)
    await server.restart()
    assert.equal(await throttled(phone), true)
  })

  it('T22: who waits for the fifteenth request can still approve it, and is throttled no more', async () => {
    const phone = await newPhone(server)
    await letLapse(phone, 14)
    const fifteenth = await phone.ask()
    assert.equal(await throttled(phone), true)
    await phone.device.approve(fifteenth)
    assert.equal((await ask(phone)).state, 'pending')
  })

  it('T22: thirty in a row for a refused user are refused alike, and none of them prolongs anything', async () => {
    const phone = await newPhone(server)
    for (let waiting = 0; waiting < 3; waiting++) await phone.ask()
    for (let more = 0; more < 30; more++) assert.equal(await throttled(phone), true)
    server.clock.advance(lifeMs)
    // Three were asked, and not thirty-three.
    await letLapse(phone, 12)
    assert.equal(await throttled(phone), true)
  })

  it('A06 A07: a thousand a day, over all spellings, domains and methods, restarts and parallel requests', async () => {
    const { userId, username } = await newUser(server)
    const domains = [server.acme.domainId, server.acme.pinDomainId, await newDomain(server, {})]
    await server.call('PUT', `/api/domains/${domains[2]}/users/${userId}`)
    const users = [
      { id: userId },
      { id: userId.toUpperCase() },
      { username },
      { username: username.toUpperCase() },
      { username: username.replace('u', 'ｕ') },
    ]
    let asked = 0
    const code = () => {
      const [domainId, user] = [domains[asked % 3], users[asked % 5]]
      const method = ++asked % 2 ? 'otp' : 'bypasscode'
      return server.call('POST', `/api/domains/${domainId}/sessions`, { body: { user, [method]: '000000' } })
    }
    for (let burst = 0; burst < 30; burst++) {
      const replies = await Promise.all(Array.from({ length: 33 }, code))
      assert.ok(replies.every(({ status }) => status === 200))
    }
    const last = await Promise.all(Array.from({ length: 40 }, code))
    assert.equal(last.filter(({ status }) => status === 200).length, 10)
    for (const restart of [false, true]) {
      if (restart) await server.restart()
      for (let again = 0; again < 15; again++) {
        const reply = await code()
        assert.deepEqual(refusal(reply), { status: 429, code: 'api.error.toomanyrequests' })
        assert.match(reply.headers.get('retry-after') ?? '', /^[1-9]\d*$/)
      }
    }
    const [{ count } = {}] = await sql(
      server.database,
      'select count(*) as count from sessions where user_id = ?',
      userId,
    )
    assert.equal(Number(count), 1000)
    const other = { user: { id: server.acme.alice }, otp: '' }
    assert.equal((await server.call('POST', `/api/domains/${domains[0]}/sessions`, { body: other })).status, 200)
    server.clock.advance(dayMs - 1)
    assert.equal((await code()).status, 429)
    server.clock.advance(1)
    assert.equal((await code()).status, 200)
  })

  it('the thousand are counted for requests to a phone, too, and the one too many reaches no phone', async () => {
    const phone = await newPhone(server)
    await ask(phone)
    await sql(server.database, 'update user_limits set used = 999 where user_id = ?', phone.userId)
    await ask(phone)
    const body = { user: { id: phone.userId } }
    const reply = await server.call('POST', `/api/domains/${phone.domainId}/sessions`, { body })
    assert.deepEqual(refusal(reply), { status: 429, code: 'api.error.toomanyrequests' })
    assert.equal((await phone.device.requests()).length, 2)
    assert.equal((await server.call('GET', phone.token)).text, '{"state":"active"}')
  })
})
