import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { messageType } from '@countersign/protocol/device-messages.ts'
import {
  importPublicKey,
  isInterchangeable,
  messageLengthMax,
  parseMessage,
  readPayload,
  signMessage,
  verifySignature,
} from '@countersign/protocol/jws.ts'
import fc from 'fast-check'
import { judge } from './judge.ts'
import { type HostileVector, type MessageVector, messageFiles, readVectors, world } from './vectors.ts'

const { cases } = readVectors<{ cases: HostileVector[] }>('hostile')
const answers = readVectors<{ cases: MessageVector[] }>('answer').cases

suite('hostile messages (docs/specs/vectors/hostile.json)', () => {
  for (const { attack, name, op, jws, expect } of cases) {
    test(`${attack} ${name}: ${expect}`, async () => assert.equal(await judge(op, jws), expect))
  }
})

suite('right messages (docs/specs/vectors)', () => {
  for (const op of messageFiles) {
    for (const { name, jws } of readVectors<{ cases: MessageVector[] }>(op).cases) {
      test(`${op} (${name}) is accepted`, async () => assert.equal(await judge(op, jws), 'accepted'))
      test(`${op} (${name}) is nothing else: every other operation refuses it`, async () => {
        for (const other of messageFiles.filter((file) => file !== op))
          assert.equal(await judge(other, jws), 'malformed')
      })
    }
  }
})

test('T14 duplicate members: the last one is what is read', () => {
  const vector = cases.find(({ name }) => name === 'ans twice, approve last')
  const message = parseMessage(vector?.jws ?? '', messageType('answer'))
  assert.equal(message && readPayload(message)?.ans, 'approve')
})

test('T14 parseMessage itself refuses what is longer than 16 KiB', () => {
  const jws = (name: string) => cases.find((vector) => vector.name === name)?.jws ?? ''
  assert.ok(parseMessage(jws('exactly 16 KiB'), messageType('answer')))
  assert.equal(parseMessage(jws('16 KiB + 1'), messageType('answer')), undefined)
})

test('T14 lone surrogates are refused in names and values, and more than 16 levels', () => {
  for (const value of [{ '\ud800': 1 }, { a: ['\udc00'] }, nested(17)])
    assert.equal(isInterchangeable(value, 16), false)
  for (const value of [{ '\u{1f511}': '\u{1f511}' }, nested(16)]) assert.equal(isInterchangeable(value, 16), true)
})

function nested(levels: number): unknown {
  return levels === 0 ? 'x' : [nested(levels - 1)]
}

test('parseMessage takes any text without throwing, and only three parts', () => {
  const pieces = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.base64String(),
    fc.constantFrom('.', '..', '{}', 'e30', '\0'),
  )
  fc.assert(
    fc.property(fc.array(pieces, { maxLength: 8 }), (parts) => {
      const text = parts.join('.')
      const message = parseMessage(text, 'dp1-answer+jws')
      return message === undefined || text.split('.').length === 3
    }),
    { numRuns: 2000 },
  )
})

test('no message with one character changed is accepted', async () => {
  const [{ jws } = { jws: '' }] = answers
  const character = fc.constantFrom(
    ...'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.=+/ \n\0\u00e9',
  )
  await fc.assert(
    fc.asyncProperty(fc.nat(jws.length - 1), character, async (position, replacement) => {
      fc.pre(jws[position] !== replacement)
      const changed = jws.slice(0, position) + replacement + jws.slice(position + 1)
      return (await judge('answer', changed)) !== 'accepted'
    }),
    { numRuns: 1500 },
  )
})

test('no message cut, doubled or spliced with another is accepted', async () => {
  const messages = answers.map(({ jws }) => jws)
  const [first = '', second = ''] = messages
  const cut = fc.tuple(fc.nat(first.length), fc.nat(second.length))
  await fc.assert(
    fc.asyncProperty(cut, async ([end, start]) => {
      const spliced = first.slice(0, end) + second.slice(start)
      return messages.includes(spliced) || (await judge('answer', spliced)) !== 'accepted'
    }),
    { numRuns: 1500 },
  )
})

test('any JSON payload can be signed, and is read as it was', async () => {
  const pair = await crypto.subtle.generateKey({ name: 'ECDSA', namedCurve: 'P-256' }, false, ['sign', 'verify'])
  const payloads = fc.dictionary(
    fc.string({ unit: 'grapheme' }),
    fc.jsonValue({ stringUnit: 'grapheme', maxDepth: 10 }),
  )
  await fc.assert(
    fc.asyncProperty(payloads, async (payload) => {
      const jws = await signMessage(pair.privateKey, 'dp1-sync+jws', world.activation.tid, payload)
      fc.pre(jws.length <= messageLengthMax)
      const message = parseMessage(jws, 'dp1-sync+jws')
      assert.ok(message && (await verifySignature(message, pair.publicKey)))
      assert.equal(JSON.stringify(readPayload(message)), JSON.stringify(JSON.parse(JSON.stringify(payload))))
    }),
  )
})

test('importPublicKey takes any value without throwing', async () => {
  const { x, y } = world.keys.device?.jwk ?? { x: '', y: '' }
  const value = fc.oneof(fc.constantFrom('EC', 'P-256', x, y, '', null), fc.anything())
  const jwk = fc.record({ kty: value, crv: value, x: value, y: value }, { requiredKeys: [] })
  await fc.assert(
    fc.asyncProperty(fc.oneof(jwk, fc.anything()), async (candidate) => {
      const key = await importPublicKey(candidate)
      return key === undefined || (key.type === 'public' && !key.usages.includes('sign'))
    }),
    { numRuns: 1000 },
  )
})
