import assert from 'node:assert/strict'
import { createHmac } from 'node:crypto'
import { after, before, it } from 'node:test'
import { messageType } from '@countersign/protocol/device-messages.ts'
import { newKeys, publicJwk } from '../support/device.ts'
import { onEveryEngine } from '../support/engines.ts'
import { forge } from '../support/forge.ts'
import { newPhone, refusal } from '../support/phones.ts'
import { type Reply, startTestServer, type TestServer } from '../support/server.ts'
import { Wire } from '../support/wire.ts'

const malformed = { status: 400, code: 'malformed' }

onEveryEngine((engine) => {
  let server: TestServer
  before(async () => {
    server = await startTestServer(engine, { settings: { COUNTERSIGN_TRUSTED_PROXIES: '127.0.0.1' } })
  })
  after(() => server.stop())

  it('T12 T13: every signed operation takes its own algorithm, type and key only', async () => {
    const phone = await newPhone(server)
    const { privateKey } = phone.device.keys
    const jwk = await publicJwk(phone.device.keys)
    const hmac = (input: string, key: string) => createHmac('sha256', key).update(input).digest('base64url')
    for (const op of ['answer', 'push', 'factor', 'rotate', 'remove'] as const) {
      const right = { alg: 'ES256', typ: messageType(op), kid: phone.device.tid }
      const payload = phone.device.common(op)
      const headers = [
        { ...right, alg: 'none' },
        { ...right, alg: 'es256' },
        { ...right, alg: 'HS256' },
        { ...right, typ: messageType('sync') },
        { ...right, typ: 'JWT' },
        { ...right, jwk },
        { ...right, jku: `http://127.0.0.1:1/keys` },
        { ...right, crit: ['b64'], b64: false },
        { alg: 'ES256', typ: right.typ },
        { ...right, kid: `' or '1'='1` },
        { ...right, kid: phone.device.tid.toUpperCase() },
      ]
      for (const header of headers) {
        const reply = await send(op, await forge(privateKey, header, payload))
        assert.deepEqual(refusal(reply), malformed, `${op} ${JSON.stringify(header)}`)
      }
      const input = (await forge(privateKey, { ...right, alg: 'HS256' }, payload)).replace(/\.[^.]*$/, '')
      assert.deepEqual(refusal(await send(op, `${input}.${hmac(input, JSON.stringify(jwk))}`)), malformed)
      const thief = await newKeys()
      const stolen = await send(op, await forge(thief.privateKey, right, payload))
      assert.deepEqual(refusal(stolen), { status: 401, code: 'bad_signature' })
    }
  })

  it('T13: an unknown, a pending and an expired token refuse alike; a revoked one says so without looking at the signature', async () => {
    const phone = await newPhone(server)
    const { device } = phone
    const signed = (kid: string) =>
      forge(device.keys.privateKey, { alg: 'ES256', typ: messageType('remove'), kid }, device.common('remove'))
    const pending = await server.call('PUT', `/api/domains/${server.acme.domainId}/users/${server.acme.alice}/token`)
    const begun = await server.device('activation/begin', { v: 1, code: pending.body.code, username: 'alice' })
    const unknown = await send('remove', await signed('e'.repeat(40)))
    assert.deepEqual(refusal(unknown), { status: 401, code: 'bad_signature' })
    assert.equal((await send('remove', await signed(begun.body.tid))).text, unknown.text)
    server.clock.advance(8 * 86_400_000)
    assert.equal(
      (await server.call('GET', `/api/domains/${server.acme.domainId}/users/${server.acme.alice}/token`)).status,
      404,
    )
    assert.equal((await send('remove', await signed(begun.body.tid))).text, unknown.text)
    await server.call('DELETE', phone.token)
    const broken = (await signed(device.tid)).replace(/[^.]*$/, Buffer.alloc(64).toString('base64url'))
    assert.deepEqual(refusal(await send('remove', broken)), { status: 410, code: 'token_revoked' })
  })

  it('T26: a phone whose clock is wrong is told the time, signs again with it and is heard; its answers need no clock', async () => {
    const phone = await newPhone(server)
    const request = await phone.ask()
    const time = server.clock.now() / 1000
    for (const skew of [1_200, -1_200, 301, -301]) {
      const told = { kid: phone.device.tid, ok: false, code: 'clock_skew', time }
      assert.deepEqual(await phone.device.poll({ lies: { iat: time + skew } }), told)
      const push = await phone.device.sign('push', { ...phone.device.common('push'), push: null, iat: time + skew })
      assert.deepEqual(refusal(await send('push', push)), { status: 401, code: 'clock_skew', time })
    }
    for (const skew of [300, -300]) assert.ok((await phone.device.poll({ lies: { iat: time + skew } })).ok)
    assert.equal((await phone.device.approve(request, { iat: time + 1_200 })).status, 200)
  })

  it('a message used before is a replay: for a sync always, for a change when it says something else', async () => {
    const { device } = await newPhone(server)
    const sync = await device.sign('sync', device.common('sync'))
    assert.ok((await server.device('sync', { wait: 0, tokens: [sync] })).body.results[0].ok)
    server.clock.advance(599_000)
    const iat = Math.floor(server.clock.now() / 1000)
    const again = await device.sign('sync', { ...JSON.parse(payloadOf(sync)), iat })
    assert.equal((await server.device('sync', { wait: 0, tokens: [again] })).body.results[0].code, 'replayed')
    server.clock.advance(61_000)
    const later = await device.sign('sync', { ...JSON.parse(payloadOf(sync)), iat: iat + 61 })
    assert.ok((await server.device('sync', { wait: 0, tokens: [later] })).body.results[0].ok)
    const common = device.common('push')
    assert.equal((await send('push', await device.sign('push', { ...common, push: null }))).status, 200)
    const other = await device.sign('remove', { ...common, op: 'remove' })
    assert.deepEqual(refusal(await send('remove', other)), { status: 401, code: 'replayed' })
    assert.ok((await device.poll()).ok)
  })

  it('members that an operation does not know, lacks or has with another type are malformed', async () => {
    const { device } = await newPhone(server)
    const wrong = [
      { more: 1 },
      { jti: undefined },
      { jti: 'AAAA' },
      { iat: '1' },
      { iat: -1 },
      { v: '1' },
      { v: 1.5 },
      { tid: 1 },
    ]
    for (const op of ['sync', 'push', 'factor', 'rotate', 'remove', 'answer'] as const) {
      for (const members of wrong) {
        const message = await device.sign(op, { ...device.common(op), ...members })
        const reply = await send(op, op === 'sync' ? JSON.stringify({ wait: 0, tokens: [message] }) : message)
        const code = op === 'sync' ? reply.body.results[0].code : refusal(reply).code
        assert.equal(code, 'malformed', `${op} ${JSON.stringify(members)}`)
      }
    }
    assert.ok((await device.poll()).ok)
  })

  it('T14: a body of 256 KiB is refused after 16 KiB of it', async () => {
    for (const path of ['answer', 'sync', 'activation/begin', 'activation/finish']) {
      const wire = await Wire.open(server.deviceUrl.replace('localhost', '127.0.0.1'))
      wire.send(`POST /device/v1/${path} HTTP/1.1\r\nhost: x\r\ncontent-length: 262144\r\n\r\n`, 'x'.repeat(16_385))
      const { status, body } = await wire.answer()
      assert.deepEqual([status, JSON.parse(body).errors[0].code], [413, 'too_large'], path)
      wire.close()
    }
    for (const size of [16_384, 16_385]) {
      const reply = await server.device('answer', 'x'.repeat(size))
      assert.equal(refusal(reply).code, size > 16_384 ? 'too_large' : 'malformed')
    }
  })

  it('T14: bodies that are no text, no JSON or too deep are malformed, and the server goes on', async () => {
    const bodies = [
      '\ufeff{"wait":0,"tokens":[""]}',
      '{',
      '['.repeat(10_000),
      `{"wait":${'['.repeat(5_000)}${']'.repeat(5_000)}}`,
    ]
    for (const body of bodies)
      assert.deepEqual(refusal(await server.device('sync', body)), malformed, body.slice(0, 20))
    const wire = await Wire.open(server.deviceUrl.replace('localhost', '127.0.0.1'))
    const notUtf8 = '{"wait":0,"tokens":["\xff\xfe"]}'
    wire.send(`POST /device/v1/sync HTTP/1.1\r\nhost: x\r\ncontent-length: ${notUtf8.length}\r\n\r\n`, notUtf8)
    assert.equal((await wire.answer()).status, 400)
    wire.close()
    assert.equal((await fetch(`${server.deviceUrl}/device/v1/server`)).status, 200)
  })

  let addresses = 0
  /** From an address of its own: none of these tests is about limits. */
  function send(path: string, message: string): Promise<Reply> {
    return server.device(path, message, { 'x-forwarded-for': `10.3.0.${++addresses % 250}` })
  }
})

function payloadOf(message: string): string {
  return Buffer.from(message.split('.')[1] ?? '', 'base64url').toString('utf8')
}
