import assert from 'node:assert/strict'
import { after, before, it } from 'node:test'
import { onEveryEngine } from '../support/engines.ts'
import { newDomain, newPhone, type Phone, phoneOf, refusal } from '../support/phones.ts'
import { startTestServer, type TestServer } from '../support/server.ts'
import { sql } from '../support/sql.ts'

const hourMs = 3_600_000
const closed = (state: string) => ({ status: 409, code: 'session_closed', state })

onEveryEngine((engine) => {
  let server: TestServer
  before(async () => {
    server = await startTestServer(engine)
  })
  after(() => server.stop())

  it('“not me” denies everything of that user that waits, in every domain, and nothing of others', async () => {
    const phone = await newPhone(server)
    const elsewhere = await phoneOf(server, { ...phone, domainId: await newDomain(server, { keyType: 'ONE_STEP' }) })
    const bob = await newPhone(server)
    const [request, second, other, bobs] = [
      await phone.ask(),
      await phone.ask(),
      await elsewhere.ask(),
      await bob.ask(),
    ]
    assert.equal((await phone.device.deny(request, 'not_me')).text, `{"sid":"${request.sid}","state":"denied"}`)
    assert.deepEqual(await phone.details(request.sid), { state: 'denied', reason: 'not_me' })
    assert.deepEqual(await phone.details(second.sid), { state: 'denied', reason: 'fraud_reported' })
    assert.deepEqual(await elsewhere.details(other.sid), { state: 'denied', reason: 'fraud_reported' })
    assert.equal(await bob.verdict(bobs.sid), 'pending')
    assert.deepEqual(refusal(await elsewhere.device.approve(other)), closed('denied'))
    assert.equal(await elsewhere.verdict((await elsewhere.ask()).sid), 'pending', 'the other token was not suspended')
    assert.ok(server.logged.some(({ alarm, sid }) => alarm === 'fraud_reported' && sid === request.sid))
    const [report] = await reports(request.sid)
    assert.deepEqual(report, { late: false, reaction: 'suspend', alsoDenied: [second.sid, other.sid].sort() })
  })

  it('“by mistake” and “other” deny one request and no more', async () => {
    const phone = await newPhone(server)
    for (const why of ['mistake', 'other']) {
      const [request, second] = [await phone.ask(), await phone.ask()]
      await phone.device.deny(request, why)
      assert.equal(await phone.verdict(second.sid), 'pending')
      assert.deepEqual(await reports(request.sid), [])
      await phone.device.approve(second)
    }
  })

  it('suspends the token for an hour: it reads active, gets no request, answers none, and then works again', async () => {
    const phone = await newPhone(server)
    await phone.device.deny(await phone.ask(), 'not_me')
    assert.equal((await server.call('GET', phone.token)).text, '{"state":"active"}')
    const refused = await create(phone)
    assert.equal(refused.body.state, 'denied')
    assert.deepEqual(await phone.details(refused.body.id), { state: 'denied', reason: 'suspended' })
    const polled = await phone.device.poll({ have: [refused.body.id] })
    assert.ok(polled.ok)
    assert.deepEqual([polled.requests, polled.closed], [[], [{ sid: refused.body.id, state: 'denied' }]])
    server.clock.advance(hourMs - 1)
    assert.equal((await create(phone)).body.state, 'denied')
    server.clock.advance(1)
    const request = await phone.ask()
    assert.equal((await phone.device.approve(request)).body.state, 'approved')
  })

  it('the suspension denies what was approved before and outlives a restart', async () => {
    const phone = await newPhone(server)
    const [approved, request] = [await phone.ask(), await phone.ask()]
    await phone.device.approve(approved)
    await phone.device.deny(request, 'not_me')
    assert.deepEqual(await phone.details(approved.sid), { state: 'denied', reason: 'suspended' })
    await server.restart()
    assert.equal((await create(phone)).body.state, 'denied')
    assert.deepEqual(refusal(await phone.device.approve(approved)), closed('denied'))
  })

  it('a suspended token is shown nothing and answers nothing, also what was opened behind the suspension’s back', async () => {
    const phone = await newPhone(server)
    const request = await phone.ask()
    const until = server.clock.now() + hourMs
    await sql(server.database, 'update tokens set suspended_until = ? where tid = ?', until, phone.device.tid)
    const polled = await phone.device.poll({ have: [request.sid] })
    assert.ok(polled.ok)
    assert.deepEqual([polled.requests, polled.closed], [[], [{ sid: request.sid, state: 'denied' }]])
    assert.deepEqual(refusal(await phone.device.approve(request)), closed('denied'))
    assert.deepEqual(refusal(await phone.device.deny(request, 'not_me')), closed('denied'))
    assert.equal(await phone.verdict(request.sid), 'pending')
  })

  it('a report up to ten minutes after an approval denies it, with an alarm of its own', async () => {
    const phone = await newPhone(server)
    const request = await phone.ask()
    await phone.device.approve(request)
    assert.equal(await phone.verdict(request.sid), 'approved')
    server.clock.advance(599_999)
    assert.equal((await phone.device.deny(request, 'not_me')).body.state, 'denied')
    assert.deepEqual(await phone.details(request.sid), { state: 'denied', reason: 'not_me' })
    assert.ok(server.logged.some(({ alarm, sid }) => alarm === 'late_fraud_report' && sid === request.sid))
    assert.equal((await reports(request.sid))[0]?.late, true)
    assert.equal((await create(phone)).body.state, 'denied')
  })

  it('a report later than that, and any other late word, changes nothing', async () => {
    const phone = await newPhone(server)
    const request = await phone.ask()
    await phone.device.approve(request)
    for (const why of ['mistake', 'other'])
      assert.deepEqual(refusal(await phone.device.deny(request, why)), closed('approved'))
    assert.equal(await phone.verdict(request.sid), 'approved')
    server.clock.advance(600_000)
    assert.deepEqual(refusal(await phone.device.deny(request, 'not_me')), closed('expired'))
    assert.deepEqual(await reports(request.sid), [])
    assert.equal((await create(phone)).body.state, 'pending')
  })

  it('a report about a request that has ended otherwise comes too late', async () => {
    const phone = await newPhone(server)
    const [cancelled, denied] = [await phone.ask(), await phone.ask()]
    await server.call('DELETE', `/api/domains/${phone.domainId}/sessions/${cancelled.sid}`)
    await phone.device.deny(denied)
    assert.deepEqual(refusal(await phone.device.deny(cancelled, 'not_me')), closed('cancelled'))
    assert.deepEqual(refusal(await phone.device.deny(denied, 'not_me')), closed('denied'))
    assert.equal((await create(phone)).body.state, 'pending')
  })

  it('the same report sent again is judged once', async () => {
    const phone = await newPhone(server)
    const request = await phone.ask()
    const { sid } = request
    const first = await phone.device.deny(request, 'not_me', { jti: 'AAAAAAAAAAAAAAAAAAAAAA' })
    assert.equal((await phone.device.deny(request, 'not_me', { jti: 'AAAAAAAAAAAAAAAAAAAAAA' })).text, first.text)
    assert.equal((await reports(sid)).length, 1)
  })

  it('onFraud notify: the report is recorded and the token goes on', async () => {
    const phone = await newPhone(server, { domainId: await newDomain(server, { onFraud: 'notify' }) })
    const [request, second] = [await phone.ask(), await phone.ask()]
    await phone.device.deny(request, 'not_me')
    assert.equal(await phone.verdict(second.sid), 'denied')
    assert.equal((await reports(request.sid))[0]?.reaction, 'notify')
    assert.equal((await phone.device.approve(await phone.ask())).body.state, 'approved')
  })

  it('onFraud revoke: the token is gone, and so is what it had approved', async () => {
    const phone = await newPhone(server, { domainId: await newDomain(server, { onFraud: 'revoke' }) })
    const [approved, request] = [await phone.ask(), await phone.ask()]
    await phone.device.approve(approved)
    assert.equal((await phone.device.deny(request, 'not_me')).body.state, 'denied')
    assert.deepEqual(await phone.details(approved.sid), { state: 'denied', reason: 'token_revoked' })
    assert.deepEqual(await phone.details(request.sid), { state: 'denied', reason: 'not_me' })
    assert.deepEqual(await phone.device.poll(), { kid: phone.device.tid, ok: false, code: 'token_revoked' })
    assert.equal((await server.call('GET', phone.token)).status, 404)
    const [row] = await sql(server.database, 'select ended_reason from tokens where tid = ?', phone.device.tid)
    assert.equal(row?.ended_reason, 'fraud_reported')
  })

  it('two reports about two domains at once both succeed: neither waits for the other for ever', async () => {
    const phone = await newPhone(server)
    const elsewhere = await phoneOf(server, { ...phone, domainId: await newDomain(server, {}) })
    const [one, two] = [await phone.ask(), await elsewhere.ask()]
    const replies = await Promise.all([phone.device.deny(one, 'not_me'), elsewhere.device.deny(two, 'not_me')])
    assert.ok(
      replies.every(({ status }) => status === 200 || status === 409),
      JSON.stringify(replies.map(({ body }) => body)),
    )
    assert.ok(replies.some(({ status }) => status === 200))
    assert.equal(await phone.verdict(one.sid), 'denied')
    assert.equal(await elsewhere.verdict(two.sid), 'denied')
  })

  function create(phone: Phone) {
    return server.call('POST', `/api/domains/${phone.domainId}/sessions`, { body: { user: { id: phone.userId } } })
  }

  async function reports(sid: string): Promise<{ late: boolean; reaction: string; alsoDenied: string[] }[]> {
    const rows = await sql(
      server.database,
      `select data from audit_events where event = 'session.fraud_reported' and sid = ?`,
      sid,
    )
    return rows.map(({ data }) => {
      const report = JSON.parse(String(data))
      return { ...report, alsoDenied: report.alsoDenied.sort() }
    })
  }
})
