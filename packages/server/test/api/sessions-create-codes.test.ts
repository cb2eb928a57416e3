import assert from 'node:assert/strict'
import { after, before, it } from 'node:test'
import { auditOf } from '../support/audit.ts'
import { type Fob, judged, newBypassCode, newFob, usesLeft } from '../support/codes.ts'
import { onEveryEngine } from '../support/engines.ts'
import { countersign, newDomain, newPhone, newUser, refusal } from '../support/phones.ts'
import { startTestServer, type TestServer } from '../support/server.ts'
import { dump, sql } from '../support/sql.ts'

const hourMs = 3_600_000

onEveryEngine((engine) => {
  let server: TestServer
  before(async () => {
    server = await startTestServer(engine)
  })
  after(() => server.stop())

  const create = (domainId: string, body: object, headers = {}) =>
    server.call('POST', `/api/domains/${domainId}/sessions`, { body, headers })

  it('A04: a code that came along is judged at once, even an empty one, and never becomes a push', async () => {
    const phone = await newPhone(server)
    const user = { id: phone.userId }
    for (const method of ['bypasscode', 'otp']) {
      for (const code of ['', '123456', '123456789', '\uff11\uff12\uff13\uff14\uff15\uff16']) {
        const reply = await create(phone.domainId, { user, [method]: code })
        assert.equal(reply.status, 200)
        assert.equal(reply.text, `{"id":"${reply.body.id}","state":"denied"}`)
        assert.equal(await phone.verdict(reply.body.id), 'denied')
        const [event] = await auditOf(server, { sid: reply.body.id })
        assert.deepEqual(event, { event: 'session.refused', data: { method, reason: 'wrong_code' } })
        assert.ok(code === '' || !JSON.stringify(event).includes(code))
      }
    }
    assert.deepEqual(await phone.device.requests(), [])
    const { body } = await create(phone.domainId, { user, otp: '1' }, countersign)
    assert.deepEqual([body.method, body.reason, body.state], ['otp', 'wrong_code', 'denied'])
  })

  for (const [method, wrongMax] of [
    ['bypasscode', 5],
    ['otp', 10],
  ] as const) {
    it(`T40: after ${wrongMax} wrong codes by ${method} every code is denied for an hour, and not looked at`, async () => {
      const phone = await newPhone(server)
      const { code, id } = await newBypassCode(server, phone.userId)
      const fob = await newFob(server, phone.userId)
      const user = { id: phone.userId }
      const wrong = () => judged(server, user, method === 'otp' ? { otp: wrongOtp(fob) } : { bypasscode: '' })
      for (let count = 0; count < wrongMax; count++) assert.equal(await wrong(), 'wrong_code')
      const since = server.clock.now()
      const alarms = server.logged.filter(({ alarm, userId }) => alarm === 'codes.locked' && userId === phone.userId)
      assert.equal(alarms.length, 1)
      const locks = (await auditOf(server, { user_id: phone.userId })).filter(({ event }) => event === 'codes.locked')
      assert.deepEqual(locks, [{ event: 'codes.locked', data: { method } }])

      // Neither what is right nor what is wrong makes a difference, and the hour is not begun anew.
      for (const laterMs of [0, 1_800_000, hourMs - 1]) {
        server.clock.advance(since + laterMs - server.clock.now())
        assert.equal(await judged(server, user, { bypasscode: code }), 'codes_locked')
        assert.equal(await judged(server, user, { otp: fob.otp() }), 'codes_locked')
        assert.equal(await wrong(), 'codes_locked')
      }
      assert.equal(await usesLeft(server, id), 1)
      // The phone is not concerned.
      assert.equal((await phone.device.approve(await phone.ask())).body.state, 'approved')

      server.clock.advance(1)
      for (let count = 0; count < wrongMax - 1; count++) assert.equal(await wrong(), 'wrong_code')
      assert.equal(await judged(server, user, { bypasscode: code }), 'approved')
      assert.equal(await judged(server, user, { otp: fob.otp() }), 'approved')
    })

    it(`T40: a success by ${method} forgets the wrong ones before it`, async () => {
      const { userId } = await newUser(server)
      const { code } = await newBypassCode(server, userId, { usesAllowed: 3 })
      const fob = await newFob(server, userId)
      for (let round = 0; round < 3; round++) {
        for (let count = 0; count < wrongMax - 1; count++) {
          const wrong = method === 'otp' ? { otp: wrongOtp(fob) } : { bypasscode: '000' }
          assert.equal(await judged(server, { id: userId }, wrong), 'wrong_code')
        }
        const right = method === 'otp' ? { otp: fob.otp() } : { bypasscode: code }
        assert.equal(await judged(server, { id: userId }, right), 'approved')
        server.clock.advance(30_000)
      }
    })
  }

  it('A06 A07: names in any case, ids, channels and domains share one budget', async () => {
    const { userId, username } = await newUser(server)
    const { code } = await newBypassCode(server, userId)
    const names = ['', 'U', 'US', 'USE', 'USER'].map((upper) => upper + username.slice(upper.length))
    const askers = [...names.map((name) => ({ username: name })), { id: userId }, { id: userId.toUpperCase() }]
    const outcomes: string[] = []
    for (let count = 0; count < 50; count++) {
      const asker = askers[count % askers.length] ?? assert.fail()
      const domainId = count % 2 ? server.acme.domainId : server.acme.pinDomainId
      outcomes.push(await judged(server, asker, { bypasscode: `${count}` }, domainId))
    }
    assert.deepEqual(outcomes, [...Array(5).fill('wrong_code'), ...Array(45).fill('codes_locked')])
    for (const asker of askers) assert.equal(await judged(server, asker, { bypasscode: code }), 'codes_locked')
    // Somebody else’s budget is somebody else’s.
    const other = await newUser(server)
    const { code: others } = await newBypassCode(server, other.userId)
    assert.equal(await judged(server, { id: other.userId }, { bypasscode: others }), 'approved')
  })

  it('the budgets of the two kinds are counted apart', async () => {
    const { userId } = await newUser(server)
    for (let count = 0; count < 9; count++) {
      assert.equal(await judged(server, { id: userId }, { otp: '' }), 'wrong_code')
      if (count < 4) assert.equal(await judged(server, { id: userId }, { bypasscode: '' }), 'wrong_code')
    }
    assert.equal(await judged(server, { id: userId }, { bypasscode: '' }), 'wrong_code')
    assert.equal(await judged(server, { id: userId }, { otp: '' }), 'codes_locked')
  })

  it('A12 A13: neither a denial nor a restart gives tries back, nor ends a lock', async () => {
    for (const [method, wrongMax] of [
      ['bypasscode', 5],
      ['otp', 10],
    ] as const) {
      const { userId } = await newUser(server)
      const wrong = () => judged(server, { id: userId }, method === 'otp' ? { otp: '' } : { bypasscode: '' })
      for (let count = 1; count < wrongMax; count++) assert.equal(await wrong(), 'wrong_code')
      await server.restart()
      assert.equal(await wrong(), 'wrong_code')
      assert.equal(await wrong(), 'codes_locked')
      await server.restart()
      assert.equal(await wrong(), 'codes_locked')
    }
  })

  it('A04: a code of nothing but spaces is a wrong one, with U+0000 it is a bad request, and neither asks the phone', async () => {
    const phone = await newPhone(server)
    for (const method of ['bypasscode', 'otp']) {
      const ask = (code: string) => create(phone.domainId, { user: { id: phone.userId }, [method]: code })
      assert.deepEqual(refusal(await ask('\0')), { status: 400, code: 'api.error.badrequest' })
      for (const blank of [' ', '\t\n\u00a0']) assert.equal((await ask(blank)).body.state, 'denied')
    }
    assert.deepEqual(await phone.device.requests(), [])
  })

  it('A14: the budget is nowhere but in the database: nothing is handed out that could bring tries back', async () => {
    const { userId } = await newUser(server)
    const states = ['', 'failures=0', '__Host-countersign=0']
    for (let count = 0; count < 15; count++) {
      const headers = { cookie: states[count % states.length] ?? '' }
      const reply = await create(
        server.acme.domainId,
        { user: { id: userId }, bypasscode: '0' },
        { ...countersign, ...headers },
      )
      assert.equal(reply.body.reason, count < 5 ? 'wrong_code' : 'codes_locked')
      assert.deepEqual([reply.headers.get('set-cookie'), reply.headers.get('authorization')], [null, null])
    }
  })

  it('A08: of a hundred wrong codes at once no more are looked at than the budget has', async () => {
    for (const [method, wrongMax] of [
      ['bypasscode', 5],
      ['otp', 10],
    ] as const) {
      const { userId } = await newUser(server)
      await newFob(server, userId)
      const outcomes = await Promise.all(
        Array.from({ length: 100 }, () =>
          judged(server, { id: userId }, method === 'otp' ? { otp: '' } : { bypasscode: '' }),
        ),
      )
      assert.equal(outcomes.filter((outcome) => outcome === 'wrong_code').length, wrongMax)
      assert.equal(outcomes.filter((outcome) => outcome === 'codes_locked').length, 100 - wrongMax)
    }
  })

  it('wrong codes do not touch the token: neither its requests nor its counters', async () => {
    const phone = await newPhone(server)
    for (let count = 0; count < 20; count++) {
      await create(phone.domainId, { user: { id: phone.userId }, [count % 2 ? 'otp' : 'bypasscode']: '000000' })
    }
    const counters = 'select unlock_failures, unapproved_sessions, throttled_until from tokens where tid = ?'
    const [row] = await sql(server.database, counters, phone.device.tid)
    assert.deepEqual(Object.values(row ?? {}).map(Number), [0, 0, 0])
    const request = await phone.ask()
    assert.equal((await phone.device.approve(request)).body.state, 'approved')
  })

  it('a code needs no token, and a null is no code', async () => {
    const { userId } = await newUser(server)
    const user = { id: userId }
    const { domainId } = server.acme
    for (const method of ['bypasscode', 'otp']) {
      assert.equal((await create(domainId, { user, [method]: '000000000' })).body.state, 'denied')
      const withNull = await create(domainId, { user, [method]: null })
      assert.deepEqual(refusal(withNull), { status: 404, code: 'api.error.notfound.token' })
    }
  })

  it('A33 a method that the domain has switched off is forbidden, whatever the code is, and leaves no trace', async () => {
    const domainId = await newDomain(server, { bypassEnabled: false })
    const { userId } = await newUser(server)
    await server.call('PUT', `/api/domains/${domainId}/users/${userId}`)
    const user = { id: userId }
    const before = await dump(server.database)
    for (const bypasscode of ['', '123456789']) {
      const reply = await create(domainId, { user, bypasscode })
      assert.deepEqual(refusal(reply), { status: 403, code: 'api.error.forbidden.bypasscode' })
    }
    assert.deepEqual(await dump(server.database), before)
    assert.equal((await create(domainId, { user, otp: '' })).body.state, 'denied')
    // No setting switches it off yet; a row that says so is heeded.
    await sql(server.database, 'update domains set otp_enabled = 0 where id = ?', domainId)
    assert.deepEqual(refusal(await create(domainId, { user, otp: '' })), {
      status: 403,
      code: 'api.error.forbidden.otp',
    })
    // Who is unknown is so before anything is said of methods.
    const unknown = await create(domainId, { user: { username: 'nobody' }, bypasscode: '' })
    assert.deepEqual(refusal(unknown), { status: 404, code: 'api.error.notfound.user' })
  })

  it('two codes at once, or a code that is no text, is a bad request', async () => {
    const { userId } = await newUser(server)
    const before = await dump(server.database)
    for (const codes of [
      { otp: '', bypasscode: '' },
      { otp: 123456 },
      { bypasscode: 123456789 },
      { otp: [] },
      { otp: true },
    ]) {
      const reply = await create(server.acme.domainId, { user: { id: userId }, ...codes })
      assert.deepEqual(refusal(reply), { status: 400, code: 'api.error.badrequest' }, JSON.stringify(codes))
    }
    assert.deepEqual(await dump(server.database), before)
  })
})

/** Six digits that the token shows at no time near. */
function wrongOtp(fob: Fob): string {
  const shown = Array.from({ length: 61 }, (_, index) => fob.otp(index - 30))
  return ['000000', '000001', '000002'].find((otp) => !shown.includes(otp)) ?? assert.fail()
}
