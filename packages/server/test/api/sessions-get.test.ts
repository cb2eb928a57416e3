import assert from 'node:assert/strict'
import { after, before, it } from 'node:test'
import { sweepOld, sweepSessions } from '../../src/core/sweeper.ts'
import type { Request } from '../support/device.ts'
import { onEveryEngine } from '../support/engines.ts'
import { newDomain, newPhone, type Phone, refusal } from '../support/phones.ts'
import { startTestServer, type TestServer } from '../support/server.ts'
import { dump } from '../support/sql.ts'

const hourMs = 3_600_000
const approvalMs = 600_000
const lifeMs = 120_000

onEveryEngine((engine) => {
  let server: TestServer
  before(async () => {
    server = await startTestServer(engine)
  })
  after(() => server.stop())

  const pathOf = ({ domainId }: Pick<Phone, 'domainId'>, sid: string) => `/api/domains/${domainId}/sessions/${sid}`
  const get = (phone: Phone, sid: string, query = '') => server.call('GET', `${pathOf(phone, sid)}${query}`)
  /** A read that waits, once it does. */
  async function waitingFor(phone: Phone, sid: string, query = '?wait=25') {
    const reply = get(phone, sid, query)
    let answered = false
    void reply.then(() => {
      answered = true
    })
    while (server.app.events.watching === 0 && !answered) await new Promise(setImmediate)
    assert.equal(answered, false)
    return { reply }
  }
  /** Moves the clock to so many milliseconds before the request ends. */
  const toTheEnd = ({ challenge }: Request, beforeMs: number) =>
    server.clock.advance(challenge.exp * 1000 - beforeMs - server.clock.now())

  it('a verdict is read byte for byte', async () => {
    const phone = await newPhone(server)
    const [approved, denied, pending] = [await phone.ask(), await phone.ask(), await phone.ask()]
    await phone.device.approve(approved)
    await phone.device.deny(denied)
    for (const [{ sid }, state] of [
      [approved, 'approved'],
      [denied, 'denied'],
      [pending, 'pending'],
    ] as const) {
      const reply = await get(phone, sid)
      assert.deepEqual([reply.status, reply.text], [200, `{"id":"${sid}","state":"${state}"}`])
      assert.equal(reply.headers.get('content-length'), String(reply.text.length))
    }
  })

  it('reading changes nothing, however often, at whatever time', async () => {
    const phone = await newPhone(server)
    const [approved, pending] = [await phone.ask(), await phone.ask()]
    await phone.device.approve(approved)
    const before = await dump(server.database)
    for (const pass of [0, 1, lifeMs, approvalMs, 24 * hourMs]) {
      server.clock.advance(pass)
      for (const { sid } of [approved, pending]) {
        await Promise.all(Array.from({ length: 10 }, () => get(phone, sid)))
        await get(phone, sid, '?wait=0.01')
      }
    }
    assert.deepEqual(await dump(server.database), before)
  })

  it('a request that nobody answers is denied when its time is over, to the millisecond, swept or not', async () => {
    for (const sweep of [false, true]) {
      const phone = await newPhone(server)
      const request = await phone.ask()
      const { sid } = request
      toTheEnd(request, 1)
      assert.equal(await phone.verdict(sid), 'pending')
      server.clock.advance(1)
      if (sweep) await sweepSessions(server.app)
      assert.deepEqual(await phone.details(sid), { state: 'denied', reason: 'timeout' })
    }
  })

  it('T21: an approval is handed out for ten minutes, first read or not, and then it is a denial', async () => {
    for (const sweep of [false, true]) {
      const phone = await newPhone(server)
      const [unread, read] = [await phone.ask(), await phone.ask()]
      await phone.device.approve(unread)
      await phone.device.approve(read)
      server.clock.advance(10_000)
      assert.equal(await phone.verdict(read.sid), 'approved')
      server.clock.advance(approvalMs - 10_001)
      assert.equal(await phone.verdict(read.sid), 'approved')
      server.clock.advance(1)
      if (sweep) await sweepOld(server.app)
      for (const { sid } of [unread, read]) {
        assert.equal((await get(phone, sid)).text, `{"id":"${sid}","state":"denied"}`)
        assert.deepEqual(await phone.details(sid), { state: 'denied', reason: 'approval_expired' })
      }
      server.clock.advance(1_000)
      assert.equal(await phone.verdict(read.sid), 'denied')
    }
  })

  it('T21: the ten minutes begin with the approval, not with the request', async () => {
    const phone = await newPhone(server, { domainId: await newDomain(server, { requestTimeout: 600 }) })
    const request = await phone.ask()
    toTheEnd(request, 1)
    await phone.device.approve(request)
    server.clock.advance(approvalMs - 1)
    assert.equal(await phone.verdict(request.sid), 'approved')
  })

  it('a session is 200 for ninety days, whatever became of token, membership and user', async () => {
    const phone = await newPhone(server)
    const [denied, pending, approved] = [await phone.ask(), await phone.ask(), await phone.ask()]
    await phone.device.deny(denied)
    await phone.device.approve(approved)
    for (const path of [phone.token, phone.token.replace('/token', ''), `/api/users/${phone.userId}`]) {
      assert.equal((await server.call('DELETE', path)).status, 200)
      for (const { sid } of [denied, pending, approved]) {
        assert.equal((await get(phone, sid)).text, `{"id":"${sid}","state":"denied"}`)
      }
    }
    server.clock.advance(90 * 24 * hourMs - 1)
    await sweepSessions(server.app)
    await sweepOld(server.app)
    for (const { sid } of [denied, pending, approved]) assert.equal((await get(phone, sid)).status, 200)
    await server.restart()
    for (const { sid } of [denied, pending, approved]) assert.equal((await get(phone, sid)).status, 200)
  })

  it('a session that nobody swept for a hundred days is still one that ended by time', async () => {
    const phone = await newPhone(server)
    const [pending, approved] = [await phone.ask(), await phone.ask()]
    await phone.device.approve(approved)
    server.clock.advance(100 * 24 * hourMs)
    await sweepOld(server.app)
    await sweepSessions(server.app)
    await sweepOld(server.app)
    for (const { sid } of [pending, approved]) assert.equal(await phone.verdict(sid), 'denied')
  })

  it('T38: a session is found below its own domain only', async () => {
    const phone = await newPhone(server)
    const { sid } = await phone.ask()
    const missing = { status: 404, code: 'api.error.notfound.session' }
    assert.deepEqual(refusal(await server.call('GET', pathOf({ domainId: server.acme.pinDomainId }, sid))), missing)
    assert.deepEqual(refusal(await server.call('GET', pathOf({ domainId: server.other.domainId }, sid))), missing)
    const { apiKey: key } = server.other
    assert.deepEqual(refusal(await server.call('GET', pathOf(phone, sid), { key })), missing)
    assert.equal(await phone.verdict(sid), 'pending')
  })

  it('it is never limited, also for somebody who has asked for too much', async () => {
    const phone = await newPhone(server)
    const asked = await Promise.all(
      Array.from({ length: 8 }, () =>
        server.call('POST', `/api/domains/${phone.domainId}/sessions`, { body: { user: { id: phone.userId } } }),
      ),
    )
    const replies = await Promise.all(
      asked.flatMap(({ body }) => Array.from({ length: 15 }, () => get(phone, body.id))),
    )
    assert.ok(replies.every(({ status }) => status === 200))
  })

  const ends: Record<string, (phone: Phone, request: { sid: string; ch: string }) => Promise<unknown>> = {
    approved: (phone, request) => phone.device.approve(request),
    denied: (phone, request) => phone.device.deny(request),
    cancelled: (phone, { sid }) => server.call('DELETE', pathOf(phone, sid)),
    'denied for lack of the user': (phone) => server.call('DELETE', `/api/users/${phone.userId}`),
  }
  for (const [end, work] of Object.entries(ends)) {
    it(`who waits is woken when it is ${end}`, async () => {
      const phone = await newPhone(server)
      const request = await phone.ask()
      const { reply } = await waitingFor(phone, request.sid)
      await work(phone, request)
      assert.equal((await reply).body.state, end === 'approved' ? 'approved' : 'denied')
      assert.equal(server.app.events.watching, 0)
    })
  }

  it('who waits is told that the time is over, and what is pending until then', async () => {
    const phone = await newPhone(server)
    const request = await phone.ask()
    const { sid } = request
    assert.equal((await get(phone, sid, '?wait=0.05')).body.state, 'pending')
    toTheEnd(request, 50)
    const { reply } = await waitingFor(phone, sid)
    server.clock.advance(50)
    assert.equal((await reply).body.state, 'denied')
  })

  it('a wake-up for nothing answers nobody', async () => {
    const phone = await newPhone(server)
    const { sid } = await phone.ask()
    const { reply } = await waitingFor(phone, sid, '?wait=1e9')
    for (let bell = 0; bell < 5; bell++) {
      server.app.events.wake([sid])
      await get(phone, sid)
    }
    assert.equal(server.app.events.watching, 1)
    await server.call('DELETE', pathOf(phone, sid))
    assert.equal((await reply).body.state, 'denied')
  })
})
