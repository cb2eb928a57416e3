// What the authenticator sends is what the vectors say: the header to the byte, the payload to the member.
import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { importPublicKey, parseMessage, verifySignature } from '@countersign/protocol/jws.ts'
import {
  deviceOf,
  type MessageVector,
  messages,
  otherTid,
  payloadOf,
  policy,
  run,
  storedToken,
  synced,
  tid,
  world,
} from './support.ts'

const [pinSession, plainSession] = world.sessions
const answers = messages('answer')

suite('messages', () => {
  test('sync', async () => {
    const { authenticator, received } = deviceOf([synced()], { jti: 0x10 })
    await authenticator.sync({ waitSeconds: 25 })
    const { tokens, ...rest } = JSON.parse(received[0]?.body ?? '')
    assert.deepEqual(rest, { wait: 25, have: [] })
    await assertSent(tokens[0], vectorNamed(messages('sync'), 'sync'))
  })

  test('approve with PIN and number', async () => {
    const { authenticator, received } = deviceOf([synced(pin()), { body: { state: 'approved' } }], { jti: 0x54 })
    const [request] = (await authenticator.sync()).requests
    assert.ok(request)
    const answered = await authenticator.approve(request, { pin: '482913', number: '071 342' })
    assert.deepEqual(answered, { sid: request.sid, state: 'approved' })
    await assertSent(received[1]?.body, vectorNamed(answers, 'approve'))
    assert.equal(received[1]?.url.href, `${world.aud}/device/v1/answer`)
    assert.equal(received[1]?.headers.get('content-type'), 'application/jose')
  })

  test('approve where neither PIN nor number is asked', async () => {
    const { pin: _, ...plain } = storedToken({ tid: otherTid, key: { form: 'json', ...world.keys.other } })
    const replies = [synced(plainOnly(), { kid: otherTid }), { body: { state: 'approved' } }]
    const { authenticator, received } = deviceOf(replies, { tokens: [plain], jti: 0x23 })
    const [request] = (await authenticator.sync()).requests
    assert.ok(request)
    await authenticator.approve(request)
    await assertSent(received[1]?.body, vectorNamed(answers, 'approve without unlock and number'))
  })

  for (const [why, jti, name] of [
    ['mistake', 0x21, 'deny: by mistake'],
    ['not_me', 0x22, 'deny: not me'],
    ['other', 0x23, 'deny: other'],
  ] as const) {
    test(name, async () => {
      const { authenticator, received } = deviceOf([synced(pin()), { body: { state: 'denied' } }], { jti: jti - 1 })
      const [request] = (await authenticator.sync()).requests
      assert.ok(request)
      assert.equal((await authenticator.deny(request, why)).state, 'denied')
      await assertSent(received[1]?.body, vectorNamed(answers, name))
    })
  }

  test('a changed PIN, proven under the old one', async () => {
    const { authenticator, received, store } = deviceOf([{ body: { factor: 'ok' } }], { jti: 0x40 })
    await authenticator.changeFactor(tid, { oldPin: '482913', pin: '739104' })
    await assertSent(received[0]?.body, vectorNamed(messages('factor'), 'change'))
    assert.deepEqual(store.tokens.get(tid)?.pin, storedToken().pin)
  })

  test('a rotation, proven by the new key and under the PIN', async () => {
    const nextKey = { key: { form: 'json', ...world.keys.next }, iat: world.now - 60 } as const
    const unknown = { body: { time: world.now, results: [{ kid: tid, ok: false, code: 'bad_signature' }] } }
    const replies = [unknown, synced(), { body: {} }]
    const { authenticator, received, store } = deviceOf(replies, { tokens: [storedToken({ nextKey })], jti: 0x4e })
    await authenticator.rotateKey(tid, { pin: '482913' })
    const { proof, ...rest } = payloadOf(received[2]?.body ?? '')
    const { proof: expectedProof, ...expected } = vectorNamed(messages('rotate'), 'rotate').payload
    assert.deepEqual(rest, expected)
    assert.deepEqual(payloadOf(String(proof)), payloadOf(String(expectedProof)))
    await assertSignedBy(String(proof), 'dp1-newkey+jws', world.keys.next.jwk)
    assert.deepEqual(store.tokens.get(tid)?.key, nextKey.key)
    assert.equal(store.tokens.get(tid)?.nextKey, undefined)
  })

  test('a push subscription, stored and erased', async () => {
    const [subscribe, unsubscribe] = messages('push')
    const { authenticator, received } = deviceOf([{ body: {} }, { body: {} }], { jti: 0x30 })
    await authenticator.updatePush(tid, subscribe?.payload.push as never)
    await authenticator.updatePush(tid, null)
    await assertSent(received[0]?.body, subscribe)
    await assertSent(received[1]?.body, unsubscribe)
  })

  test('removal', async () => {
    const { authenticator, received, store } = deviceOf([{ body: {} }], { jti: 0x60 })
    await authenticator.remove(tid)
    await assertSent(received[0]?.body, vectorNamed(messages('remove'), 'remove'))
    assert.equal(store.tokens.size, 0)
  })

  test('activation: the members, signed by the key inside, kid the aid', async () => {
    const { aid, nonce, expires } = world.activation
    const newTid = world.activation.tid
    const begun = {
      ...{ aid, nonce, expires, tid: newTid, time: world.now, server: { name: 'Example MFA' }, user: 'jane.doe' },
      ...{ domain: { id: '4'.repeat(40), name: 'Office VPN' }, policy },
    }
    const server = { name: 'Example MFA', versions: [1], origin: world.aud, time: world.now }
    const replies = [{ body: server }, { body: begun }, { body: { state: 'active', tid: newTid } }]
    const { authenticator, received, store } = deviceOf(replies, { tokens: [] })
    const pending = await authenticator.begin('D2MEJ-AB9N7', { username: 'jane.doe' })
    const device = { name: 'Jane\u2019s phone', platform: 'ios', app: 'pwa/1.0.0', persisted: true }
    await authenticator.finish(pending, { unlock: { pin: '482913' }, device })
    assert.deepEqual(JSON.parse(received[1]?.body ?? ''), { v: 1, code: 'd2mejab9n7', username: 'jane.doe' })
    const vector = vectorNamed(messages('activate'), 'with a PIN')
    const payload = payloadOf(received[2]?.body ?? '')
    assert.deepEqual(Object.keys(payload).sort(), Object.keys(vector.payload).sort())
    const { key, factor, jti: _, ...rest } = payload
    const { key: _key, factor: _factor, jti: _jti, ...expected } = vector.payload
    assert.deepEqual(rest, expected)
    assert.deepEqual({ ...(factor as object), k: '' }, { m: 'pin', k: '', kind: 'pin', len: 6 })
    await assertSignedBy(received[2]?.body ?? '', 'dp1-activate+jws', key)
    assert.equal(parseMessage(received[2]?.body ?? '', 'dp1-activate+jws')?.kid, aid)
    assert.equal(store.tokens.get(newTid)?.state, 'active')
  })
})

test('the jtis of these tests are those of the vectors', () => {
  assert.equal(vectorNamed(answers, 'approve').payload.jti, Buffer.from(run(0x55, 16)).toString('base64url'))
})

function pin() {
  return pinSession ? [pinSession] : []
}

function plainOnly() {
  return plainSession ? [plainSession] : []
}

function vectorNamed(cases: MessageVector[], name: string): MessageVector {
  const vector = cases.find((candidate) => candidate.name === name)
  if (!vector) throw new Error(`no vector "${name}"`)
  return vector
}

async function assertSent(jws: string | undefined, vector: MessageVector | undefined): Promise<void> {
  assert.deepEqual(payloadOf(jws ?? ''), vector?.payload)
  assert.equal(jws?.split('.')[0], vector?.jws.split('.')[0])
  await assertSignedBy(jws ?? '', `dp1-${vector?.payload.op}+jws`, world.keys[vector?.key ?? 'device'].jwk)
}

async function assertSignedBy(jws: string, typ: string, jwk: unknown): Promise<void> {
  const [message, key] = [parseMessage(jws, typ), await importPublicKey(jwk)]
  assert.ok(message && key && (await verifySignature(message, key)))
}
