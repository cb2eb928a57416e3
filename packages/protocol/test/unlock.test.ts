import assert from 'node:assert/strict'
import { createHash, createHmac, pbkdf2Sync } from 'node:crypto'
import { suite, test } from 'node:test'
import { toBase64url } from '@countersign/protocol/base64url.ts'
import {
  derivePinKey,
  importHmacKey,
  pinIterations,
  pinProof,
  sha256,
  type UnlockBinding,
  unlockBinding,
} from '@countersign/protocol/unlock.ts'
import { bytesOf, fromHex, type MessageVector, readVectors, world } from './vectors.ts'

interface PinVectors {
  salt_hex: string
  mix_hex: string
  iterations: number
  cases: { note: string; pin: string; tid: string; pinKey: string }[]
}
interface BindingVectors {
  pinKey: string
  cases: (Omit<UnlockBinding, 'hash'> & { hash: string; uvb: string; proof: string })[]
}

const pins = readVectors<PinVectors>('pin-key')
const bindings = readVectors<BindingVectors>('unlock-binding')
const challenges = readVectors<{ cases: { wire: string; challenge: object; sha256: string }[] }>('challenge').cases

suite('pinKey (docs/specs/vectors/pin-key.json)', () => {
  for (const { note, pin, tid, pinKey } of pins.cases) {
    test(note, async () => {
      const device = { salt: fromHex(pins.salt_hex), mixKey: await importHmacKey(fromHex(pins.mix_hex)), tid }
      assert.equal(toBase64url(await derivePinKey(pin, device)), pinKey)
      assert.equal(independentPinKey(pin, tid), pinKey)
    })
  }
  test('the number of iterations is part of the protocol', () => assert.equal(pinIterations, pins.iterations))
  test('spellings of one PIN agree, another token differs', () => {
    const [typed, fullWidth, otherToken, , composed, decomposed] = pins.cases.map(({ pinKey }) => pinKey)
    assert.equal(typed, 'Q287Qsaz3V0zyXSercgBsF6Xa1v8sC2QT2GO081IVEk')
    assert.equal(fullWidth, typed)
    assert.notEqual(otherToken, typed)
    assert.equal(decomposed, composed)
  })
})

suite('binding value and proof (docs/specs/vectors/unlock-binding.json)', () => {
  for (const { hash, uvb, proof, ...binding } of bindings.cases) {
    test(`${binding.op}`, async () => {
      const computed = await unlockBinding({ ...binding, hash: bytesOf(hash) })
      assert.equal(toBase64url(computed), uvb)
      assert.equal(independentBinding(binding, hash), uvb)
      assert.equal(await pinProof(bytesOf(bindings.pinKey), computed), proof)
    })
  }
  test('the first published ones', () => {
    assert.equal(bindings.cases[0]?.uvb, 'tYOMKORq30hZU7J5wjeOKcHBJfjvc6M1r2KIxp3T38o')
    assert.equal(bindings.cases[0]?.proof, 'xryAXpGYXHcBM9GwTHGHtHMgF_qpxebfJWwiRF2r_Sk')
  })
  test('the proofs in factor.json and rotate.json are bound to their own jti', async () => {
    for (const [file, ans] of [
      ['factor', 'change'],
      ['rotate', 'rotate'],
    ] as const) {
      const [vector] = readVectors<{ cases: MessageVector[] }>(file).cases
      const hash = file === 'factor' ? new Uint8Array(32) : await sha256(new TextEncoder().encode(nextThumbprint()))
      const uvb = await unlockBinding({ tid: tidOf(vector), op: file, ref: String(vector?.payload.jti), ans, hash })
      assert.deepEqual(vector?.payload.uv, { m: 'pin', p: await pinProof(bytesOf(bindings.pinKey), uvb) })
    }
  })
})

suite('challenges (docs/specs/vectors/challenge.json)', () => {
  for (const { wire, challenge, sha256: hash } of challenges) {
    test(hash, async () => {
      assert.equal(toBase64url(await sha256(bytesOf(wire))), hash)
      assert.deepEqual(JSON.parse(new TextDecoder().decode(bytesOf(wire))), challenge)
    })
  }
  test('the first published one', () => {
    assert.equal(challenges[0]?.sha256, 'R5Vcs14XO9r89uGPS0nU3_8tXXAzT0TlULLqehnOP9U')
    assert.deepEqual(
      world.sessions.map(({ challenge }) => challenge),
      challenges.map(({ wire }) => wire),
    )
  })
})

test('a key from importHmacKey can only sign', async () => {
  const key = await importHmacKey(new Uint8Array(32))
  assert.deepEqual([key.extractable, key.usages], [false, ['sign']])
})

function independentPinKey(pin: string, tid: string): string {
  const k0 = pbkdf2Sync(pin.normalize('NFKC'), fromHex(pins.salt_hex), 600_000, 32, 'sha256')
  return createHmac('sha256', fromHex(pins.mix_hex)).update(`dp1/pin\n${tid}\n`).update(k0).digest('base64url')
}

function independentBinding({ tid, op, ref, ans }: Omit<UnlockBinding, 'hash'>, hash: string): string {
  const prefix = `dp1/uv\n${tid}\n${op}\n${ref}\n${ans}\n`
  return createHash('sha256').update(prefix).update(bytesOf(hash)).digest('base64url')
}

function nextThumbprint(): string {
  const { x, y } = world.keys.next?.jwk ?? {}
  return createHash('sha256').update(`{"crv":"P-256","kty":"EC","x":"${x}","y":"${y}"}`).digest('base64url')
}

function tidOf(vector: MessageVector | undefined): string {
  return String(vector?.payload.tid)
}
