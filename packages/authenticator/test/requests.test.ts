// Requests and their answers, as the screens see them, against a real server.
import assert from 'node:assert/strict'
import { after, afterEach, before, beforeEach, it, mock } from 'node:test'
import { onSqlite } from '../../server/test/support/engines.ts'
import { startTestServer, type TestServer } from '../../server/test/support/server.ts'
import { SoftAuthenticator } from '../../server/test/support/webauthn.ts'
import { askFor, codeFor, domainOf, enrol, openPhone, type Phone, shown, until } from './support/phone.ts'

onSqlite((engine) => {
  let server: TestServer
  let phone: Phone
  before(async () => {
    server = await startTestServer(engine)
  })
  after(() => server.stop())
  beforeEach(async () => {
    server.clock.advance(3_600_000)
    phone = await openPhone(server)
  })
  afterEach(() => phone.close())

  it('shows what the server fixed, and approves with number and PIN', async () => {
    await enrol(server, phone, '482913')
    const attributes = [{ key: 'Application', value: 'Mail' }]
    const { sid, number, verdict } = await askFor(server, server.acme.pinDomainId, {
      numberMatching: true,
      attributes,
      ipAddress: '203.0.113.7',
    })
    const request = await shown(phone, sid)
    assert.equal(phone.model.requests.current, request)
    assert.deepEqual(
      [request.domain.name, request.user, request.ip, request.unlock],
      ['Acme Bank', 'alice', '203.0.113.7', 'pin'],
    )
    assert.deepEqual([request.attributes, request.numberLength], [[{ name: 'Application', value: 'Mail' }], 6])
    assert.ok(request.secondsLeft > 0 && request.secondsLeft <= request.secondsTotal)
    await request.approve({ pin: '482913' })
    assert.deepEqual(request.outcome, { is: 'open', problem: { is: 'number_missing' } })
    await request.approve({ number })
    assert.deepEqual(request.outcome, { is: 'open', problem: { is: 'pin_missing' } })
    await request.approve({ number: ` ${number.slice(0, 3)} ${number.slice(3)}`, pin: '482913' })
    assert.equal(request.outcome.is, 'approved')
    assert.equal(await verdict(), 'approved')
    assert.equal(phone.model.tokens.all[0]?.history[0]?.result, 'approved')
  })

  it('says how many tries are left after a wrong PIN and a wrong number', async () => {
    await enrol(server, phone, '482913')
    const { sid, number, verdict } = await askFor(server, server.acme.pinDomainId, { numberMatching: true })
    const request = await shown(phone, sid)
    const wrong = number === '000000' ? '000001' : '000000'
    await request.approve({ number, pin: '482914' })
    assert.deepEqual(request.outcome, { is: 'open', problem: { is: 'wrong_pin', remaining: 4 } })
    await request.approve({ number: wrong, pin: '482913' })
    assert.deepEqual(request.outcome, { is: 'open', problem: { is: 'wrong_number', remaining: 2 } })
    assert.equal(await verdict(), 'pending')
    for (let i = 0; i < 2; i++) await request.approve({ number: wrong, pin: '482913' })
    assert.deepEqual(request.outcome, { is: 'locked', by: 'number' })
    assert.equal(await verdict(), 'denied')
  })

  it('T32: five wrong PINs end the key, its keys are deleted, and a note stays', async () => {
    await enrol(server, phone, '482913')
    const { sid } = await askFor(server, server.acme.pinDomainId)
    const request = await shown(phone, sid)
    for (let i = 0; i < 5; i++) await request.approve({ pin: '111213' })
    assert.deepEqual(request.outcome, { is: 'key_ended', by: 'pin' })
    assert.deepEqual(await phone.store.tokens(), [])
    const [note] = phone.model.tokens.ended
    assert.equal(note?.by, 'pin')
    await phone.reopen()
    phone.model.tokens.dismissEnded(note?.tid ?? '')
    await until(() => phone.model.tokens.ended.length === 0)
  })

  it('T32: a key that was revoked on the server is deleted here, and its request ends', async () => {
    const { tid } = await enrol(server, phone)
    const { sid } = await askFor(server, server.acme.domainId)
    const request = await shown(phone, sid)
    await server.call('DELETE', `/api/domains/${server.acme.domainId}/users/${server.acme.alice}/token`)
    await until(() => phone.model.tokens.all.length === 0)
    assert.deepEqual(await phone.store.tokens(), [])
    assert.equal(phone.model.tokens.ended.find((note) => note.tid === tid)?.by, 'server')
    assert.ok(request.outcome.is === 'key_ended' || request.outcome.is === 'closed')
  })

  it('ends the other requests of a key that has ended, and in another tab, too', async () => {
    await enrol(server, phone, '482913')
    const tab = await phone.secondTab()
    const [first, second] = [
      await askFor(server, server.acme.pinDomainId),
      await askFor(server, server.acme.pinDomainId),
    ]
    const request = await shown(phone, first.sid)
    const other = await shown(phone, second.sid)
    const inTab = await until(() => tab.requests.all.find(({ sid }) => sid === second.sid))
    for (let i = 0; i < 5; i++) await request.approve({ pin: '482914' })
    await until(() => tab.tokens.all.length === 0)
    for (const gone of [request, other, inTab]) assert.deepEqual(gone.outcome, { is: 'key_ended', by: 'pin' })
  })

  it('ends a request in one tab when its key was removed in another', async () => {
    const token = await enrol(server, phone)
    const tab = await phone.secondTab()
    const { sid } = await askFor(server, server.acme.domainId)
    await shown(phone, sid)
    const request = await until(() => tab.requests.all.find((one) => one.sid === sid && one.armed))
    await token.remove()
    await until(() => request.outcome.is === 'closed')
  })

  it('can be answered again when the dialogue of the phone fails, in whatever way', async () => {
    const domainId = await domainOf(server, { keyType: 'BIOMETRIC' })
    const finger = { authenticator: new SoftAuthenticator(server.deviceUrl) }
    phone.close()
    phone = await openPhone(server, { finger })
    const { activation } = phone.model
    activation.start()
    activation.enterCode(await codeFor(server, domainId))
    await activation.enterUsername('alice')
    await activation.confirm()
    await activation.choosePlatform()
    const { sid } = await askFor(server, domainId)
    const request = await shown(phone, sid)
    const failing = mock.method(finger.authenticator, 'assert', () => {
      throw new DOMException('An unknown error occurred while talking to the credential manager.', 'NotReadableError')
    })
    await request.approve({})
    assert.deepEqual(request.outcome, { is: 'open', problem: { is: 'cancelled' } })
    failing.mock.restore()
    await request.approve({})
    assert.equal(request.outcome.is, 'approved')
  })

  it('can be answered again when the server has refused an answer for good', async () => {
    await enrol(server, phone)
    const { sid, verdict } = await askFor(server, server.acme.domainId)
    const request = await shown(phone, sid)
    const body = JSON.stringify({ errors: [{ code: 'challenge_mismatch', message: '' }] })
    const lying = mock.method(globalThis, 'fetch', async () => new Response(body, { status: 409 }))
    await request.approve({})
    lying.mock.restore()
    assert.equal(request.outcome.is, 'failed')
    await request.retry()
    await until(() => request.armed)
    await request.deny('mistake')
    assert.equal(await verdict(), 'denied')
  })

  it('sends the very same bytes again when the reply to an answer is lost, and counts once', async () => {
    await enrol(server, phone, '482913')
    const { sid, verdict } = await askFor(server, server.acme.pinDomainId)
    const request = await shown(phone, sid)
    Object.assign(phone.network, { loseReplies: 3, losing: /answer/, sent: [] })
    await request.approve({ pin: '482914' })
    assert.deepEqual(request.outcome, { is: 'open', problem: { is: 'wrong_pin', remaining: 4 } })
    const answers = () => phone.network.sent.filter(({ path }) => path === '/answer').map(({ body }) => body)
    assert.deepEqual([answers().length, new Set(answers()).size], [4, 1])
    phone.network.loseReplies = 2
    await request.approve({ pin: '482913' })
    assert.equal(request.outcome.is, 'approved')
    assert.deepEqual([answers().length, new Set(answers()).size], [7, 2])
    assert.equal(await verdict(), 'approved')
  })

  it('says that an answer has not arrived while there is no network, and that nothing was lost', async () => {
    await enrol(server, phone)
    const { sid, verdict } = await askFor(server, server.acme.domainId)
    const request = await shown(phone, sid)
    phone.network.down = true
    const answered = request.approve({})
    await until(() => request.outcome.is === 'sending' && request.outcome.late)
    await until(() => phone.model.connection.state === 'offline')
    phone.network.down = false
    await answered
    assert.equal(request.outcome.is, 'approved')
    assert.equal(await verdict(), 'approved')
    await until(() => phone.model.connection.state === 'online')
  })

  it('does not know what became of an answer that has not arrived in time, and does not keep the user for it', async () => {
    await enrol(server, phone)
    const { sid } = await askFor(server, server.acme.domainId)
    const request = await shown(phone, sid)
    phone.network.down = true
    const answered = request.approve({})
    await until(() => request.outcome.is === 'sending' && request.outcome.late)
    server.clock.advance(121_000)
    await until(() => request.outcome.is === 'unknown')
    phone.model.requests.dismiss(sid)
    assert.equal(phone.model.requests.current, undefined)
    phone.network.down = false
    await answered
    assert.deepEqual(request.outcome, { is: 'closed', state: 'expired' })
  })

  it('does not begin anew to wait before it acts when it is chosen while it is in sight', async () => {
    await enrol(server, phone)
    const { sid } = await askFor(server, server.acme.domainId)
    const request = await shown(phone, sid)
    phone.model.requests.show(sid)
    assert.equal(request.armed, true)
  })

  it('denies by mistake, and with the alarm, which pauses the key; an approval can be taken back', async () => {
    await enrol(server, phone)
    const first = await askFor(server, server.acme.domainId)
    const mistaken = await shown(phone, first.sid)
    await mistaken.deny('mistake')
    assert.equal(mistaken.outcome.is, 'denied')
    assert.equal(phone.model.tokens.all[0]?.state.is, 'active')
    phone.model.requests.dismiss(first.sid)
    const second = await askFor(server, server.acme.domainId)
    const request = await shown(phone, second.sid)
    await request.approve({})
    assert.equal(await second.verdict(), 'approved')
    await request.deny('not_me')
    assert.equal(request.outcome.is, 'denied')
    assert.equal(await second.verdict(), 'denied')
    assert.equal(phone.model.tokens.all[0]?.state.is, 'paused')
    assert.deepEqual(
      phone.model.tokens.all[0]?.history.map(({ result }) => result),
      ['not_me', 'denied'],
    )
  })

  it('marks several as suspicious, shows the newest, and keeps to one that was chosen', async () => {
    await enrol(server, phone)
    const first = await askFor(server, server.acme.domainId)
    await shown(phone, first.sid)
    assert.equal(phone.model.requests.several, false)
    server.clock.advance(1_000)
    const second = await askFor(server, server.acme.domainId)
    await shown(phone, second.sid)
    assert.equal(phone.model.requests.several, true)
    assert.equal(phone.model.requests.current?.sid, second.sid)
    phone.model.requests.show(first.sid)
    server.clock.advance(1_000)
    const third = await askFor(server, server.acme.domainId)
    await shown(phone, third.sid)
    assert.equal(phone.model.requests.current?.sid, first.sid)
  })

  it('ends a request that was called off, and one whose time is up', async () => {
    await enrol(server, phone)
    const cancelled = await askFor(server, server.acme.domainId)
    const first = await shown(phone, cancelled.sid)
    await server.call('DELETE', cancelled.path)
    await until(() => first.outcome.is === 'closed' && first.outcome.state === 'cancelled')
    phone.model.requests.dismiss(cancelled.sid)
    const expired = await askFor(server, server.acme.domainId)
    const second = await shown(phone, expired.sid)
    server.clock.advance(121_000)
    await until(() => second.outcome.is === 'closed' && second.outcome.state === 'expired')
  })

  it('does not act before 0.7 s have passed', async () => {
    await enrol(server, phone)
    const { sid, verdict } = await askFor(server, server.acme.domainId)
    const request = await shown(phone, sid)
    request.rearm()
    assert.equal(request.armed, false)
    await request.approve({})
    await request.deny('mistake')
    assert.deepEqual([request.outcome.is, await verdict()], ['open', 'pending'])
    await until(() => request.armed)
  })

  it('shows the same in a second tab, which polls nothing', async () => {
    await enrol(server, phone)
    const { sid } = await askFor(server, server.acme.domainId)
    const request = await shown(phone, sid)
    const tab = await phone.secondTab()
    const twin = await until(() => tab.requests.all.find((other) => other.sid === sid))
    await until(() => twin.armed)
    await until(() => tab.connection.state === 'online')
    await twin.deny('mistake')
    await until(() => request.outcome.is === 'closed')
    phone.network.down = true
    await until(() => tab.connection.state === 'offline')
  })

  it('corrects its clock from the server, and says how far it is off', async () => {
    phone.close()
    phone = await openPhone(server, { clockAheadMs: 7 * 60_000 })
    await enrol(server, phone)
    await until(() => phone.model.connection.skewMinutes === 7)
    assert.ok(Math.abs(phone.model.now - server.clock.now()) < 2_000)
  })

  it('is not hurried by a key that the server refuses, which it asks about again a minute later', async () => {
    await enrol(server, phone)
    const [record] = await phone.store.tokens()
    assert.ok(record)
    const stray = 'f'.repeat(40)
    await phone.store.update(stray, () => ({ ...record, tid: stray }))
    await phone.reopen()
    await until(() => phone.model.tokens.all.find(({ tid }) => tid === stray)?.state.is === 'unknown')
    const polls = () => phone.network.sent.filter(({ path }) => path === '/sync').map(({ body }) => kidsOf(body))
    const about = (tid: string) => polls().filter((kids) => kids.includes(tid)).length
    for (let i = 0; i < 3; i++) {
      const { sid, path } = await askFor(server, server.acme.domainId)
      const request = await shown(phone, sid)
      await server.call('DELETE', path)
      await until(() => request.outcome.is === 'closed')
    }
    assert.ok(about(record.tid) > 3)
    assert.equal(about(stray), 1)
    server.clock.advance(61_000)
    await askFor(server, server.acme.domainId)
    await until(() => about(stray) === 2)
  })

  it('does not take what the server said of a key before it was active for a refusal', async () => {
    await enrol(server, phone)
    const other = await domainOf(server, { keyType: 'ONE_STEP' })
    const [asked, active] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
    phone.network.held = { paths: /finish/, until: asked.promise }
    const { setFacts } = phone.store
    // The poll that has asked about both keys has its answer, and comes to it only when the second one is active.
    phone.store.setFacts = async (facts) => {
      const last = phone.network.sent.findLast(({ path }) => path === '/sync')
      if (last && kidsOf(last.body).length === 2) {
        asked.resolve()
        await active.promise
      }
      return setFacts(facts)
    }
    const { tid } = await enrol(server, phone, undefined, other)
    active.resolve()
    const { sid } = await askFor(server, other)
    await shown(phone, sid)
    assert.equal(phone.model.tokens.all.find((token) => token.tid === tid)?.state.is, 'active')
  })

  it('does not tell the server of requests of a key that rests, which would end each poll at once', async () => {
    const other = await domainOf(server, { keyType: 'ONE_STEP' })
    await enrol(server, phone)
    const { tid } = await enrol(server, phone, undefined, other)
    const { sid } = await askFor(server, other)
    await shown(phone, sid)
    for (let i = 0; i < 60; i++) server.app.limits.signedMessages.count(tid)
    const haves = () => phone.network.sent.filter(({ path }) => path === '/sync').map(({ body }) => JSON.parse(body))
    await shown(phone, (await askFor(server, server.acme.domainId)).sid)
    await until(() => haves().at(-1).tokens.length === 1)
    assert.doesNotMatch(JSON.stringify(haves().at(-1).have), new RegExp(sid))
    assert.equal(phone.model.requests.open.length, 2)
  })

  it('shows a request although the store fails, and those that come after it', async () => {
    await enrol(server, phone)
    const [record] = await phone.store.tokens()
    assert.ok(record)
    // The store fails just when the first request ends the pause of its key.
    await phone.store.update(record.tid, (current) => current && { ...current, pausedUntil: 1 })
    await phone.reopen()
    await until(() => phone.model.connection.state === 'online')
    phone.store.failing = 1
    const first = await askFor(server, server.acme.domainId)
    await until(() => phone.store.failing === 0)
    assert.equal(phone.model.requests.current?.sid, first.sid)
    const second = await askFor(server, server.acme.domainId)
    await shown(phone, second.sid)
  })
})

/** The tids that a poll is about. */
function kidsOf(body: string): string[] {
  const { tokens } = JSON.parse(body) as { tokens: string[] }
  return tokens.map((jws) => JSON.parse(Buffer.from(jws.split('.')[0] ?? '', 'base64url').toString()).kid)
}
