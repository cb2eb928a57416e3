import assert from 'node:assert/strict'
import { after, before, it } from 'node:test'
import { importJWK, jwtVerify } from 'jose'
import { onEveryEngine } from '../support/engines.ts'
import { newDomain, newPhone, newUser, type Phone, phoneOf } from '../support/phones.ts'
import { type PushService, type ReceivedPush, startPushService } from '../support/push-service.ts'
import { startTestServer, type TestServer } from '../support/server.ts'
import { sql } from '../support/sql.ts'
import { newSubscription, TestSubscription, vapidOf } from '../support/subscriptions.ts'

const settings = { COUNTERSIGN_PUSH_CONTACT: 'mailto:mfa@example.org' }
const halfDaySeconds = 43_200

it('the example of RFC 8291, appendix A, decrypts: what reads the pushes below reads what browsers read', () => {
  const bytes = (text: string) => Buffer.from(text, 'base64url')
  const subscription = new TestSubscription({
    privateKey: bytes('q1dXpw3UpT5VOmu_cf_v6ih07Aems3njxI-JWgLcM94'),
    auth: bytes('BTBZMqHH6r4Tts7J_aSIgg'),
  })
  const message =
    'DGv6ra1nlYgDCS1FRnbzlwAAEABBBP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmYWAmS6TlzAC8wEqKK6PBru3jl7A_yl95bQpu6cVPTpK4Mqgkf1CXztLVBSt2Ks3oZwbuwXPXLWyouBWLVWGNWQexSgSxsj_Qulcy4a-fN'
  assert.equal(subscription.decrypt(bytes(message)), 'When I grow up, I want to be a watermelon')
})

onEveryEngine((engine) => {
  let service: PushService
  let server: TestServer
  before(async () => {
    service = await startPushService()
    server = await startTestServer(engine, { settings, network: service.network })
  })
  after(() => Promise.all([service.close(), server.stop()]))

  /** The application asks; what the phone's push service got of it. */
  async function pushOf(phone: Phone): Promise<ReceivedPush> {
    const before = service.received.length
    await phone.ask()
    await service.until(before + 1)
    return service.received.at(-1) ?? assert.fail()
  }

  it('a request is pushed to the endpoint of its token, encrypted for it and signed by this server', async () => {
    const phone = await newPhone(server)
    const subscription = await newSubscription(server, phone.device)
    const { method, host, path, headers, body } = await pushOf(phone)
    assert.deepEqual([method, `https://${host}${path}`], ['POST', subscription.endpoint])
    const clearText = subscription.decrypt(body)
    assert.equal(Buffer.byteLength(clearText), 512)
    assert.deepEqual(JSON.parse(clearText), {
      web_push: 8030,
      notification: {
        title: 'Sign-in request',
        body: 'Open to review',
        navigate: `${server.deviceUrl}/#/inbox`,
        lang: 'en',
        tag: 'dp1',
        silent: false,
      },
    })
    assert.deepEqual(
      [headers.ttl, headers.urgency, headers['content-encoding'], headers['content-length']],
      ['120', 'high', 'aes128gcm', String(body.length)],
    )
    assert.match(headers.topic ?? '', /^[\w-]{32}$/)
    const [, token = '', key] = /^vapid t=([\w.-]+), k=([\w-]+)$/.exec(headers.authorization ?? '') ?? []
    assert.equal(key, await vapidOf(server))
    const point = Buffer.from(key ?? '', 'base64url')
    const [x, y] = [point.subarray(1, 33), point.subarray(33)].map((half) => half.toString('base64url'))
    const jwk = await importJWK({ kty: 'EC', crv: 'P-256', x: x ?? '', y: y ?? '' }, 'ES256')
    const { payload } = await jwtVerify(token, jwk, { audience: `https://${host}`, algorithms: ['ES256'] })
    assert.equal(payload.sub, 'mailto:mfa@example.org')
    const left = (payload.exp ?? 0) - Date.now() / 1000
    assert.ok(left > 0 && left <= halfDaySeconds, String(left))
  })

  it('T28: a push service learns when, and neither who nor where nor what', async () => {
    const before = service.received.length
    const known: string[] = []
    for (let count = 0; count < 12; count++) {
      const name = `Vault № ${count} 金庫 ${'x'.repeat(count * 5)}`
      const requestTimeout = [30, 120, 600][count % 3] ?? 30
      const domainId = await newDomain(server, { name, requestTimeout })
      const { userId, username } = await newUser(server)
      const phone = await phoneOf(server, { userId, username, domainId })
      await newSubscription(server, phone.device)
      const attributes = [{ key: 'Ort', value: 'Zürich'.repeat(count + 1) }]
      const { sid, challenge } = await phone.ask({ ipAddress: `203.0.113.${count}`, attributes })
      const { device } = phone
      known.push(sid, challenge.nonce, device.tid, userId, username, domainId, name, `203.0.113.${count}`, 'Zürich')
    }
    await service.until(before + 12)
    const pushes = service.received.slice(before)
    assert.equal(new Set(pushes.map(({ body }) => body.length)).size, 1)
    const names = ['authorization', 'connection', 'content-encoding', 'content-length', 'content-type', 'host', 'topic']
    for (const { headers } of pushes) assert.deepEqual(Object.keys(headers).sort(), [...names, 'ttl', 'urgency'])
    assert.deepEqual([...new Set(pushes.map(({ headers }) => Number(headers.ttl)))].sort(), [120, 30, 600])
    const sent = pushes.map((push) => JSON.stringify(push) + push.body.toString('latin1')).join()
    for (const text of known) assert.ok(!sent.includes(text), text)
  })

  it('T28: the topic is a token’s own, and the same for each of its requests', async () => {
    const [phone, other] = [await newPhone(server), await newPhone(server)]
    for (const { device } of [phone, other]) await newSubscription(server, device)
    const topics = [await pushOf(phone), await pushOf(other)].map(({ headers }) => headers.topic)
    server.clock.advance(60_000)
    assert.equal((await pushOf(phone)).headers.topic, topics[0])
    assert.notEqual(topics[0], topics[1])
  })

  it('T28: who has a subscription and not the server’s key can sign no push, and neither stands in database or log', async () => {
    const phone = await newPhone(server)
    const subscription = await newSubscription(server, phone.device)
    const { headers } = await pushOf(phone)
    const { p256dh, auth, endpoint } = subscription.asMessage('')
    const [{ privateKey = '' } = {}] = server.app.secrets.vapidKeys()
    const hidden = [p256dh, auth, endpoint, new URL(endpoint).pathname, privateKey, headers.authorization ?? '']
    const rows = await sql(server.database, 'select * from tokens')
    const keys = await sql(server.database, 'select * from data_keys')
    const seen = JSON.stringify([rows, keys, server.logged])
    for (const text of hidden) assert.ok(text !== '' && !seen.includes(text), text)
  })
})
