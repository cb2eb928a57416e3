import assert from 'node:assert/strict'
import { after, before, it } from 'node:test'
import { activationMs } from '../../src/core/data-keys.ts'
import { sweepOld } from '../../src/core/sweeper.ts'
import { rotateVapidKey } from '../../src/main.ts'
import { TestDevice } from '../support/device.ts'
import { onEveryEngine, onPostgres } from '../support/engines.ts'
import { newPhone, newUser, type Phone } from '../support/phones.ts'
import { type PushWorld, pushSettings, startPushWorld } from '../support/pushes.ts'
import { startTestServer } from '../support/server.ts'
import { sql } from '../support/sql.ts'
import { newSubscription, subscribe, TestSubscription, vapidOf } from '../support/subscriptions.ts'

const minuteMs = 60_000

onEveryEngine((engine) => {
  let world: PushWorld
  before(async () => {
    world = await startPushWorld(engine)
  })
  after(() => world.stop())

  const stored = async () => {
    const rows = await sql(
      world.server.database,
      `select id from data_keys where purpose = 'vapid' order by created_at`,
    )
    return rows.map(({ id }) => String(id))
  }
  async function signedBy(phone: Phone): Promise<string | undefined> {
    await world.ask(phone)
    assert.deepEqual(await world.outcomes(1), { accepted: 1 })
    world.clock.advance(minuteMs)
    return / k=([\w-]+)$/.exec(world.service.received.at(-1)?.headers.authorization ?? '')?.[1]
  }
  async function stateOf(phone: Phone): Promise<string> {
    const result = await phone.device.poll()
    assert.ok(result.ok)
    return result.push
  }

  it('there is one key, made at the first start, the same after a restart and in every answer', async () => {
    const { server } = world
    const vapid = await vapidOf(server)
    assert.equal(Buffer.from(vapid, 'base64url').length, 65)
    await server.restart()
    assert.equal(await vapidOf(server), vapid)
    const { userId, username } = await newUser(server)
    const issued = await server.call('PUT', `/api/domains/${server.acme.domainId}/users/${userId}/token`)
    const begun = await server.device('activation/begin', { v: 1, code: issued.body.code, username })
    assert.equal(begun.body.vapid, vapid)
    assert.equal((await stored()).length, 1)
  })

  it('a subscription that comes with an activation is as good as one that comes later', async () => {
    const { server } = world
    const { userId, username } = await newUser(server)
    const { domainId } = server.acme
    const token = `/api/domains/${domainId}/users/${userId}/token`
    const finish = async (push: object) => {
      const { code } = (await server.call('PUT', token)).body
      const begun = (await server.device('activation/begin', { v: 1, code, username })).body
      const device = await TestDevice.prepare(server, begun.tid, { username, pin: false })
      return { device, reply: await server.device('activation/finish', await device.finishMessage(begun, { push })) }
    }
    const subscription = new TestSubscription().asMessage(await vapidOf(server))
    const evil = { ...subscription, endpoint: 'https://169.254.169.254/x' }
    assert.equal((await finish(evil)).reply.body.errors[0].code, 'malformed')
    const { device, reply } = await finish(subscription)
    assert.equal(reply.status, 200, reply.text)
    const polled = await device.poll()
    assert.equal(polled.ok && polled.push, 'ok')
  })

  it('rotation: the new key for new subscriptions, the old one as long as a subscription names it', async () => {
    const { server, clock } = world
    const [phone, other] = [await newPhone(server), await newPhone(server)]
    for (const { device } of [phone, other]) await newSubscription(server, device)
    const old = await vapidOf(server)
    const { kept, key } = await rotateVapidKey(server.app)
    assert.deepEqual(await stored(), [...kept, key])
    await server.app.secrets.reload()
    assert.equal(await vapidOf(server), old, 'until every node has learned of the new one')
    clock.advance(activationMs + 1)
    const vapid = await vapidOf(server)
    assert.notEqual(vapid, old)
    assert.equal(await stateOf(phone), 'stale')
    assert.equal(await signedBy(phone), old)
    clock.advance(20 * minuteMs)
    await sweepOld(server.app)
    assert.deepEqual(await stored(), [...kept, key])
    await newSubscription(server, phone.device)
    assert.equal(await stateOf(phone), 'ok')
    assert.equal(await signedBy(phone), vapid)
    assert.equal(await signedBy(other), old)
    await subscribe(server, other.device, null)
    await sql(server.database, 'update tokens set push_vapid_id = null where push_vapid_id <> ? returning tid', key)
    await sweepOld(server.app)
    assert.deepEqual(await stored(), [key])
    await server.app.secrets.reload()
    const late = await subscribe(server, other.device, new TestSubscription().asMessage(old))
    assert.equal(late.body.push, 'none')
  })
})

onPostgres((engine) => {
  let world: PushWorld
  before(async () => {
    world = await startPushWorld(engine)
  })
  after(() => world.stop())

  it('a second node has the same key, and learns of a younger one before it is offered', async () => {
    const { server, clock } = world
    const second = await startTestServer(engine, {
      database: server.database,
      clock,
      empty: true,
      settings: { ...pushSettings, COUNTERSIGN_DEVICE_URL: server.deviceUrl },
    })
    const offered = () => vapidOf({ deviceUrl: `http://127.0.0.1:${second.config.deviceListen.port}` })
    assert.equal(await offered(), await vapidOf(server))
    await rotateVapidKey(server.app)
    await server.app.secrets.reload()
    clock.advance(activationMs + 1)
    const phone = await newPhone(server)
    const { tid } = phone.device
    const subscription = new TestSubscription().asMessage(await vapidOf(server))
    const message = await phone.device.sign('push', { ...phone.device.common('push'), push: subscription })
    const url = `http://127.0.0.1:${second.config.deviceListen.port}/device/v1/push`
    const reply = await fetch(url, { method: 'POST', body: message })
    assert.deepEqual(await reply.json(), { tid, push: 'ok', time: Math.floor(clock.now() / 1000) })
    assert.equal(await offered(), await vapidOf(server))
    await second.stop()
  })

  it('no subscription is offered, kept or used while pushes are off, and those that were kept are used once they are on', async () => {
    const { server } = world
    const phone = await newPhone(server)
    await newSubscription(server, phone.device)
    const off = await startTestServer(engine, {
      database: server.database,
      clock: world.clock,
      empty: true,
      network: world.service.network,
      settings: { COUNTERSIGN_PUSH_CONTACT: 'off', COUNTERSIGN_DEVICE_URL: server.deviceUrl },
    })
    const described = await (await fetch(`http://127.0.0.1:${off.config.deviceListen.port}/device/v1/server`)).json()
    assert.equal('vapid' in (described as object), false)
    const before = world.service.received.length
    const sessions = `/api/domains/${phone.domainId}/sessions`
    const created = await off.call('POST', sessions, { key: server.acme.apiKey, body: { user: { id: phone.userId } } })
    assert.equal(created.body.state, 'pending')
    assert.equal(off.app.pushes.open, 0)
    await off.stop()
    assert.equal(world.service.received.length, before)
    world.clock.advance(minuteMs)
    await world.ask(phone)
    assert.deepEqual(await world.outcomes(1), { accepted: 1 })
  })
})
