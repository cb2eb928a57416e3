import assert from 'node:assert/strict'
import { after, before, it } from 'node:test'
import type { Operation } from '@countersign/protocol/device-messages.ts'
import { newJti } from '../support/device.ts'
import { onEveryEngine } from '../support/engines.ts'
import { forge } from '../support/forge.ts'
import { newPhone, refusal } from '../support/phones.ts'
import { startTestServer, type TestServer } from '../support/server.ts'
import { sql } from '../support/sql.ts'

onEveryEngine((engine) => {
  let server: TestServer
  before(async () => {
    server = await startTestServer(engine)
  })
  after(() => server.stop())

  it('A28: only the word approve approves', async () => {
    const phone = await newPhone(server)
    const request = await phone.ask()
    const words = [
      'Approve',
      'APPROVE',
      'approve ',
      ' approve',
      'ａｐｐｒｏｖｅ',
      'approved',
      'accept',
      'yes',
      '',
      'pending',
    ]
    const values = [...words, true, 1, null, ['approve'], { ans: 'approve' }, undefined]
    for (const ans of values) {
      const reply = await phone.device.approve(request, { ans })
      assert.deepEqual(refusal(reply), { status: 400, code: 'malformed' }, JSON.stringify(ans))
      assert.equal(await phone.verdict(request.sid), 'pending')
    }
    assert.equal((await phone.device.approve(request)).status, 200)
  })

  it('A28: an approval is taken at its own address and under its own type only', async () => {
    const phone = await newPhone(server)
    const request = await phone.ask()
    const payload = await phone.device.approvalPayload(request)
    const right = await phone.device.sign('answer', payload)
    for (const path of ['activation/begin', 'activation/finish', 'push', 'factor', 'rotate', 'remove', 'sync']) {
      assert.deepEqual(refusal(await server.device(path, right)), { status: 400, code: 'malformed' }, path)
    }
    const others: Operation[] = ['activate', 'sync', 'push', 'factor', 'rotate', 'newkey', 'remove']
    for (const op of others) {
      const typed = await server.device('answer', await phone.device.sign(op, payload))
      assert.deepEqual(refusal(typed), { status: 400, code: 'malformed' }, op)
      const meant = await server.device('answer', await phone.device.sign('answer', { ...payload, op }))
      assert.deepEqual(refusal(meant), { status: 400, code: 'malformed' }, op)
    }
    const polled = await server.device('sync', { wait: 0, tokens: [right] })
    assert.deepEqual(polled.body.results, [{ kid: '', ok: false, code: 'malformed' }])
    assert.equal(await phone.verdict(request.sid), 'pending')
  })

  it('A28: nothing without the signature of the token approves', async () => {
    const phone = await newPhone(server)
    const request = await phone.ask()
    const payload = await phone.device.approvalPayload(request)
    const header = { alg: 'ES256', typ: 'dp1-answer+jws', kid: phone.device.tid }
    const stranger = await newPhone(server)
    const bodies: (string | object)[] = [
      payload,
      { payload, header },
      '',
      '..',
      (await forge(phone.device.keys.privateKey, header, payload)).replace(/[^.]*$/, ''),
      await forge(stranger.device.keys.privateKey, header, payload),
      await forge(stranger.device.keys.privateKey, { ...header, kid: stranger.device.tid }, payload),
    ]
    for (const body of bodies) assert.ok([400, 401].includes((await server.device('answer', body)).status))
    for (const method of ['GET', 'PUT', 'DELETE', 'PATCH', 'HEAD', 'OPTIONS']) {
      const answered = await fetch(`${server.deviceUrl}/device/v1/answer?ans=approve&sid=${request.sid}`, { method })
      assert.ok(answered.status === 405 || answered.status === 404, `${method} ${answered.status}`)
    }
    assert.equal(await phone.verdict(request.sid), 'pending')
  })

  it('A28: the application cannot approve, whatever it sends', async () => {
    const phone = await newPhone(server)
    const { body: session } = await server.call('POST', `/api/domains/${phone.domainId}/sessions`, {
      body: { user: { id: phone.userId }, state: 'approved', approved: true, ans: 'approve' },
    })
    const path = `/api/domains/${phone.domainId}/sessions/${session.id}`
    for (const method of ['PUT', 'POST', 'PATCH']) {
      assert.notEqual((await server.call(method, path, { body: { state: 'approved' } })).status, 200)
    }
    assert.equal(await phone.verdict(session.id), 'pending')
  })

  it('A20: of a hundred approvals at once, the same and different ones, exactly one approves', async () => {
    const phone = await newPhone(server)
    const request = await phone.ask()
    server.clock.advance(60_000) // the poll above counts among the sixty messages of a minute
    const same = await phone.device.approvalPayload(request)
    const payloads = Array.from({ length: 100 }, (_, index) => (index % 2 ? same : { ...same, jti: newJti() }))
    const messages = await Promise.all(payloads.map((payload) => phone.device.sign('answer', payload)))
    const replies = await Promise.all(messages.map((message) => server.device('answer', message)))
    const outcomes = replies.map((reply) => (reply.status === 200 ? reply.body.state : refusal(reply).code))
    const count = (outcome: string) => outcomes.filter((found) => found === outcome).length
    const winners = new Set(payloads.flatMap(({ jti }, index) => (outcomes[index] === 'approved' ? [jti] : [])))
    assert.equal(winners.size, 1, JSON.stringify(outcomes))
    assert.equal(count('rate_limited') + count('session_closed') + count('approved'), 100, JSON.stringify(outcomes))
    const audit = await sql(
      server.database,
      `select * from audit_events where sid = ? and event = 'session.approved'`,
      request.sid,
    )
    assert.equal(audit.length, 1)
    const [row] = await sql(server.database, 'select answers from sessions where sid = ?', request.sid)
    assert.ok(Number(row?.answers) <= 10)
    assert.equal(await phone.verdict(request.sid), 'approved')
  })
})
