import assert from 'node:assert/strict'
import { after, before, it } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { onEveryEngine, onSqlite } from '../support/engines.ts'
import { newPhone, type Phone } from '../support/phones.ts'
import { type PushWorld, startPushWorld } from '../support/pushes.ts'
import { newSubscription } from '../support/subscriptions.ts'

onEveryEngine((engine) => {
  let world: PushWorld
  before(async () => {
    world = await startPushWorld(engine)
  })
  after(() => world.stop())

  async function subscribed(): Promise<Phone> {
    const phone = await newPhone(world.server)
    await newSubscription(world.server, phone.device)
    return phone
  }
  async function untilPolling(count: number): Promise<void> {
    while (world.server.app.polls.open !== count) await delay(2)
  }

  it('an authenticator that is open hears of a request by its poll, and gets no push', async () => {
    const phone = await subscribed()
    const before = world.service.received.length
    const polling = phone.device.poll({ wait: 25 })
    await untilPolling(1)
    const { id } = await world.ask(phone)
    const result = await polling
    assert.deepEqual(result.ok && result.requests.map(({ sid }) => sid), [id])
    assert.deepEqual(await world.outcomes(1), { polled: 1 })
    assert.equal(world.service.received.length, before)
    // None left, so that the next one has nothing to wait for.
    await world.ask(phone)
    assert.deepEqual(await world.outcomes(1), { accepted: 1 })
  })

  it('a poll whose connection ends is no authenticator that was told', async () => {
    const phone = await subscribed()
    const signal = new AbortController()
    const tokens = [await phone.device.sign('sync', phone.device.common('sync'))]
    const body = JSON.stringify({ wait: 25, tokens })
    const polling = fetch(`${world.server.deviceUrl}/device/v1/sync`, { method: 'POST', body, signal: signal.signal })
    await untilPolling(1)
    const told = world.server.app.polls.outcome(phone.device.tid)
    signal.abort()
    await assert.rejects(polling)
    assert.equal(await told, false)
    await world.ask(phone)
    assert.deepEqual(await world.outcomes(1), { accepted: 1 })
  })

  it('a poll that does not end within three seconds is as good as none', async () => {
    const phone = await subscribed()
    const { polls } = world.server.app
    // As of a device whose connection is dead, which nobody has noticed yet.
    const turn = polls.begin([phone.device.tid])
    await world.ask(phone)
    await world.clock.untilWaiting(3_000)
    world.clock.advance(2_999)
    assert.equal(world.server.app.pushes.open, 1)
    world.clock.advance(1)
    assert.deepEqual(await world.outcomes(1), { accepted: 1 })
    turn.finish(false)
    assert.equal(polls.open, 0)
  })

  it('of two polls the newer one counts', async () => {
    const phone = await subscribed()
    const { polls } = world.server.app
    const older = polls.begin([phone.device.tid])
    await world.ask(phone)
    await world.clock.untilWaiting(3_000)
    const newer = polls.begin([phone.device.tid])
    older.finish(true)
    newer.finish(true)
    assert.deepEqual(await world.outcomes(1), { polled: 1 })
  })
})

onSqlite((engine) => {
  it('a server that goes down drops what waits, gives what is being sent five seconds, and ends', async () => {
    const world = await startPushWorld(engine)
    const { server, service, clock } = world
    const [waiting, sending] = [await newPhone(server), await newPhone(server)]
    for (const { device } of [waiting, sending]) await newSubscription(server, device)
    await world.ask(waiting)
    await world.outcomes(1)
    await world.ask(waiting)
    service.answer = () => undefined
    await world.ask(sending)
    await service.until(2)
    const stopping = server.stop()
    await clock.untilWaiting(5_000)
    assert.deepEqual(await world.outcomes(1), { dropped: 1 })
    clock.advance(5_000)
    await stopping
    await service.close()
  })
})
