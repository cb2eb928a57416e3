import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { messageType } from '@countersign/protocol/device-messages.ts'
import {
  importPublicKey,
  parseMessage,
  readPayload,
  signMessage,
  thumbprint,
  verifySignature,
} from '@countersign/protocol/jws.ts'
import { CompactSign, calculateJwkThumbprint, compactVerify, importJWK } from 'jose'
import { type MessageVector, messageFiles, readVectors, world } from './vectors.ts'

const messages = messageFiles.flatMap((op) =>
  readVectors<{ cases: MessageVector[] }>(op).cases.map((vector) => ({ op, ...vector })),
)

// jose is not used to make or read messages: it is the independent judge of our own few lines.
suite('signed messages', () => {
  for (const { op, name, key, kid, payload, jws } of messages) {
    const { jwk } = keyNamed(key)
    test(`${op} (${name}) verifies here`, async () => {
      const [message, verifier] = [parseMessage(jws, messageType(op)), await importPublicKey(jwk)]
      assert.ok(message && verifier && (await verifySignature(message, verifier)))
      assert.equal(message.kid, kid)
      assert.deepEqual(readPayload(message), payload)
    })
    test(`${op} (${name}) verifies with jose`, async () => {
      const verified = await compactVerify(jws, await importJWK(jwk, 'ES256'), { algorithms: ['ES256'] })
      assert.deepEqual(verified.protectedHeader, { alg: 'ES256', typ: messageType(op), kid })
      assert.deepEqual(JSON.parse(new TextDecoder().decode(verified.payload)), payload)
    })
    test(`${op} (${name}): signing the payload again gives the same signing input`, async () => {
      const again = await signMessage(await privateKey(key), messageType(op), kid, payload)
      assert.equal(signingInput(again), signingInput(jws))
    })
  }

  test('what we sign, jose verifies', async () => {
    const { jwk } = keyNamed('device')
    const jws = await signMessage(await privateKey('device'), 'dp1-sync+jws', 'k', { text: 'Zo\u00eb \u{1f511}' })
    const { payload } = await compactVerify(jws, await importJWK(jwk, 'ES256'))
    assert.deepEqual(JSON.parse(new TextDecoder().decode(payload)), { text: 'Zo\u00eb \u{1f511}' })
  })

  test('what jose signs, we verify', async () => {
    const { d, jwk } = keyNamed('device')
    const signer = new CompactSign(new TextEncoder().encode('{"v":1}'))
    signer.setProtectedHeader({ alg: 'ES256', typ: 'dp1-sync+jws', kid: 'k' })
    const jws = await signer.sign(await importJWK({ ...jwk, d }, 'ES256'))
    const [message, verifier] = [parseMessage(jws, 'dp1-sync+jws'), await importPublicKey(jwk)]
    assert.ok(message && verifier && (await verifySignature(message, verifier)))
    assert.deepEqual(readPayload(message), { v: 1 })
  })

  test('the proof inside a rotation is signed by the new key over the same jti', async () => {
    const { payload } = messages.find(({ op }) => op === 'rotate') ?? {}
    const [message, verifier] = [
      parseMessage(String(payload?.proof), messageType('newkey')),
      await importPublicKey(payload?.key),
    ]
    assert.ok(message && verifier && (await verifySignature(message, verifier)))
    const { v, op, aud, tid, iat, jti, ...rest } = readPayload(message) ?? {}
    assert.deepEqual({ v, op, aud, tid, iat, jti, rest }, { ...commonOf(payload), op: 'newkey', rest: {} })
  })

  test('public keys cannot sign and JWK members are not carried along', async () => {
    const verifier = await importPublicKey(keyNamed('device').jwk)
    assert.deepEqual(verifier?.usages, ['verify'])
    assert.equal(verifier?.extractable, false)
  })
})

suite('thumbprints (docs/specs/vectors/thumbprint.json)', () => {
  const { cases } = readVectors<{ cases: { jwk: World['jwk']; thumbprint: string }[] }>('thumbprint')
  for (const vector of cases) {
    test(vector.thumbprint, async () => {
      assert.equal(await thumbprint(vector.jwk), vector.thumbprint)
      assert.equal(await calculateJwkThumbprint(vector.jwk, 'sha256'), vector.thumbprint)
    })
  }
  test('the first published one', () =>
    assert.equal(cases[0]?.thumbprint, 'XNeYK1MB1lZFMB6wePULG0c-Z2VMOnsNrws2IOh0Aik'))
})

type World = (typeof world.keys)[string]

function keyNamed(name: string): World {
  const key = world.keys[name]
  if (!key) throw new Error(`no key "${name}" in world.json`)
  return key
}

function privateKey(name: string): Promise<CryptoKey> {
  const { d, jwk } = keyNamed(name)
  return crypto.subtle.importKey('jwk', { ...jwk, d }, { name: 'ECDSA', namedCurve: 'P-256' }, false, ['sign'])
}

function signingInput(jws: string): string {
  return jws.slice(0, jws.lastIndexOf('.'))
}

function commonOf(payload: Record<string, unknown> = {}) {
  const { v, aud, tid, iat, jti } = payload
  return { v, aud, tid, iat, jti }
}
