import assert from 'node:assert/strict'
import { after, before, it } from 'node:test'
import { isPublic } from '../../src/delivery/addresses.ts'
import { onEveryEngine } from '../support/engines.ts'
import { newPhone, refusal } from '../support/phones.ts'
import { publicAddress } from '../support/push-service.ts'
import { type PushWorld, startPushWorld } from '../support/pushes.ts'
import { newSubscription, subscribe, TestSubscription, vapidOf } from '../support/subscriptions.ts'

const settings = { COUNTERSIGN_PUSH_HOSTS: 'push.example.org,.push.example.org' }
const host = 'fcm.googleapis.com'

const allowed = [
  `https://${host}/fcm/send/x`,
  `https://${host}:443/x`,
  'https://web.push.apple.com/QAbc',
  'https://jmt17.google.com/fcm/send/x',
  'https://updates.push.services.mozilla.com/wpush/v2/x',
  'https://wns2-by3p.notify.windows.com/w/?token=x%2b',
  'https://push.example.org/x',
  'https://eu.push.example.org/x',
]
const refused = [
  `http://${host}/x`,
  'https://127.0.0.1/x',
  'https://[::1]/x',
  'https://169.254.169.254/latest/meta-data',
  'https://10.1.2.3/x',
  'https://0x7f000001/x',
  'https://localhost/x',
  `https://${host}.evil.com/x`,
  `https://evil-${host}/x`,
  `https://user@${host}/x`,
  `https://user:password@${host}/x`,
  `https://${host}@evil.com/x`,
  `https://evil.com\\@${host}/x`,
  `https://${host}:8443/x`,
  `https://${host}:80/x`,
  `https://${host}./x`,
  'https://notify.windows.com/x',
  'https://.notify.windows.com/x',
  'https://evilnotify.windows.com/x',
  'https://example.org/x',
  `//${host}/x`,
  'ftp://fcm.googleapis.com/x',
  'https://',
  '',
]
const hidden = [
  ...['0.0.0.0', '10.1.2.3', '100.64.0.1', '127.0.0.1', '169.254.169.254', '172.16.0.1', '192.168.1.1', '192.0.2.1'],
  ...['192.0.0.8', '198.18.0.1', '198.51.100.1', '203.0.113.1', '224.0.0.1', '240.0.0.1', '255.255.255.255'],
  ...[
    '::',
    '::1',
    '::ffff:127.0.0.1',
    '::ffff:8.8.8.8',
    '::127.0.0.1',
    'fe80::1',
    'fe80::1%eth0',
    'fc00::1',
    'fd12::1',
  ],
  ...['fec0::1', 'ff02::1', '64:ff9b::7f00:1', '64:ff9b:1::1', '2002:7f00:1::', '2001::1', '2001:db8::1', '100::1'],
  ...['3fff::1', '5f00::1', '4000::1', 'localhost', ''],
]

it('T29: an address is public, or of this machine, its networks, or a way to them', () => {
  for (const address of hidden) assert.equal(isPublic(address), false, address)
  for (const address of ['8.8.8.8', '142.250.1.95', '2a00:1450:4001:80b::200a', '2606:4700::1'])
    assert.equal(isPublic(address), true, address)
})

onEveryEngine((engine) => {
  let world: PushWorld
  before(async () => {
    world = await startPushWorld(engine, { settings })
  })
  after(() => world.stop())

  it('T29: only push services are stored, by /push as by an activation', async () => {
    const { server } = world
    const vapid = await vapidOf(server)
    const { device } = await newPhone(server)
    for (const endpoint of allowed) {
      const reply = await subscribe(server, device, new TestSubscription({ endpoint }).asMessage(vapid))
      assert.equal(reply.body.push, 'ok', endpoint)
    }
    for (const endpoint of refused) {
      server.clock.advance(2_000)
      const reply = await subscribe(server, device, new TestSubscription({ endpoint }).asMessage(vapid))
      assert.deepEqual(refusal(reply), { status: 400, code: 'malformed' }, endpoint)
    }
    const polled = await device.poll()
    assert.equal(polled.ok && polled.push, 'ok', 'the last good one stays')
  })

  it('T29: a name that leads into the network, or there as well, is not connected to', async () => {
    const { service } = world
    for (const addresses of [
      ['127.0.0.1'],
      ['169.254.169.254'],
      ['::ffff:10.1.2.3'],
      [publicAddress, '10.1.2.3'],
      [],
    ]) {
      const phone = await newPhone(world.server)
      await newSubscription(world.server, phone.device)
      const before = service.dialled.length
      service.addressesOf = () => addresses
      await world.ask(phone)
      assert.deepEqual(await world.outcomes(1), { blocked: 1 }, addresses.join())
      assert.equal(service.dialled.length, before)
    }
    service.addressesOf = () => [publicAddress]
  })

  it('T29: what was looked up and checked is what is connected to, however the name is rebound', async () => {
    const { service } = world
    const phone = await newPhone(world.server)
    await newSubscription(world.server, phone.device)
    const [resolved, dialled] = [service.resolved.length, service.dialled.length]
    let times = 0
    service.addressesOf = () => (times++ === 0 ? [publicAddress, '2606:4700::1'] : ['127.0.0.1'])
    await world.ask(phone)
    assert.deepEqual(await world.outcomes(1), { accepted: 1 })
    assert.deepEqual(service.resolved.slice(resolved), [host])
    assert.deepEqual(service.dialled.slice(dialled), [{ host, addresses: [publicAddress, '2606:4700::1'] }])
    service.addressesOf = () => [publicAddress]
  })

  it('T29: a server without the host’s certificate gets nothing', async () => {
    const { service } = world
    const phone = await newPhone(world.server)
    await newSubscription(world.server, phone.device, 'https://a.b.push.example.org/x')
    const before = service.received.length
    await world.ask(phone)
    for (const pause of [1_000, 4_000]) {
      await world.clock.untilWaiting(pause)
      world.clock.advance(pause)
    }
    assert.deepEqual(await world.outcomes(1), { unreachable: 1 })
    assert.equal(service.received.length, before)
  })

  it('refuses keys that are none: off the curve, of another length, in another spelling', async () => {
    const { server } = world
    const vapid = await vapidOf(server)
    const { device } = await newPhone(server)
    const good = new TestSubscription().asMessage(vapid)
    const offCurve = Buffer.from(good.p256dh, 'base64url')
    offCurve[64] = (offCurve[64] ?? 0) ^ 1
    const compressed = `A${good.p256dh.slice(1, 44)}`
    const wrong = [
      { p256dh: offCurve.toString('base64url') },
      { p256dh: compressed },
      { p256dh: `${good.p256dh}=` },
      { p256dh: '' },
      { auth: Buffer.alloc(15).toString('base64url') },
      { auth: Buffer.alloc(17).toString('base64url') },
      { auth: `${good.auth}==` },
    ]
    for (const lie of wrong) {
      const reply = await subscribe(server, device, { ...good, ...lie })
      assert.deepEqual(refusal(reply), { status: 400, code: 'malformed' }, JSON.stringify(lie))
    }
    const polled = await device.poll()
    assert.equal(polled.ok && polled.push, 'none')
  })

  it('a subscription under a key that this server never had is not kept, and the answer says so', async () => {
    const { device } = await newPhone(world.server)
    const foreign = new TestSubscription().asMessage('').p256dh
    const reply = await subscribe(world.server, device, new TestSubscription().asMessage(foreign))
    assert.equal(reply.body.push, 'none', reply.text)
  })
})
