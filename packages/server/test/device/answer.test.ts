import assert from 'node:assert/strict'
import { after, before, it } from 'node:test'
import { fromBase64url, toBase64url } from '@countersign/protocol/base64url.ts'
import { challengeHash, newJti, TestDevice } from '../support/device.ts'
import { onEveryEngine } from '../support/engines.ts'
import { newPhone, refusal } from '../support/phones.ts'
import { type Reply, startTestServer, type TestServer } from '../support/server.ts'
import { sql } from '../support/sql.ts'

const unknown = { status: 404, code: 'unknown_session' }
const malformed = { status: 400, code: 'malformed' }
const closed = (state: string) => ({ status: 409, code: 'session_closed', state })

onEveryEngine((engine) => {
  let server: TestServer
  before(async () => {
    server = await startTestServer(engine)
  })
  after(() => server.stop())

  it('an approval approves its session and no other', async () => {
    const phone = await newPhone(server)
    const [asked, waiting] = [await phone.ask(), await phone.ask()]
    const reply = await phone.device.approve(asked)
    assert.equal(reply.status, 200)
    assert.equal(reply.text, `{"sid":"${asked.sid}","state":"approved"}`)
    assert.deepEqual(await phone.details(asked.sid), { state: 'approved', reason: '' })
    assert.equal(await phone.verdict(waiting.sid), 'pending')
    assert.deepEqual(await eventsOf(asked.sid), ['session.approved', 'session.created'])
  })

  it('T10: an approval sent again says the same and is recorded once; under a new jti it comes too late', async () => {
    const phone = await newPhone(server)
    const request = await phone.ask()
    const payload = await phone.device.approvalPayload(request)
    const message = await phone.device.sign('answer', payload)
    const first = await answer(message)
    assert.equal(first.body.state, 'approved')
    for (let again = 0; again < 10; again++) assert.equal((await answer(message)).text, first.text)
    // ECDSA signs the same payload differently each time: it is the payload that counts.
    assert.equal((await answer(await phone.device.sign('answer', payload))).text, first.text)
    assert.equal((await eventsOf(request.sid)).filter((event) => event === 'session.approved').length, 1)
    const later = await answer(await phone.device.sign('answer', { ...payload, jti: newJti() }))
    assert.deepEqual(refusal(later), closed('approved'))
    assert.equal(await phone.verdict(request.sid), 'approved')
  })

  it('T10: the same jti over another payload is a replay, for the session and for the token', async () => {
    const phone = await newPhone(server)
    const [request, other] = [await phone.ask(), await phone.ask()]
    const jti = newJti()
    assert.equal((await phone.device.approve(request, { jti })).status, 200)
    assert.deepEqual(refusal(await phone.device.deny(request, 'not_me', { jti })), { status: 401, code: 'replayed' })
    assert.deepEqual(refusal(await phone.device.approve(other, { jti })), { status: 401, code: 'replayed' })
    assert.equal(await phone.verdict(request.sid), 'approved')
    assert.equal(await phone.verdict(other.sid), 'pending')
  })

  it('T11: an answer to one session is none to another, of whomever', async () => {
    const [alice, bob] = [await newPhone(server), await newPhone(server)]
    const [first, second, bobs] = [await alice.ask(), await alice.ask(), await bob.ask()]
    const message = await alice.device.sign('answer', await alice.device.approvalPayload(first))
    assert.equal((await answer(message)).body.sid, first.sid)
    assert.equal((await answer(message)).body.sid, first.sid, 'posted while the second one pends')
    const [head, body = '', tail] = message.split('.')
    const edited = Buffer.from(body, 'base64url').toString().replace(first.sid, second.sid)
    const forged = `${head}.${toBase64url(Buffer.from(edited))}.${tail}`
    assert.deepEqual(refusal(await answer(forged)), { status: 401, code: 'bad_signature' })
    const crossed = await alice.device.approve({ sid: second.sid, ch: first.ch })
    assert.deepEqual(refusal(crossed), { status: 409, code: 'challenge_mismatch' })
    assert.deepEqual(refusal(await alice.device.approve(bobs)), unknown)
    assert.deepEqual(refusal(await alice.device.deny(bobs)), unknown)
    assert.deepEqual(refusal(await alice.device.approve({ ...first, sid: 'f'.repeat(40) })), unknown)
    assert.equal(await alice.verdict(second.sid), 'pending')
    assert.equal(await bob.verdict(bobs.sid), 'pending')
  })

  it('T11: a token of the same user in another domain answers only its own requests', async () => {
    const phone = await newPhone(server)
    const { body } = await server.call('PUT', `/api/domains/${server.acme.pinDomainId}/users/${phone.userId}/token`)
    const other = await TestDevice.activate(server, { code: body.code, username: phone.username, pin: true })
    const request = await phone.ask()
    assert.deepEqual(refusal(await other.approve(request)), unknown)
    assert.equal(await phone.verdict(request.sid), 'pending')
  })

  it('T15: what was shown is what is signed: another challenge is refused with an alarm, and the request still waits', async () => {
    const phone = await newPhone(server)
    const request = await phone.ask({ ipAddress: '203.0.113.7' })
    assert.equal(request.challenge.ip, '203.0.113.7')
    const shown = Buffer.from(fromBase64url(request.ch) ?? [])
      .toString()
      .replace('203.0.113.7', '198.51.100.1')
    const reply = await phone.device.approve({ sid: request.sid, ch: toBase64url(Buffer.from(shown)) })
    assert.deepEqual(refusal(reply), { status: 409, code: 'challenge_mismatch' })
    const [alarm] = server.logged.filter(({ alarm, sid }) => alarm === 'challenge_mismatch' && sid === request.sid)
    assert.equal(alarm?.level, 50)
    assert.deepEqual(await eventsOf(request.sid), ['session.challenge_mismatch', 'session.created'])
    assert.equal(await phone.verdict(request.sid), 'pending')
    assert.equal((await phone.device.approve(request)).status, 200)
  })

  it('T15: the bytes are hashed as they are: rebuilt JSON is another challenge', async () => {
    const phone = await newPhone(server)
    const request = await phone.ask({ attributes: [{ key: 'Application', value: 'Zoë’s desk' }] })
    const rebuilt = JSON.stringify(request.challenge, undefined, 1)
    const reply = await phone.device.deny({ sid: request.sid, ch: toBase64url(Buffer.from(rebuilt)) })
    assert.deepEqual(refusal(reply), { status: 409, code: 'challenge_mismatch' })
    assert.equal(await phone.verdict(request.sid), 'pending')
  })

  for (const [when, ms, expected] of [
    ['a millisecond before', -1, { sid: true, state: 'approved' }],
    ['at', 0, closed('expired')],
    ['a millisecond after', 1, closed('expired')],
  ] as const) {
    it(`T19: an answer ${when} the end of the request`, async () => {
      const phone = await newPhone(server)
      server.clock.advance(300)
      const request = await phone.ask()
      server.clock.advance(request.challenge.exp * 1_000 - server.clock.now() + ms)
      const reply = await phone.device.approve(request)
      if ('sid' in expected) assert.deepEqual(reply.body, { sid: request.sid, state: 'approved' })
      else assert.deepEqual(refusal(reply), expected)
      assert.equal(await phone.verdict(request.sid), 'sid' in expected ? 'approved' : 'denied')
    })
  }

  it('T19 T26: the phone’s clock has no part in an answer', async () => {
    const phone = await newPhone(server)
    const now = server.clock.now() / 1000
    for (const iat of [Math.floor(now - 86_400), Math.floor(now + 86_400), 0]) {
      const request = await phone.ask()
      assert.equal((await phone.device.approve(request, { iat })).status, 200)
    }
    const request = await phone.ask()
    server.clock.advance(120_000)
    const iat = Math.floor(now) + 1
    assert.deepEqual(refusal(await phone.device.approve(request, { iat })), closed('expired'))
  })

  it('A29: a denial is final', async () => {
    const phone = await newPhone(server)
    for (const why of ['mistake', 'other', 'not_me']) {
      const request = await phone.ask()
      const reply = await phone.device.deny(request, why)
      assert.equal(reply.text, `{"sid":"${request.sid}","state":"denied"}`)
      assert.deepEqual(refusal(await phone.device.approve(request)), closed('denied'))
      assert.deepEqual(await phone.details(request.sid), { state: 'denied', reason: why })
    }
  })

  it('T20: of an approval and a denial at once one wins, the other hears how it ended, and the log shows both', async () => {
    const phone = await newPhone(server)
    const request = await phone.ask()
    const replies = await Promise.all([phone.device.approve(request), phone.device.deny(request)])
    const state = await phone.verdict(request.sid)
    const [approval, denial] = replies.map((reply) => (reply.status === 200 ? reply.body.state : refusal(reply)))
    if (state === 'approved') assert.deepEqual([approval, denial], ['approved', closed('approved')])
    else assert.deepEqual([approval, denial], [closed('denied'), 'denied'])
    assert.deepEqual(
      await eventsOf(request.sid),
      ['session.answer_refused', `session.${state}`, 'session.created'].sort(),
    )
  })

  it('an answer that is not one is malformed before anything is counted', async () => {
    const phone = await newPhone(server)
    const request = await phone.ask()
    const ch = toBase64url(await challengeHash(request.ch))
    const lies = [
      { num: '071342' },
      { num: null },
      { uv: { m: 'none' } },
      { uv: { m: 'pin', p: ch } },
      { why: 'mistake' },
      { sid: request.sid.toUpperCase() },
      { ch: `${ch}=` },
      { ch: ch.slice(1) },
      { more: true },
    ]
    for (const lie of [...lies, ...lies, ...lies]) {
      assert.deepEqual(refusal(await phone.device.approve(request, lie)), malformed, JSON.stringify(lie))
    }
    for (const lie of [{ why: 'because' }, { why: undefined }, { uv: { m: 'none' } }, { num: '071342' }]) {
      assert.deepEqual(refusal(await phone.device.deny(request, 'mistake', lie)), malformed, JSON.stringify(lie))
    }
    assert.equal((await phone.device.approve(request)).status, 200)
  })

  function answer(message: string): Promise<Reply> {
    return server.device('answer', message)
  }

  async function eventsOf(sid: string) {
    return (await sql(server.database, 'select event from audit_events where sid = ?', sid))
      .map(({ event }) => event)
      .sort()
  }
})
