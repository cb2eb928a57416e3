// What the authenticator does when answers are lost, clocks are wrong, keys are in doubt or the server says no.
import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { Authenticator, memoryStore, type SignInRequest, type StoredToken } from '@countersign/sdk/device.ts'
import {
  type Answer,
  deviceOf,
  payloadOf,
  policy,
  refusal,
  scriptedFetch,
  storedToken,
  synced,
  tid,
  world,
} from './support.ts'

const lost = new TypeError('fetch failed')
const device = { name: 'Phone', platform: 'test', app: 'test/1', persisted: true }
const nextKey = { key: { form: 'json', ...world.keys.next }, iat: world.now } as const
const unlock = 'none'

suite('a lost answer', () => {
  test('the identical answer is sent again, so it counts once', async () => {
    const { approve, received } = await withRequest([
      lost,
      refusal(503, 'unavailable'),
      { body: { state: 'approved' } },
    ])
    assert.equal((await approve()).state, 'approved')
    assert.equal(received.length, 4)
    assert.equal(new Set(received.slice(1).map(({ body }) => body)).size, 1)
  })

  test('when no answer comes at all the error says network, and the request still waits', async () => {
    const { approve, authenticator, received } = await withRequest([lost, lost, lost, synced()])
    await assert.rejects(approve(), { name: 'DeviceError', code: 'network', status: 0 })
    const { requests } = await authenticator.sync()
    assert.equal(requests.length, 1)
    assert.deepEqual(JSON.parse(received[4]?.body ?? '').have, [world.sessions[0]?.sid])
  })

  test('a finish is repeated identically, also by a second call with the same pending activation', async () => {
    const replies = [...begun(), lost, lost, lost, { body: { state: 'active', tid: world.activation.tid } }]
    const { authenticator, store, received } = deviceOf(replies, { tokens: [] })
    const pending = await authenticator.begin('d2mejab9n7', { secret: 'A'.repeat(22) })
    await assert.rejects(authenticator.finish(pending, { unlock, device }), { code: 'network' })
    assert.equal(store.tokens.get(pending.tid)?.state, 'activating', 'the keys are stored before the message is sent')
    assert.equal((await authenticator.finish(pending, { unlock, device })).state, 'active')
    assert.equal(new Set(received.slice(2).map(({ body }) => body)).size, 1)
  })

  test('after a crash during activation, sync finds out whether it happened', async () => {
    const activating = storedToken({ state: 'activating', expires: world.now + 600 } as Partial<StoredToken>)
    const { authenticator, store } = deviceOf([synced()], { tokens: [activating] })
    await authenticator.sync()
    assert.equal(store.tokens.get(tid)?.state, 'active')
  })

  test('an activation that never happened is forgotten when its time is over, not before', async () => {
    const activating = storedToken({ state: 'activating', expires: world.now + 600 } as Partial<StoredToken>)
    const unknown = [failed('bad_signature'), failed('bad_signature')]
    const { authenticator, store, now } = deviceOf(unknown, { tokens: [activating] })
    assert.deepEqual((await authenticator.sync()).failed, [{ tid, code: 'bad_signature' }])
    assert.equal(store.tokens.size, 1)
    now.seconds += 601
    await authenticator.sync()
    assert.equal(store.tokens.size, 0)
  })
})

suite('activation', () => {
  test('after a lost answer only a refusal for good erases the keys; after any other the same finish is sent again', async () => {
    const doubtful: [number, string][] = [
      [401, 'clock_skew'],
      [401, 'bad_signature'],
      [400, 'malformed'],
      [400, 'unsupported_version'],
      [500, 'internal'],
    ]
    for (const [status, code] of doubtful) {
      const active = { body: { state: 'active', tid: world.activation.tid } }
      const replies = [...begun(), lost, lost, lost, refusal(status, code), active]
      const { authenticator, store, received } = deviceOf(replies, { tokens: [] })
      const pending = await authenticator.begin('d2mejab9n7', { username: 'jane.doe' })
      await assert.rejects(authenticator.finish(pending, { unlock, device }), { code: 'network' })
      await assert.rejects(authenticator.finish(pending, { unlock, device }), { code })
      assert.equal(store.tokens.get(pending.tid)?.state, 'activating', code)
      assert.equal((await authenticator.finish(pending, { unlock, device })).state, 'active')
      assert.equal(new Set(received.slice(2).map(({ body }) => body)).size, 1, code)
    }
    const code = 'token_revoked'
    const { authenticator, store } = deviceOf([...begun(), lost, refusal(410, code)], { tokens: [] })
    const pending = await authenticator.begin('d2mejab9n7', { username: 'jane.doe' })
    await assert.rejects(authenticator.finish(pending, { unlock, device }), { code })
    assert.equal(store.tokens.size, 0)
  })

  test('a finish refused with activation_failed, when the answer to an earlier one was lost, leaves it to sync what became of it', async () => {
    const { tid: kid } = world.activation
    const settled = [
      { says: synced([], { kid }), afterwards: 'active' },
      { says: failed('token_revoked', { kid }), afterwards: undefined },
      { says: failed('bad_signature', { kid }), afterwards: undefined },
    ]
    for (const { says, afterwards } of settled) {
      const replies = [...begun(), lost, refusal(400, 'activation_failed'), failed('bad_signature', { kid }), says]
      const { authenticator, store, now } = deviceOf(replies, { tokens: [] })
      const pending = await authenticator.begin('d2mejab9n7', { username: 'jane.doe' })
      await assert.rejects(authenticator.finish(pending, { unlock, device }), { code: 'activation_failed' })
      const { key } = store.tokens.get(kid) ?? assert.fail()
      // A finish that is still under way could yet activate it.
      await authenticator.sync()
      assert.deepEqual(store.tokens.get(kid)?.key, key)
      now.seconds = pending.expires + 1
      await authenticator.sync()
      assert.equal(store.tokens.get(kid)?.state, afterwards)
      assert.deepEqual(store.tokens.get(kid)?.key, afterwards && key)
    }
  })

  test('a finish repeated after activation_failed is the same message, so that keys which may be live are not replaced', async () => {
    const replies = [...begun(), lost, refusal(400, 'activation_failed'), refusal(400, 'activation_failed')]
    const { authenticator, received } = deviceOf(replies, { tokens: [] })
    const pending = await authenticator.begin('d2mejab9n7', { username: 'jane.doe' })
    for (let times = 0; times < 2; times++)
      await assert.rejects(authenticator.finish(pending, { unlock, device }), { code: 'activation_failed' })
    assert.equal(new Set(received.slice(2).map(({ body }) => body)).size, 1)
  })

  test('a refused finish erases the keys, and the next try is a new message', async () => {
    const active = { body: { state: 'active', tid: world.activation.tid } }
    const replies = [...begun(), refusal(403, 'factor_required'), active]
    const { authenticator, store, received } = deviceOf(replies, { tokens: [] })
    const pending = await authenticator.begin('d2mejab9n7', { username: 'jane.doe' })
    await assert.rejects(authenticator.finish(pending, { unlock, device }), { code: 'factor_required', status: 403 })
    assert.equal(store.tokens.size, 0)
    await authenticator.finish(pending, { unlock, device })
    assert.notEqual(received[2]?.body, received[3]?.body)
  })

  test('a server with another origin is refused before the code is shown to it', async () => {
    const server = { name: 'x', versions: [1], origin: 'https://mfa.example.com', time: world.now }
    const { authenticator, received } = deviceOf([{ body: server }], { tokens: [] })
    await assert.rejects(authenticator.begin('d2mejab9n7', { username: 'jane' }), { code: 'origin_mismatch' })
    assert.equal(received.length, 1)
  })

  test('a server of another version is refused', async () => {
    const server = { name: 'x', versions: [2, 3], origin: world.aud, time: world.now }
    const { authenticator } = deviceOf([{ body: server }], { tokens: [] })
    await assert.rejects(authenticator.begin('d2mejab9n7', { username: 'jane' }), {
      code: 'unsupported_version',
      versions: [2, 3],
    })
  })

  test('what is no code is not sent, and the twenty-first token is refused', async () => {
    const { authenticator, received } = deviceOf([], { tokens: [] })
    await assert.rejects(authenticator.begin('nonsense', { username: 'jane' }), { code: 'activation_failed' })
    const many = Array.from({ length: 20 }, (_, index) => storedToken({ tid: String(index).padStart(40, '0') }))
    const full = deviceOf([], { tokens: many })
    await assert.rejects(full.authenticator.begin('d2mejab9n7', { username: 'jane' }), { code: 'too_many_tokens' })
    assert.equal(received.length + full.received.length, 0)
  })

  test('the unlock must be one that the domain takes, and long enough', async () => {
    const { authenticator, store } = deviceOf(begun({ unlock: ['pin'], minLength: 6 }), { tokens: [] })
    const pending = await authenticator.begin('d2mejab9n7', { username: 'jane.doe' })
    await assert.rejects(authenticator.finish(pending, { unlock, device }), { code: 'unlock_unsupported' })
    await assert.rejects(authenticator.finish(pending, { unlock: { pin: '12345' }, device }), {
      code: 'pin_unsuitable',
    })
    assert.equal(store.tokens.size, 0)
  })

  test('where the store can hold keys they cannot be read', async () => {
    const active = { body: { state: 'active', tid: world.activation.tid } }
    const { fetch } = scriptedFetch([...begun({ unlock: ['pin'] }), active])
    const authenticator = new Authenticator({ server: world.aud, store: memoryStore(), fetch })
    const pending = await authenticator.begin('d2mejab9n7', { username: 'jane.doe' })
    const { key, pin } = await authenticator.finish(pending, { unlock: { pin: '739104' }, device })
    assert.ok(key.form === 'handle' && pin?.mixKey.form === 'handle')
    assert.equal(key.privateKey.extractable || pin.mixKey.key.extractable, false)
    assert.deepEqual(
      (await authenticator.tokens()).map(({ state }) => state),
      ['active'],
    )
  })
})

suite('T26 clocks', () => {
  test('clock_skew: the offset is stored and the message signed again, once', async () => {
    const time = world.now + 1200
    const replies = [refusal(401, 'clock_skew', { time }), { body: {} }, { body: {} }]
    const { authenticator, store, received } = deviceOf(replies)
    await authenticator.updatePush(tid, null)
    assert.equal(payloadOf(received[1]?.body ?? '').iat, time)
    assert.equal(store.tokens.get(tid)?.clockOffsetSeconds, 1200)
    await authenticator.updatePush(tid, null)
    assert.equal(payloadOf(received[2]?.body ?? '').iat, time, 'the offset is used from the start')
  })

  test('a second clock_skew is an error', async () => {
    const skew = refusal(401, 'clock_skew', { time: world.now + 1200 })
    await assert.rejects(deviceOf([skew, skew]).authenticator.updatePush(tid, null), { code: 'clock_skew' })
  })

  test('in a poll, too', async () => {
    const { authenticator, received } = deviceOf([failed('clock_skew', { time: world.now - 9999 }), synced()])
    assert.equal((await authenticator.sync()).tokens.length, 1)
    assert.equal(payloadOf(JSON.parse(received[1]?.body ?? '').tokens[0]).iat, world.now - 9999)
  })

  test('whether a request has expired is told by the server\u2019s clock, not by the phone\u2019s', async () => {
    const { authenticator, now } = deviceOf([synced(world.sessions.slice(0, 1))])
    now.seconds += 86_400
    assert.equal((await authenticator.sync()).requests.length, 1)
  })
})

suite('T10 replayed', () => {
  test('a new jti is used, once', async () => {
    const { authenticator, received } = deviceOf([refusal(401, 'replayed'), { body: {} }])
    await authenticator.updatePush(tid, null)
    const [first, second] = received.map(({ body }) => payloadOf(body).jti)
    assert.notEqual(first, second)
    const twice = deviceOf([refusal(401, 'replayed'), refusal(401, 'replayed')])
    await assert.rejects(twice.authenticator.updatePush(tid, null), { code: 'replayed' })
  })
})

suite('T32 token_revoked', () => {
  test('an operation erases the keys and says so', async () => {
    const { authenticator, store } = deviceOf([refusal(410, 'token_revoked')])
    await assert.rejects(authenticator.updatePush(tid, null), { code: 'token_revoked' })
    assert.equal(store.tokens.size, 0)
    await assert.rejects(authenticator.updatePush(tid, null), { code: 'token_unknown' })
  })

  test('a poll erases the keys, reports the token and closes its requests', async () => {
    const { authenticator, store } = deviceOf([synced(world.sessions.slice(0, 1)), failed('token_revoked')])
    await authenticator.sync()
    const { revoked, closed, requests } = await authenticator.sync()
    assert.deepEqual(
      revoked.map(({ domain }) => domain.name),
      ['Office VPN'],
    )
    assert.deepEqual(
      closed.map(({ state }) => state),
      ['denied'],
    )
    assert.deepEqual([requests.length, store.tokens.size], [0, 0])
  })

  test('a removal of what is revoked already is a removal', async () => {
    const { authenticator, store } = deviceOf([refusal(410, 'token_revoked')])
    await authenticator.remove(tid)
    assert.equal(store.tokens.size, 0)
  })

  test('a removal that the server may not have seen keeps the keys', async () => {
    const { authenticator, store } = deviceOf([lost, lost, lost])
    await assert.rejects(authenticator.remove(tid), { code: 'network' })
    assert.equal(store.tokens.size, 1)
  })
})

suite('rotation', () => {
  test('the lost reply: the new key is tried, and is the one', async () => {
    const { authenticator, store, received } = deviceOf([lost, lost, lost, synced()])
    await authenticator.rotateKey(tid, { pin: '482913' })
    const { key, nextKey: left } = store.tokens.get(tid) ?? storedToken()
    assert.notDeepEqual(key.jwk, world.keys.device.jwk)
    assert.deepEqual([key.jwk, left], [payloadOf(received[0]?.body ?? '').key, undefined])
  })

  test('the copy that came through first: bad_signature means the new key counts', async () => {
    const { authenticator, store } = deviceOf([lost, refusal(401, 'bad_signature'), synced()])
    await authenticator.rotateKey(tid, { pin: '482913' })
    assert.notDeepEqual(store.tokens.get(tid)?.key.jwk, world.keys.device.jwk)
  })

  test('no answer at all keeps both keys; later the new one is tried, then the old one', async () => {
    const replies = [lost, lost, lost, lost, lost, lost, failed('bad_signature'), synced()]
    const { authenticator, store, received } = deviceOf(replies)
    await assert.rejects(authenticator.rotateKey(tid, { pin: '482913' }), { code: 'network' })
    const { key, nextKey: kept } = store.tokens.get(tid) ?? storedToken()
    assert.deepEqual(key.jwk, world.keys.device.jwk)
    assert.ok(kept, 'the new key is kept: the server may have it')
    assert.equal((await authenticator.sync()).tokens.length, 1)
    assert.equal(received.length, 8)
    assert.deepEqual(store.tokens.get(tid)?.nextKey, kept, 'the message may still arrive')
  })

  test('any accepted operation under the new key settles it', async () => {
    const { authenticator, store } = deviceOf([{ body: {} }], { tokens: [storedToken({ nextKey })] })
    await authenticator.updatePush(tid, null)
    assert.deepEqual(store.tokens.get(tid)?.key, nextKey.key)
    assert.equal(store.tokens.get(tid)?.nextKey, undefined)
  })

  test('the old key settles it when the message is too old to arrive', async () => {
    const { authenticator, store, now } = deviceOf([failed('bad_signature'), synced()], {
      tokens: [storedToken({ nextKey })],
    })
    now.seconds += 3600
    await authenticator.sync()
    assert.deepEqual(store.tokens.get(tid)?.key.jwk, world.keys.device.jwk)
    assert.equal(store.tokens.get(tid)?.nextKey, undefined)
  })

  test('a refusal drops the new key; a PIN is needed before anything is sent', async () => {
    const { authenticator, store, received } = deviceOf([refusal(403, 'factor_failed', { remaining: 4 })])
    await assert.rejects(authenticator.rotateKey(tid), { code: 'pin_required' })
    assert.equal(received.length, 0)
    await assert.rejects(authenticator.rotateKey(tid, { pin: '0000' }), { code: 'factor_failed', remaining: 4 })
    assert.equal(store.tokens.get(tid)?.nextKey, undefined)
    assert.deepEqual(store.tokens.get(tid)?.key.jwk, world.keys.device.jwk)
  })
})

suite('answers', () => {
  test('refusals carry what the server says beside the code', async () => {
    const cases: [Answer, object][] = [
      [refusal(403, 'factor_failed', { remaining: 3 }), { code: 'factor_failed', remaining: 3, status: 403 }],
      [refusal(403, 'number_mismatch', { remaining: 2 }), { code: 'number_mismatch', remaining: 2 }],
      [refusal(409, 'session_closed', { state: 'expired' }), { code: 'session_closed', state: 'expired' }],
      [
        { ...refusal(429, 'rate_limited'), headers: { 'retry-after': '7' } },
        { code: 'rate_limited', retryAfterSeconds: 7 },
      ],
      [
        { status: 502, body: '<html>' },
        { code: 'unavailable', status: 502 },
      ],
      [
        { status: 403, body: '<html>' },
        { code: 'invalid_reply', status: 403 },
      ],
      [{ body: '<html>login</html>' }, { code: 'invalid_reply' }],
      [{ body: { state: 'maybe' } }, { code: 'invalid_reply' }],
    ]
    for (const [reply, expected] of cases) {
      const { approve } = await withRequest([reply, reply, reply])
      await assert.rejects(approve(), { name: 'DeviceError', ...expected })
    }
  })

  test('a wrong PIN leaves the request, a closed session takes it away', async () => {
    const { approve, authenticator } = await withRequest([
      refusal(403, 'factor_failed', { remaining: 4 }),
      synced(world.sessions.slice(0, 1)),
      refusal(409, 'session_closed', { state: 'cancelled' }),
      synced(),
    ])
    await assert.rejects(approve(), { code: 'factor_failed' })
    assert.equal((await authenticator.sync()).requests.length, 1)
    await assert.rejects(approve(), { code: 'session_closed' })
    assert.equal((await authenticator.sync()).requests.length, 0)
  })

  test('without PIN or number nothing is sent', async () => {
    const { authenticator, request, received } = await withRequest([])
    for (const number of [undefined, '', '07134', '0713422', 'abcdef', '071342; 1'])
      await assert.rejects(authenticator.approve(request, { pin: '482913', ...(number && { number }) }), {
        code: 'number_required',
      })
    await assert.rejects(authenticator.approve(request, { number: '071342' }), { code: 'pin_required' })
    const platform = { ...request, challenge: { ...request.challenge, unlock: 'platform' } as const }
    await assert.rejects(authenticator.approve(platform, { number: '071342' }), { code: 'unlock_unsupported' })
    assert.equal(received.length, 1)
  })

  test('a token without a PIN cannot be given one', async () => {
    const { pin: _, ...plain } = storedToken()
    const { authenticator } = deviceOf([], { tokens: [plain] })
    await assert.rejects(authenticator.changeFactor(tid, { oldPin: '', pin: '739104' }), { code: 'unlock_unsupported' })
  })

  test('an abort is the caller\u2019s own reason, and is not tried again', async () => {
    const { authenticator, received } = deviceOf([lost])
    const reason = new Error('enough')
    await assert.rejects(authenticator.sync({ signal: AbortSignal.abort(reason) }), reason)
    assert.equal(received.length, 0)
  })
})

async function withRequest(replies: Answer[]) {
  const parts = deviceOf([synced(world.sessions.slice(0, 1)), ...replies])
  const [request] = (await parts.authenticator.sync()).requests
  assert.ok(request)
  const approve = () => parts.authenticator.approve(request as SignInRequest, { pin: '482913', number: '071342' })
  return { ...parts, request, approve }
}

function begun(changes: object = { unlock: ['none'] }): Answer[] {
  const { aid, nonce, expires, tid } = world.activation
  const server = { name: 'Example MFA', versions: [1], origin: world.aud, time: world.now }
  const domain = { id: '4'.repeat(40), name: 'Office VPN' }
  const about = { server: { name: 'Example MFA' }, user: 'jane.doe', domain, policy: { ...policy, ...changes } }
  return [{ body: server }, { body: { aid, nonce, expires, tid, time: world.now, ...about } }]
}

function failed(code: string, extra: object = {}): Answer {
  return { body: { time: world.now, results: [{ kid: tid, ok: false, code, ...extra }] } }
}
