// The authenticator's own functions against docs/specs/vectors, which the server reads, too.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { fromBase64url, toBase64url } from '@countersign/protocol/base64url.ts'
import { parseMessage, readPayload, verifySignature } from '@countersign/protocol/jws.ts'
import { importHmacKey } from '@countersign/protocol/unlock.ts'
import { readLink } from '../src/link.ts'
import { approvalBinding, readNumber, signApproval, signDenial } from '../src/protocol/answers.ts'
import { verifyChallenge } from '../src/protocol/challenge.ts'
import { ServerClock } from '../src/protocol/clock.ts'
import { isCommon, pinFactor, problemOf, provePin } from '../src/protocol/pins.ts'

const origin = 'https://mfa.example.org'
const [tid, other] = ['1'.repeat(40), 'ab'.repeat(20)]
const sid = '2'.repeat(40)

function vectors(name: string) {
  return JSON.parse(readFileSync(new URL(`../../../docs/specs/vectors/${name}.json`, import.meta.url), 'utf8'))
}

const world = vectors('world')
const record = { aud: origin, tid }
const entry = { sid, ch: world.sessions[0].challenge as string }

function bytes(hex: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(hex.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16))
}

async function unlock() {
  const { salt_hex: salt, mix_hex: mix } = vectors('pin-key')
  return { method: 'pin', kind: 'pin', length: 6, salt: bytes(salt), mixKey: await importHmacKey(bytes(mix)) } as const
}

async function client() {
  const { d, jwk } = world.keys.device
  const ecdsa = { name: 'ECDSA', namedCurve: 'P-256' }
  const signKey = await crypto.subtle.importKey('jwk', { ...jwk, d }, ecdsa, false, ['sign'])
  const publicKey = await crypto.subtle.importKey('jwk', jwk, ecdsa, false, ['verify'])
  const transport = { origin, fetch, sleep: async () => {}, random: () => 0 }
  return {
    signer: { ...record, signKey },
    publicKey,
    client: { transport, clock: new ServerClock(() => world.now * 1000) },
  }
}

test('a PIN becomes the pinKey of the vectors, whatever its spelling', async () => {
  for (const { pin, tid: of, pinKey, note } of vectors('pin-key').cases) {
    const factor = await pinFactor(pin, of, await unlock())
    assert.equal(factor.m === 'pin' && factor.k, pinKey, note)
  }
})

test('an approval of the vectors’ challenge is the vectors’ answer, and its signature holds', async () => {
  const verified = await verifyChallenge(entry, record, world.now * 1000)
  assert.ok(typeof verified === 'object')
  assert.equal(verified.hash, 'R5Vcs14XO9r89uGPS0nU3_8tXXAzT0TlULLqehnOP9U')
  const uv = await provePin('482913', await unlock(), approvalBinding(verified))
  assert.deepEqual(uv, { m: 'pin', p: 'xryAXpGYXHcBM9GwTHGHtHMgF_qpxebfJWwiRF2r_Sk' })
  const { client: own, signer, publicKey } = await client()
  const message = parseMessage(await signApproval(own, signer, verified, { num: '071342', uv }), 'dp1-answer+jws')
  assert.ok(message && (await verifySignature(message, publicKey)))
  const { jti, ...payload } = readPayload(message) ?? {}
  const { jti: theirs, ...expected } = vectors('answer').cases[0].payload
  assert.deepEqual(payload, expected)
  assert.ok(fromBase64url(String(jti))?.length === 16 && jti !== theirs)
  const denial = parseMessage(await signDenial(own, signer, verified, 'not_me'), 'dp1-answer+jws')
  const { jti: _, ...denied } = (denial && readPayload(denial)) ?? {}
  const { num: _num, uv: _uv, ...common } = expected
  assert.deepEqual(denied, { ...common, ans: 'deny', why: 'not_me' })
})

test('T18: a challenge for another server, token or session, a stale one and a damaged one are not shown', async () => {
  const now = world.now * 1000
  const challenge = JSON.parse(new TextDecoder().decode(fromBase64url(entry.ch)))
  const encode = (value: unknown) => toBase64url(new TextEncoder().encode(JSON.stringify(value)))
  const changed = (change: object) => ({ sid, ch: encode({ ...challenge, ...change }) })
  const cases = [
    [changed({ aud: 'https://evil.example' }), 'foreign'],
    [changed({ tid: other }), 'foreign'],
    [changed({ sid: '3'.repeat(40) }), 'foreign'],
    [{ ...entry, sid: '3'.repeat(40) }, 'foreign'],
    [changed({ exp: world.now }), 'expired'],
    [changed({ v: 2 }), 'unreadable'],
    [changed({ unlock: 'later' }), 'unreadable'],
    [changed({ match: { type: 'pick', len: 3 } }), 'unreadable'],
    [changed({ match: { type: 'enter', len: 0 } }), 'unreadable'],
    [changed({ attrs: [{ k: 'App' }] }), 'unreadable'],
    [changed({ user: '\ud800' }), 'unreadable'],
    [{ sid, ch: `${entry.ch}=` }, 'unreadable'],
    [{ sid, ch: toBase64url(new Uint8Array([0xff])) }, 'unreadable'],
  ] as const
  for (const [given, fault] of cases) assert.equal(await verifyChallenge(given, record, now), fault)
  assert.equal(await verifyChallenge(entry, record, challenge.exp * 1000), 'expired')
  assert.equal(typeof (await verifyChallenge(changed({ more: 1 }), record, now)), 'object')
})

test('a number is as many digits as asked for, however they were typed', () => {
  for (const typed of ['071342', '071 342', ' 071-342 ', '\uff10\uff17\uff11\uff13\uff14\uff12']) {
    assert.equal(readNumber(typed, 6), '071342')
  }
  for (const typed of ['', '07134', '0713421', '07134a', '٠٧١٣٤٢']) assert.equal(readNumber(typed, 6), undefined)
})

test('a link is read with everything in it, and anything else is none', () => {
  const link = `${origin}/a#c=D2MEJ-AB9N7&s=AAECAwQFBgcICQoLDA0ODw&u=jane%2Bmfa%40example.org`
  const read = { origin, code: 'd2mejab9n7', secret: 'AAECAwQFBgcICQoLDA0ODw', username: 'jane+mfa@example.org' }
  assert.deepEqual(readLink(` ${link}\n`), read)
  assert.deepEqual(readLink(`${origin}/a#c=d2mejab9n7`), { origin, code: 'd2mejab9n7' })
  const nothing = ['', 'd2mejab9n7', `${origin}/#c=d2mejab9n7`, `${origin}/a?c=d2mejab9n7`, `${origin}/a#c=short`]
  for (const text of [...nothing, 'javascript:/a#c=d2mejab9n7']) assert.equal(readLink(text), undefined, text)
})

test('a PIN that is guessed first is refused, and one that is not is taken', () => {
  const common =
    '0000 1234 4321 9876 7890 2580 1212 1122 1984 2026 0311 3112 123456 654321 000000 121212 123123 112233 112211'
  const dates = '241299 991224 122499 24121999 19991224 159753 147258 password123 Qwertz123 PASSWORT1 １２３４'
  for (const pin of `${common} ${dates}`.split(' ')) assert.ok(isCommon(pin), pin)
  for (const pin of ['4829', '482913', '739164', '5073', '90417263', 'grüne Teekanne', 'k7#mQx2p'])
    assert.ok(!isCommon(pin), pin)
  const policy = { minLength: 6 }
  assert.deepEqual(problemOf('48291', 'pin', policy), { is: 'too_short', minLength: 6 })
  assert.deepEqual(problemOf('48291a', 'pin', policy), { is: 'not_digits' })
  assert.equal(problemOf('４８２９１３', 'pin', policy), undefined)
  assert.equal(problemOf('48291a', 'passcode', policy), undefined)
})
