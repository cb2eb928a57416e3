import assert from 'node:assert/strict'
import { after, before, it } from 'node:test'
import { toBase64url } from '@countersign/protocol/base64url.ts'
import { messageType } from '@countersign/protocol/device-messages.ts'
import { signMessage, thumbprint } from '@countersign/protocol/jws.ts'
import { newJti, newKeys, publicJwk, TestDevice } from '../support/device.ts'
import { onEveryEngine } from '../support/engines.ts'
import { newDomain, newUser, refusal } from '../support/phones.ts'
import { type Reply, startTestServer, type TestServer } from '../support/server.ts'
import { sql } from '../support/sql.ts'

const failed = { status: 400, code: 'activation_failed' }
const malformed = { status: 400, code: 'malformed' }
const required = { status: 403, code: 'factor_required' }
const events = ['token.activated', 'token.activation_begun', 'token.created']
const other16 = toBase64url(new Uint8Array(16))
const other32 = toBase64url(new Uint8Array(32))

onEveryEngine((engine) => {
  let server: TestServer
  before(async () => {
    server = await startTestServer(engine)
  })
  after(() => server.stop())

  it('makes the token active, with the key that signed', async () => {
    const { device, begun, token } = await prepared()
    const reply = await finish(device, begun)
    assert.equal(reply.status, 200)
    assert.equal(reply.text, `{"state":"active","tid":"${device.tid}","time":${server.clock.now() / 1000}}`)
    assert.equal((await server.call('GET', token)).text, '{"state":"active"}')
    const row = await tokenRow(device.tid)
    assert.equal(row.thumbprint, await thumbprint(await publicJwk(device.keys)))
    assert.equal(row.origin, server.deviceUrl)
    assert.equal(row.device_name, 'Test phone')
    assert.deepEqual(await auditOf(device.tid), events)
  })

  it('T03 A24: a code is used once: whoever begins with it again, or opens its link again, gets nothing', async () => {
    const { device, begun, code, username, token, secret } = await prepared()
    const late = await server.device('activation/begin', { v: 1, code, username })
    assert.equal((await finish(device, begun)).status, 200)
    for (const proof of [{ username }, { secret }]) {
      assert.deepEqual(refusal(await server.device('activation/begin', { v: 1, code, ...proof })), failed)
    }
    const thief = await TestDevice.prepare(server, device.tid, { username, pin: false })
    assert.deepEqual(refusal(await finish(thief, late.body)), failed)
    assert.equal((await server.call('GET', token)).text, '{"state":"active"}')
    const row = await tokenRow(device.tid)
    assert.equal(row.thumbprint, await thumbprint(await publicJwk(device.keys)))
    for (const column of ['code_index', 'code_cipher', 'secret_index', 'secret_cipher']) assert.equal(row[column], null)
  })

  it('A24: a code that was annulled or replaced begins and finishes nothing', async () => {
    const { device, begun, code, username, token, secret } = await prepared()
    await server.call('DELETE', token)
    assert.deepEqual(refusal(await finish(device, begun)), failed)
    const { body: next } = await server.call('PUT', token)
    assert.notEqual(next.code, code)
    for (const proof of [{ username }, { secret }]) {
      assert.deepEqual(refusal(await server.device('activation/begin', { v: 1, code, ...proof })), failed)
    }
    assert.deepEqual(refusal(await finish(device, begun)), failed)
    assert.equal((await server.call('GET', token)).body.state, 'pending')
  })

  it('A24: an activation is for its own token only', async () => {
    const one = await prepared()
    const two = await prepared()
    const crossed = { aid: two.begun.aid, nonce: two.begun.nonce, tid: one.begun.tid }
    assert.deepEqual(refusal(await finish(one.device, crossed)), failed)
    assert.deepEqual(refusal(await finish(two.device, { ...crossed, aid: one.begun.aid })), failed)
    assert.equal((await tokenRow(one.device.tid)).state, 'pending')
    assert.equal((await tokenRow(two.device.tid)).state, 'pending')
  })

  it('T04: a code is over with its time, and then there is no trace of it', async () => {
    const { device, begun, code, username, token } = await prepared()
    server.clock.advance(7 * 86_400_000)
    try {
      const begin = () => server.device('activation/begin', { v: 1, code, username })
      assert.deepEqual(refusal(await begin()), failed)
      server.clock.advance(-1)
      const last = await begin()
      assert.equal(last.status, 200)
      server.clock.advance(1_001)
      assert.deepEqual(refusal(await begin()), failed)
      for (const open of [begun, last.body]) assert.deepEqual(refusal(await finish(device, open)), failed)
      assert.equal((await server.call('GET', token)).status, 404)
      const { state, code_index, code_cipher, secret_index, secret_cipher } = await tokenRow(device.tid)
      assert.deepEqual({ state, code_index, code_cipher, secret_index, secret_cipher }, gone)
      assert.deepEqual(await sql(server.database, 'select * from activations where tid = ?', device.tid), [])
    } finally {
      server.clock.advance(-7 * 86_400_000 - 1_000)
    }
  })

  it('T05: of twenty phones that finish at once exactly one becomes the token', async () => {
    const { begun, code, username } = await prepared()
    const others = await Promise.all(
      Array.from({ length: 3 }, () => server.device('activation/begin', { v: 1, code, username })),
    )
    const activations = [begun, ...others.map(({ body }) => body)]
    const phones = await Promise.all(
      Array.from({ length: 20 }, () => TestDevice.prepare(server, begun.tid, { username, pin: false })),
    )
    const replies = await Promise.all(phones.map((phone, index) => finish(phone, activations[index % 4])))
    const winners = replies.flatMap((reply, index) => (reply.status === 200 ? [index] : []))
    assert.equal(winners.length, 1)
    for (const reply of replies) if (reply.status !== 200) assert.deepEqual(refusal(reply), failed)
    for (const [index, phone] of phones.entries()) {
      const polled = await phone.poll()
      assert.equal(polled.ok, index === winners[0], JSON.stringify(polled))
    }
  })

  it('refuses an activation that is not exactly the one begun', async () => {
    const { device, begun } = await prepared()
    const lies: [lie: object, refusal: object][] = [
      [{ nonce: other32 }, failed],
      [{ aid: other16 }, malformed],
      [{ tid: 'f'.repeat(40) }, failed],
      [{ iat: server.clock.now() / 1000 - 301 }, { status: 401, code: 'clock_skew', time: server.clock.now() / 1000 }],
      [{ aud: 'https://mfa.example.com' }, malformed],
      [{ v: 2 }, { status: 400, code: 'unsupported_version', versions: [1] }],
      [{ op: 'rotate' }, malformed],
      [{ more: 1 }, malformed],
      [{ device: { name: 'x'.repeat(129), platform: '', app: '', persisted: true } }, malformed],
      [{ push: { endpoint: 'https://fcm.googleapis.com/x' } }, malformed],
      [{ push: undefined }, malformed],
      [{ key: { ...(await publicJwk(await newKeys())) } }, { status: 401, code: 'bad_signature' }],
    ]
    for (const [lie, expected] of lies) {
      const reply = await server.device('activation/finish', await device.finishMessage(begun, { ...lie }))
      assert.deepEqual(refusal(reply), expected, JSON.stringify(lie))
    }
    const unknown = await device.finishMessage({ ...begun, aid: other16 })
    assert.deepEqual(refusal(await server.device('activation/finish', unknown)), failed)
    assert.equal((await finish(device, begun)).status, 200, 'none of them consumed the code')
  })

  it('accepts only the factor that the domain asks for, and refusing one consumes nothing', async () => {
    const k = toBase64url(new Uint8Array(32).fill(7))
    const none = { m: 'none' }
    const pin = { m: 'pin', k, kind: 'pin', len: 4 }
    const passcode = { m: 'pin', k, kind: 'passcode', len: 8 }
    const webauthn = { m: 'webauthn', reg: {} }
    const table: [keyType: string, refused: object[], accepted: object][] = [
      ['ONE_STEP', [pin, passcode, webauthn], none],
      ['PIN', [none, webauthn, { ...pin, len: 3 }], pin],
      ['PIN', [none], passcode],
      ['PASSCODE', [none, webauthn, pin, { ...pin, len: 8 }, { ...passcode, len: 7 }], passcode],
    ]
    for (const [keyType, refused, accepted] of table) {
      const { device, begun } = await prepared(await newDomain(server, { keyType }))
      for (const factor of refused) {
        assert.deepEqual(
          refusal(await finish(device, begun, { factor })),
          required,
          `${keyType} ${JSON.stringify(factor)}`,
        )
      }
      assert.equal((await tokenRow(device.tid)).state, 'pending')
      assert.equal((await finish(device, begun, { factor: accepted })).status, 200, keyType)
    }
  })

  it('a factor that is not one is malformed', async () => {
    const { device, begun } = await prepared(server.acme.pinDomainId)
    const k = toBase64url(new Uint8Array(32))
    const factors = [
      {},
      null,
      { m: 'pin' },
      { m: 'pin', k: toBase64url(new Uint8Array(31)), kind: 'pin', len: 6 },
      { m: 'pin', k: `${k}=`, kind: 'pin', len: 6 },
      { m: 'pin', k, kind: 'word', len: 6 },
      { m: 'pin', k, kind: 'pin', len: '6' },
      { m: 'pin', k, kind: 'pin', len: 0 },
      { m: 'pin', k, kind: 'pin', len: 6.5 },
      { m: 'none', k },
      { m: 'other' },
    ]
    for (const factor of factors) {
      assert.deepEqual(refusal(await finish(device, begun, { factor })), malformed, JSON.stringify(factor))
    }
  })

  it('takes what a device calls itself, up to 128 characters of any script, and no U+0000', async () => {
    const { device, begun } = await prepared()
    const described = (name: string) => ({ device: { name, platform: 'ios', app: 'pwa/1.0.0', persisted: false } })
    for (const name of ['a\u0000b', '\u0000', '🔑'.repeat(129)]) {
      assert.deepEqual(refusal(await finish(device, begun, described(name))), malformed, JSON.stringify(name))
    }
    const name = '🔑'.repeat(128)
    assert.equal((await finish(device, begun, described(name))).status, 200)
    assert.equal((await tokenRow(device.tid)).device_name, name)
  })

  it('the identical message gets the same answer again: a lost response strands nobody', async () => {
    const { device, begun } = await prepared()
    const message = await device.finishMessage(begun)
    const first = await server.device('activation/finish', message)
    server.clock.advance(299_000)
    for (let again = 0; again < 2; again++) {
      const repeated = await server.device('activation/finish', message)
      assert.equal(repeated.status, 200)
      assert.equal(repeated.text, first.text)
    }
    assert.deepEqual(await auditOf(device.tid), events)
  })

  it('the identical message gets its answer also when the phone finds the network ten minutes later', async () => {
    const { device, begun } = await prepared()
    const message = await device.finishMessage(begun)
    const { text } = await server.device('activation/finish', message)
    server.clock.advance(599_000)
    assert.equal((await server.device('activation/finish', message)).text, text)
    const other = await prepared()
    const late = await other.device.finishMessage(other.begun)
    server.clock.advance(302_000)
    assert.equal(refusal(await server.device('activation/finish', late)).code, 'clock_skew')
  })

  it('another message with the same jti is a replay, another jti comes too late', async () => {
    const { device, begun } = await prepared()
    const jti = newJti()
    assert.equal((await finish(device, begun, { jti })).status, 200)
    assert.deepEqual(refusal(await finish(device, begun, { jti, push: null, iat: server.clock.now() / 1000 - 1 })), {
      status: 401,
      code: 'replayed',
    })
    assert.deepEqual(refusal(await finish(device, begun)), failed)
  })

  it('a message that its own key did not sign, or under another kid, activates nothing', async () => {
    const { device, begun } = await prepared()
    const thief = await newKeys()
    const payload = JSON.parse(
      Buffer.from((await device.finishMessage(begun)).split('.')[1] ?? '', 'base64url').toString(),
    )
    const sign = (key: CryptoKey, kid: string) => signMessage(key, messageType('activate'), kid, payload)
    const messages: [string, object][] = [
      [await sign(thief.privateKey, begun.aid), { status: 401, code: 'bad_signature' }],
      [await sign(device.keys.privateKey, other16), malformed],
      [await sign(device.keys.privateKey, begun.tid), malformed],
      [await signMessage(device.keys.privateKey, messageType('rotate'), begun.aid, payload), malformed],
    ]
    for (const [message, expected] of messages) {
      assert.deepEqual(refusal(await server.device('activation/finish', message)), expected)
    }
    assert.equal((await tokenRow(device.tid)).state, 'pending')
  })

  const gone = { state: 'expired', code_index: null, code_cipher: null, secret_index: null, secret_cipher: null }

  /** A phone of a new user whose activation has begun. */
  async function prepared(domainId = server.acme.domainId) {
    const { userId, username } = await newUser(server)
    await server.call('PUT', `/api/domains/${domainId}/users/${userId}`)
    const token = `/api/domains/${domainId}/users/${userId}/token`
    const { body } = await server.call('PUT', token, { headers: { accept: 'application/vnd.countersign.v1+json' } })
    const secret = new URLSearchParams(new URL(body.link).hash.slice(1)).get('s') ?? ''
    const { body: begun } = await server.device('activation/begin', { v: 1, code: body.code, username })
    const device = await TestDevice.prepare(server, begun.tid, { username, pin: false })
    return { device, begun, username, token, secret, code: String(body.code) }
  }

  async function finish(
    device: TestDevice,
    begun: { aid: string; nonce: string; tid: string },
    lies: Record<string, unknown> = {},
  ): Promise<Reply> {
    return server.device('activation/finish', await device.finishMessage(begun, lies))
  }

  async function tokenRow(tid: string) {
    const [row] = await sql(server.database, 'select * from tokens where tid = ?', tid)
    assert.ok(row)
    return row
  }

  async function auditOf(tid: string) {
    const rows = await sql(server.database, 'select event from audit_events where tid = ?', tid)
    return rows.map(({ event }) => event).sort()
  }
})
