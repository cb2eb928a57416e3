import assert from 'node:assert/strict'
import { after, before, it } from 'node:test'
import { newFob } from '../support/codes.ts'
import { onEveryEngine } from '../support/engines.ts'
import { newPhone, type Phone } from '../support/phones.ts'
import { type PushWorld, startPushWorld } from '../support/pushes.ts'
import { newSubscription } from '../support/subscriptions.ts'

const minuteMs = 60_000
const lifeMs = 120_000
const google = 'fcm.googleapis.com'

onEveryEngine((engine) => {
  let world: PushWorld
  before(async () => {
    world = await startPushWorld(engine)
  })
  after(() => world.stop())

  async function subscribed(endpoint?: string): Promise<Phone> {
    const phone = await newPhone(world.server)
    await newSubscription(world.server, phone.device, endpoint)
    return phone
  }
  /** As by so many pushes that get no answer; the returned function is their timeout. */
  function takeConnections(service: string): () => void {
    const { promise, resolve } = Promise.withResolvers<void>()
    for (let taken = 0; taken < 50; taken++) void world.server.app.pushes.send(service, () => promise)
    return resolve
  }
  /** Asks and lets the request lapse; whether it was pushed. */
  async function isPushed(phone: Phone): Promise<boolean> {
    const before = world.service.received.length
    assert.equal((await world.ask(phone)).state, 'pending')
    const { open } = world.server.app.pushes
    if (open > 0) await world.outcomes(1)
    world.clock.advance(lifeMs)
    return world.service.received.length > before
  }
  async function pushed(phone: Phone, count: number): Promise<boolean[]> {
    const all: boolean[] = []
    for (let asked = 0; asked < count; asked++) all.push(await isPushed(phone))
    return all
  }
  const [yes, no] = [true, false]
  const five = [yes, yes, yes, yes, yes]

  it('T22: thirty requests in a minute are three for the phone, and pushes at least ten seconds apart', async () => {
    const { service, clock } = world
    const phone = await subscribed()
    const [before, began] = [service.received.length, clock.now()]
    const states: string[] = []
    for (let asked = 0; asked < 30; asked++) {
      const { state, reason } = await world.ask(phone)
      states.push(state + reason)
      if (asked % 5 === 0 && asked <= 10) {
        // Of the seconds 0, 10 and 20.
        assert.deepEqual(await world.outcomes(1), { accepted: 1 }, `${(clock.now() - began) / 1_000} s`)
      }
      assert.equal(service.received.length, before + Math.min(3, 1 + Math.floor(asked / 5)))
      clock.advance(2_000)
    }
    assert.deepEqual(states.slice(0, 3), ['pending', 'pending', 'pending'])
    assert.deepEqual([...new Set(states.slice(3))], ['deniedthrottled'])
    assert.equal(service.received.length, before + 3)
  })

  it('T22: after five in ten minutes without approval none is pushed for ten minutes, and others are not concerned', async () => {
    const [phone, other] = [await subscribed(), await subscribed()]
    assert.deepEqual(await pushed(phone, 5), five)
    assert.deepEqual(await pushed(phone, 3), [no, no, no])
    assert.equal(await isPushed(other), yes)
    world.clock.advance(minuteMs)
    // Eleven minutes after the fifth.
    assert.deepEqual(await pushed(phone, 6), [...five, no])
  })

  it('T22: what is pushed seldom is pushed for good', async () => {
    const phone = await subscribed()
    for (let asked = 0; asked < 8; asked++) {
      assert.equal(await isPushed(phone), yes)
      world.clock.advance(minuteMs)
    }
  })

  it('T23: the pause outlives a restart, and ends with an approval or a one-time password', async () => {
    const phone = await subscribed()
    const fob = await newFob(world.server, phone.userId)
    assert.deepEqual(await pushed(phone, 5), five)
    await world.server.restart()
    assert.equal(await isPushed(phone), no)
    const body = { user: { id: phone.userId }, otp: fob.otp() }
    const judged = await world.server.call('POST', `/api/domains/${phone.domainId}/sessions`, { body })
    assert.equal(judged.body.state, 'approved')
    assert.deepEqual(await pushed(phone, 4), five.slice(1))
    const request = await phone.ask()
    await world.outcomes(1)
    await phone.device.approve(request)
    world.clock.advance(lifeMs)
    assert.deepEqual(await pushed(phone, 6), [...five, no])
  })

  it('no push goes to a token that is suspended or has no subscription', async () => {
    const { server } = world
    const [suspended, silent] = [await subscribed(), await newPhone(server)]
    const request = await suspended.ask()
    await world.outcomes(1)
    await suspended.device.deny(request, 'not_me')
    world.clock.advance(minuteMs)
    assert.equal((await world.ask(suspended)).reason, 'suspended')
    await world.ask(silent)
    assert.equal(server.app.pushes.open, 0)
  })

  it('a push that waits for its turn is not sent when its request is over, or its token', async () => {
    const { service, clock } = world
    for (const end of ['cancel', 'revoke', 'suspend']) {
      const phone = await subscribed()
      const [first] = [await phone.ask()]
      await world.outcomes(1)
      const before = service.received.length
      const { id } = await world.ask(phone)
      await clock.untilWaiting(10_000)
      const session = `/api/domains/${phone.domainId}/sessions/${id}`
      if (end === 'cancel') await world.server.call('DELETE', session)
      if (end === 'revoke') await world.server.call('DELETE', phone.token)
      if (end === 'suspend') await phone.device.deny(first, 'not_me')
      clock.advance(10_000)
      assert.deepEqual(await world.outcomes(1), { unneeded: 1 }, end)
      assert.equal(service.received.length, before)
      if (end !== 'cancel') continue
      // It did not leave, so that another one may now, ten seconds after the first.
      await world.ask(phone)
      assert.deepEqual(await world.outcomes(1), { accepted: 1 })
    }
  })

  it('a push service that does not answer keeps its own phones waiting, whatever their hosts are, and no others', async (t) => {
    const { service, server } = world
    const waiting = [
      await subscribed(`https://${google}/fcm/send/1`),
      await subscribed('https://wns2-by3p.notify.windows.com/w/?token=1'),
      await subscribed('https://a.notify.windows.com/w/?token=2'),
    ]
    const other = await subscribed('https://updates.push.services.mozilla.com/wpush/v2/1')
    const release = [google, '.notify.windows.com'].map(takeConnections)
    t.after(() => release.forEach((end) => void end()))
    for (const phone of [...waiting, other]) await world.ask(phone)
    assert.deepEqual(await world.outcomes(1), { accepted: 1 })
    assert.equal(service.received.at(-1)?.host, 'updates.push.services.mozilla.com')
    assert.equal(server.app.pushes.open, 3)
    for (const end of release) end()
    assert.deepEqual(await world.outcomes(3), { accepted: 3 })
  })

  it('what is too much for one push service is dropped, and others have their own room', async (t) => {
    const [phone, other] = [await subscribed(), await subscribed('https://web.push.apple.com/Q1')]
    const { promise, resolve } = Promise.withResolvers<void>()
    t.after(() => resolve())
    let begun = 0
    while (world.server.app.pushes.begin(google, () => promise)) begun++
    await world.ask(phone)
    assert.deepEqual(await world.outcomes(1), { dropped: 1 })
    await world.ask(other)
    assert.deepEqual(await world.outcomes(1), { accepted: 1 })
    assert.equal(begun, 2_000)
  })

  it('a push that waits for a connection is not sent when its request is over meanwhile', async (t) => {
    const { service, server } = world
    const [phone, before] = [await subscribed(), service.received.length]
    const release = takeConnections(google)
    t.after(release)
    const { id } = await world.ask(phone)
    await server.call('DELETE', `/api/domains/${phone.domainId}/sessions/${id}`)
    assert.equal(server.app.pushes.open, 1)
    release()
    assert.deepEqual(await world.outcomes(1), { unneeded: 1 })
    assert.equal(service.received.length, before)
  })
})
