import assert from 'node:assert/strict'
import { after, before, it } from 'node:test'
import { auditOf } from '../support/audit.ts'
import { onEveryEngine } from '../support/engines.ts'
import { newPhone, type Phone, refusal } from '../support/phones.ts'
import { startTestServer, type TestServer } from '../support/server.ts'

const noSuchSession = { status: 404, code: 'api.error.notfound.session' }

onEveryEngine((engine) => {
  let server: TestServer
  before(async () => {
    server = await startTestServer(engine)
  })
  after(() => server.stop())

  const cancel = ({ domainId }: Pick<Phone, 'domainId'>, sid: string, key = server.acme.apiKey) =>
    server.call('DELETE', `/api/domains/${domainId}/sessions/${sid}`, { key })
  const cancelled = { state: 'denied', reason: 'cancelled' }

  it('T18: a cancelled request reads denied, and the phone is told that it was cancelled', async () => {
    const phone = await newPhone(server)
    const [request, other] = [await phone.ask(), await phone.ask()]
    const reply = await cancel(phone, request.sid)
    assert.deepEqual([reply.status, reply.text, reply.headers.get('content-length')], [200, '', '0'])
    assert.deepEqual(await phone.details(request.sid), cancelled)
    const result = await phone.device.poll({ have: [request.sid, other.sid] })
    assert.ok(result.ok)
    assert.deepEqual(result.closed, [{ sid: request.sid, state: 'cancelled' }])
    assert.deepEqual(
      result.requests.map(({ sid }) => sid),
      [other.sid],
    )
  })

  it('T18: cancelled first, an approval comes too late; approved first, it is taken back', async () => {
    const phone = await newPhone(server)
    const [early, late] = [await phone.ask(), await phone.ask()]
    await cancel(phone, early.sid)
    const closed = { status: 409, code: 'session_closed', state: 'cancelled' }
    assert.deepEqual(refusal(await phone.device.approve(early)), closed)
    await phone.device.approve(late)
    assert.equal(await phone.verdict(late.sid), 'approved')
    await cancel(phone, late.sid)
    for (const request of [early, late]) {
      assert.deepEqual(await phone.details(request.sid), cancelled)
      assert.deepEqual(refusal(await phone.device.approve(request)), closed)
      assert.deepEqual(refusal(await phone.device.deny(request)), closed)
    }
  })

  it('what has ended stays as it ended, and that is no mistake of who cancels', async () => {
    const phone = await newPhone(server)
    const [denied, lapsed, spent] = [await phone.ask(), await phone.ask(), await phone.ask()]
    await phone.device.deny(denied)
    await phone.device.approve(spent)
    server.clock.advance(600_000)
    for (const [{ sid }, reason] of [
      [denied, 'mistake'],
      [lapsed, 'timeout'],
    ] as const) {
      assert.equal((await cancel(phone, sid)).status, 200)
      assert.deepEqual(await phone.details(sid), { state: 'denied', reason })
      assert.deepEqual(await auditOf(server, { sid, event: 'session.cancelled' }), [])
    }
    assert.equal((await cancel(phone, spent.sid)).status, 200)
    assert.equal(await phone.verdict(spent.sid), 'denied')
  })

  it('twice, or many times at once, is once', async () => {
    const phone = await newPhone(server)
    const { sid } = await phone.ask()
    const replies = await Promise.all(Array.from({ length: 20 }, () => cancel(phone, sid)))
    assert.ok(replies.every(({ status, text }) => status === 200 && text === ''))
    assert.equal((await cancel(phone, sid)).status, 200)
    assert.equal((await auditOf(server, { sid, event: 'session.cancelled' })).length, 1)
  })

  it('another domain’s session, or another organization’s, is none, and goes on', async () => {
    const phone = await newPhone(server)
    const request = await phone.ask()
    for (const [domainId, key] of [
      [server.acme.pinDomainId, server.acme.apiKey],
      [server.other.domainId, server.acme.apiKey],
      [server.other.domainId, server.other.apiKey],
      [phone.domainId, server.other.apiKey],
    ] as const) {
      assert.deepEqual(refusal(await cancel({ domainId }, request.sid, key)), noSuchSession)
    }
    assert.equal((await phone.device.approve(request)).body.state, 'approved')
  })

  it('a cancelled request makes room for another one', async () => {
    const phone = await newPhone(server)
    const [first] = [await phone.ask(), await phone.ask(), await phone.ask()]
    const body = { user: { id: phone.userId } }
    const ask = () => server.call('POST', `/api/domains/${phone.domainId}/sessions`, { body })
    assert.equal((await ask()).body.state, 'denied')
    await cancel(phone, first.sid)
    assert.equal((await ask()).body.state, 'pending')
  })

  it('the path in upper case is the same session', async () => {
    const phone = await newPhone(server)
    const { sid } = await phone.ask()
    assert.equal((await cancel({ domainId: phone.domainId.toUpperCase() }, sid.toUpperCase())).status, 200)
    assert.deepEqual(await phone.details(sid), cancelled)
  })
})
