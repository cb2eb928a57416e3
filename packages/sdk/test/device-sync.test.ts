// What the authenticator shows of what the server sends.
import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { toBase64url } from '@countersign/protocol/base64url.ts'
import type { Challenge } from '@countersign/protocol/challenge.ts'
import { isCommonPin } from '@countersign/sdk/device.ts'
import { deviceOf, otherTid, readVectors, storedToken, synced, tid, world } from './support.ts'

const { cases } = readVectors<{ cases: { challenge: Challenge; sha256: string }[] }>('challenge')
const right = cases[0]?.challenge ?? ({} as Challenge)

suite('T15 what is shown is what is signed', () => {
  test('the request is the challenge and nothing else, and carries its hash', async () => {
    const { authenticator } = deviceOf([synced([entry(right)])])
    const [request] = (await authenticator.sync()).requests
    const { tid, sid } = right
    assert.deepEqual(request, { tid, sid, challenge: right, hash: cases[0]?.sha256, suspicious: false })
  })

  const wrong: [name: string, problem: string, challenge: unknown][] = [
    ['another server', 'other_server', { ...right, aud: 'https://mfa.example.com' }],
    ['another token', 'other_token', { ...right, tid: otherTid }],
    ['another session', 'other_session', { ...right, sid: '3'.repeat(40) }],
    ['a past end', 'expired', { ...right, exp: world.now }],
    ['another version', 'unreadable', { ...right, v: 2 }],
    ['an unknown unlock', 'unreadable', { ...right, unlock: 'telepathy' }],
    ['an unknown way of matching', 'unreadable', { ...right, match: { type: 'draw' } }],
    ['an attribute that is no text', 'unreadable', { ...right, attrs: [{ k: 'a', v: 1 }] }],
    ['no domain', 'unreadable', { ...right, domain: null }],
    ['a lone surrogate', 'unreadable', { ...right, user: '\ud800' }],
    ['a list instead', 'unreadable', [right]],
  ]
  for (const [name, problem, challenge] of wrong) {
    test(`a challenge with ${name} is not shown, is reported once, and does not end every later poll`, async () => {
      const replies = [synced([entry(challenge)]), synced([entry(challenge)])]
      const { authenticator, received } = deviceOf(replies)
      const outcome = await authenticator.sync()
      assert.deepEqual([outcome.requests, outcome.rejected], [[], [{ tid, sid: right.sid, problem }]])
      assert.deepEqual((await authenticator.sync()).rejected, [])
      assert.deepEqual(JSON.parse(received[1]?.body ?? '').have, [right.sid])
    })
  }

  for (const [name, ch] of [
    ['not base64url', '%%%'],
    ['not UTF-8', toBase64url(Uint8Array.of(0x7b, 0xff, 0x7d))],
    ['with a BOM', encode(`\ufeff${JSON.stringify(right)}`)],
    ['of 32 KiB and more', encode(JSON.stringify({ ...right, x: 'x'.repeat(32_768) }))],
  ] as const) {
    test(`challenge bytes ${name} are refused`, async () => {
      const { authenticator } = deviceOf([synced([{ sid: right.sid, challenge: ch }])])
      assert.equal((await authenticator.sync()).rejected[0]?.problem, 'unreadable')
    })
  }

  test('members of a later version are ignored', async () => {
    const { authenticator } = deviceOf([synced([entry({ ...right, colour: 'blue' })])])
    assert.equal((await authenticator.sync()).requests.length, 1)
  })
})

suite('what is pending', () => {
  const second = entry({ ...right, sid: '3'.repeat(40) }, '3'.repeat(40))

  test('more than one request is suspicious, one again is not', async () => {
    const end = { sid: second.sid, state: 'denied' } as const
    const { authenticator } = deviceOf([synced([entry(right), second]), synced([entry(right)], { closed: [end] })])
    assert.deepEqual(
      (await authenticator.sync()).requests.map(({ suspicious }) => suspicious),
      [true, true],
    )
    const { requests, closed } = await authenticator.sync()
    assert.deepEqual(
      requests.map(({ suspicious }) => suspicious),
      [false],
    )
    assert.deepEqual(
      closed.map(({ request, state }) => [request.sid, state]),
      [[second.sid, 'denied']],
    )
  })

  test('what the server need not repeat stays, until it ends', async () => {
    const later = { body: { ...synced().body, time: right.exp } }
    const { authenticator } = deviceOf([synced([entry(right)]), synced(), later])
    await authenticator.sync()
    assert.equal((await authenticator.sync()).requests.length, 1)
    const { requests, closed } = await authenticator.sync()
    assert.deepEqual([requests.length, closed[0]?.state], [0, 'expired'])
  })

  test('all tokens are asked for in one request, and some of them on demand', async () => {
    const other = storedToken({ tid: otherTid, key: { form: 'json', ...world.keys.other } })
    const foreign = storedToken({ tid: '9'.repeat(40), aud: 'https://elsewhere.example' })
    const { authenticator, received } = deviceOf([synced(), synced()], { tokens: [storedToken(), other, foreign] })
    const outcome = await authenticator.sync()
    assert.equal(JSON.parse(received[0]?.body ?? '').tokens.length, 2)
    assert.deepEqual(outcome.failed, [{ tid: otherTid, code: 'malformed' }], 'a token without a result has failed')
    await authenticator.sync({ tids: [tid] })
    assert.equal(JSON.parse(received[1]?.body ?? '').tokens.length, 1)
  })

  test('without tokens nothing is sent', async () => {
    const { authenticator, received } = deviceOf([], { tokens: [] })
    assert.deepEqual((await authenticator.sync()).requests, [])
    assert.equal(received.length, 0)
  })

  test('a changed policy is stored', async () => {
    const policy = {
      unlock: ['pin' as const, 'quantum' as never],
      minLength: 6,
      maxAllowedRetries: 3,
      poll: true,
      rev: 8,
    }
    const { authenticator, store } = deviceOf([synced([], { policy, factor: 'required' })])
    assert.equal((await authenticator.sync()).tokens[0]?.factor, 'required')
    assert.deepEqual(store.tokens.get(tid)?.policy, { ...policy, unlock: ['pin'] })
  })

  for (const [name, body] of [
    ['no results', { time: world.now }],
    [
      'an id that is none',
      { time: world.now, results: [{ ...synced().body.results[0], requests: [{ sid: 'x', ch: '' }] }] },
    ],
    ['a state that is none', { time: world.now, results: [{ ...synced().body.results[0], push: 'maybe' }] }],
  ] as const) {
    test(`an answer with ${name} is not understood`, async () => {
      await assert.rejects(deviceOf([{ body }]).authenticator.sync(), { code: 'invalid_reply' })
    })
  }
})

test('common PINs are known, others are not', () => {
  for (const pin of [
    '1234',
    '0000',
    '4321',
    '987654',
    '121212',
    '1212',
    '2580',
    '123456',
    '\uff11\uff12\uff13\uff14',
    '123123',
  ])
    assert.ok(isCommonPin(pin), pin)
  for (const pin of ['482913', '7391', '4827', 'correct horse', '1235', '']) assert.ok(!isCommonPin(pin), pin)
})

function entry(challenge: unknown, sid = right.sid): { sid: string; challenge: string } {
  return { sid, challenge: encode(JSON.stringify(challenge)) }
}

function encode(text: string): string {
  return toBase64url(new TextEncoder().encode(text))
}
