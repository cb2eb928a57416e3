import assert from 'node:assert/strict'
import { after, before, it } from 'node:test'
import { auditOf } from '../support/audit.ts'
import { onEveryEngine } from '../support/engines.ts'
import { newPhone, type Phone, phoneOf } from '../support/phones.ts'
import type { PushAnswer } from '../support/push-service.ts'
import { type PushWorld, startPushWorld } from '../support/pushes.ts'
import { sql } from '../support/sql.ts'
import { newSubscription } from '../support/subscriptions.ts'

onEveryEngine((engine) => {
  let world: PushWorld
  before(async () => {
    world = await startPushWorld(engine)
  })
  after(() => world.stop())

  async function subscribed(endpoint?: string): Promise<Phone & { endpoint: string }> {
    const phone = await newPhone(world.server)
    return { ...phone, endpoint: (await newSubscription(world.server, phone.device, endpoint)).endpoint }
  }
  const managed = async (phone: Phone) => {
    const path = `/admin/v1/domains/${phone.domainId}/members/${phone.userId}/token`
    const { pushState, pushError, pushErrorSince } = (await world.server.call('GET', path)).body
    return { pushState, pushError, pushErrorSince }
  }
  /** What the push service says to one request after another; the last for good. */
  function answers(...list: (PushAnswer | undefined)[]): void {
    const first = world.service.received.length
    world.service.answer = () => list[Math.min(world.service.received.length - first, list.length) - 1]
  }
  /** One request to each, whose push is answered so. */
  async function pushTo(answer: PushAnswer, ...phones: Phone[]): Promise<void> {
    answers(answer)
    for (const phone of phones) await world.ask(phone)
    await world.outcomes(phones.length)
  }
  const events = async (phone: Phone) =>
    (await auditOf(world.server, { tid: phone.device.tid })).filter(({ event }) => event.startsWith('token.push'))

  it('T27: 410 and 404 erase the subscription, with an event; the request and its poll go on', async () => {
    for (const status of [410, 404]) {
      const phone = await subscribed()
      answers({ status })
      const request = await phone.ask()
      assert.deepEqual(await world.outcomes(1), { gone: 1 })
      const polled = await phone.device.poll()
      assert.equal(polled.ok && polled.push, 'none')
      const gone = (await events(phone)).filter(({ event }) => event === 'token.push_gone')
      assert.deepEqual(gone, [{ event: 'token.push_gone', data: { host: 'fcm.googleapis.com', status } }])
      const [row = {}] = await sql(world.server.database, 'select * from tokens where tid = ?', phone.device.tid)
      for (const [name, value] of Object.entries(row)) if (/^push_(?!at)/.test(name)) assert.equal(value, null, name)
      assert.equal((await phone.device.approve(request)).body.state, 'approved')
      assert.equal(await phone.verdict(request.sid), 'approved')
    }
  })

  it('T27: one that was replaced meanwhile is not erased, and the next try goes to the new one', async () => {
    const phone = await subscribed()
    const before = world.service.received.length
    answers({ status: 503 }, { status: 410 })
    await world.ask(phone)
    await world.service.until(before + 1)
    await world.clock.untilWaiting(1_000)
    const { push_endpoint_hash: hash } = (await world.server.app.storage.tokens.findByTid(phone.device.tid)) ?? {}
    await newSubscription(world.server, phone.device)
    const erased = world.server.app.storage.transaction(({ pushSubscriptions }) =>
      pushSubscriptions.erase(world.server.acme.id, phone.device.tid, hash ?? ''),
    )
    assert.equal(await erased, false)
    answers({ status: 201 })
    world.clock.advance(1_000)
    assert.deepEqual(await world.outcomes(1), { accepted: 1 })
    assert.notEqual(world.service.received.at(-1)?.path, world.service.received.at(-2)?.path)
    assert.deepEqual(await managed(phone), { pushState: 'ok', pushError: null, pushErrorSince: null })
    assert.ok((await events(phone)).every(({ event }) => event === 'token.push_changed'))
  })

  it('T27: after a 403 the token says what is wrong, until a push is accepted', async () => {
    const phone = await subscribed()
    await pushTo({ status: 403, body: '{"reason":"BadJwtToken"}' }, phone)
    const pushErrorSince = new Date(world.clock.now()).toISOString()
    assert.deepEqual(await managed(phone), { pushState: 'failing', pushError: 'forbidden', pushErrorSince })
    world.clock.advance(60_000)
    await pushTo({ status: 201 }, phone)
    assert.deepEqual(await managed(phone), { pushState: 'ok', pushError: null, pushErrorSince: null })
  })

  it('T27: 403 to three users in a row is an alarm about the configuration, once; no user can ring it alone', async () => {
    const [one, two, three] = [await subscribed(), await subscribed(), await subscribed()]
    const again = await phoneOf(world.server, { userId: one.userId, username: one.username, pin: true })
    await newSubscription(world.server, again.device)
    const alarms = () => world.server.logged.filter(({ alarm }) => alarm === 'push.forbidden')
    await pushTo({ status: 403 }, one, again, two)
    await pushTo({ status: 201 }, three)
    world.clock.advance(60_000)
    await pushTo({ status: 403 }, two, three)
    assert.deepEqual(alarms(), [])
    await pushTo({ status: 403 }, one)
    world.clock.advance(60_000)
    await pushTo({ status: 403 }, one, two, three)
    const host = 'fcm.googleapis.com'
    const rung = alarms().map(({ host, status, level }) => [host, status, level])
    assert.deepEqual(rung, [[host, 403, 50]])
    const logged = await auditOf(world.server, { event: 'push.forbidden' })
    assert.deepEqual(logged, [{ event: 'push.forbidden', data: { host, status: 403 } }])
  })

  it('T27: 429 is tried again when the push service says so, 500 twice, and nothing after the request’s end', async () => {
    const { service, clock } = world
    const phones = [await subscribed(), await subscribed(), await subscribed()]
    const [limited, broken, late] = phones
    assert.ok(limited && broken && late)
    let before = service.received.length
    answers({ status: 429, headers: { 'retry-after': '7' } }, { status: 201 })
    await world.ask(limited)
    await clock.untilWaiting(7_000)
    clock.advance(7_000)
    assert.deepEqual(await world.outcomes(1), { accepted: 1 })
    assert.equal(service.received.length, before + 2)

    before = service.received.length
    answers({ status: 500 })
    await world.ask(broken)
    for (const pause of [1_000, 4_000]) {
      await clock.untilWaiting(pause)
      clock.advance(pause)
    }
    assert.deepEqual(await world.outcomes(1), { busy: 1 })
    assert.equal(service.received.length, before + 3)
    assert.equal((await managed(broken)).pushError, 'busy')

    before = service.received.length
    const date = new Date(clock.now() + 121_000).toUTCString()
    answers({ status: 503, headers: { 'retry-after': date } })
    await world.ask(late)
    assert.deepEqual(await world.outcomes(1), { busy: 1 })
    assert.equal(service.received.length, before + 1)
  })

  it('T27: a push service that does not answer has ten seconds, and neither request nor poll waits for it', async () => {
    const phone = await subscribed()
    const before = world.service.received.length
    answers(undefined)
    const request = await phone.ask()
    await world.service.until(before + 1)
    world.clock.advance(9_999)
    assert.equal((await phone.device.approve(request)).body.state, 'approved')
    assert.equal(world.server.app.pushes.open, 1)
    world.clock.advance(1)
    assert.deepEqual(await world.outcomes(1), { timeout: 1 })
  })

  it('T27 T29: redirects are not followed, and of an endless answer nothing but the head is read', async () => {
    const before = world.service.dialled.length
    for (const status of [301, 302, 307, 308]) {
      answers({ status, headers: { location: 'https://127.0.0.1/' } })
      await world.ask(await subscribed())
      assert.deepEqual(await world.outcomes(1), { refused: 1 })
    }
    answers({ status: 201, body: Buffer.alloc(5_000_000) })
    await world.ask(await subscribed())
    assert.deepEqual(await world.outcomes(1), { accepted: 1 })
    const dialled = world.service.dialled.slice(before)
    assert.deepEqual([...new Set(dialled.map(({ host }) => host))], ['fcm.googleapis.com'])
    assert.equal(dialled.length, 5)
  })

  it('what the log says of a push names the host and no subscription', async () => {
    const phone = await subscribed()
    answers({ status: 400 })
    await world.ask(phone)
    assert.deepEqual(await world.outcomes(1), { refused: 1 })
    const line = world.server.logged.find(({ tid, result }) => tid === phone.device.tid && result === 'refused')
    assert.deepEqual([line?.host, line?.status, line?.level], ['fcm.googleapis.com', 400, 40])
    assert.ok(!JSON.stringify(world.server.logged).includes(new URL(phone.endpoint).pathname))
  })

  it('T37: a subscription that was moved from another token is not used, and that is an alarm', async () => {
    const [phone, other] = [await subscribed(), await subscribed()]
    const before = world.service.received.length
    const columns = ['push_endpoint_cipher', 'push_keys_cipher', 'push_endpoint_hash']
    const set = columns.map((name) => `${name} = (select ${name} from tokens as other where other.tid = ?)`).join(', ')
    const { tid } = other.device
    await sql(
      world.server.database,
      `update tokens set ${set} where tid = ? returning tid`,
      tid,
      tid,
      tid,
      phone.device.tid,
    )
    assert.equal((await world.ask(phone)).state, 'pending')
    assert.deepEqual(await world.outcomes(1), { unsendable: 1 })
    assert.equal(world.service.received.length, before)
    const alarms = world.server.logged.filter(
      ({ alarm, tid }) => alarm === 'token.tampered' && tid === phone.device.tid,
    )
    assert.equal(alarms.length, 1)
  })
})
