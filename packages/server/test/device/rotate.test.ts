import assert from 'node:assert/strict'
import { after, before, it } from 'node:test'
import { messageType } from '@countersign/protocol/device-messages.ts'
import { signMessage, thumbprint } from '@countersign/protocol/jws.ts'
import { sha256 } from '@countersign/protocol/unlock.ts'
import type { Storage } from '../../src/storage/storage.ts'
import { newJti, newKeys, publicJwk, type TestDevice } from '../support/device.ts'
import { onEveryEngine } from '../support/engines.ts'
import { newPhone, refusal } from '../support/phones.ts'
import { type Reply, startTestServer, type TestServer } from '../support/server.ts'
import { sql } from '../support/sql.ts'

const malformed = { status: 400, code: 'malformed' }
const badSignature = { status: 401, code: 'bad_signature' }
const failed = (remaining: number) => ({ status: 403, code: 'factor_failed', remaining })

onEveryEngine((engine) => {
  let server: TestServer
  let afterLookUp: (() => Promise<unknown>) | undefined
  before(async () => {
    server = await startTestServer(engine, { storage: interrupted })
  })
  after(() => server.stop())

  for (const pin of [true, false]) {
    it(`from the rotation on the new key signs and the old one does not (${pin ? 'with' : 'without'} a PIN)`, async () => {
      const phone = await newPhone(server, { pin })
      const request = await phone.ask()
      const { keys: old } = phone.device
      const next = await newKeys()
      const print = await thumbprint(await publicJwk(next))
      const reply = await rotate(phone.device, next)
      const { tid } = phone.device
      assert.equal(reply.text, `{"tid":"${tid}","thumbprint":"${print}","time":${server.clock.now() / 1000}}`)
      assert.deepEqual(refusal(await phone.device.approve(request)), badSignature)
      phone.device.keys = next
      assert.equal((await phone.device.approve(request)).body.state, 'approved')
      const [event] = await sql(
        server.database,
        `select data from audit_events where event = 'token.key_rotated' and tid = ?`,
        tid,
      )
      assert.deepEqual(JSON.parse(String(event?.data)), { from: await thumbprint(await publicJwk(old)), to: print })
      await server.restart()
      assert.ok((await phone.device.poll()).ok)
    })
  }

  it('a repeated rotation fails with the old key, which tells the device to try the new one', async () => {
    const phone = await newPhone(server)
    const message = await rotation(phone.device, await newKeys())
    assert.equal((await server.device('rotate', message)).status, 200)
    assert.deepEqual(refusal(await server.device('rotate', message)), badSignature)
  })

  it('the new key must prove itself, for this very message', async () => {
    const phone = await newPhone(server, { pin: true })
    const { device } = phone
    const [next, thief] = [await newKeys(), await newKeys()]
    const jti = newJti()
    const proof = (key: CryptoKeyPair, lies: object = {}, typ = messageType('newkey'), kid = device.tid) =>
      signMessage(key.privateKey, typ, kid, { ...device.common('newkey'), jti, ...lies })
    const stranger = await newPhone(server)
    const lies: [proof: unknown, refusal: object][] = [
      [await proof(thief), badSignature],
      [await proof(device.keys), badSignature],
      [await proof(next, { jti: newJti() }), malformed],
      [await proof(next, { tid: stranger.device.tid }), malformed],
      [await proof(next, { aud: 'https://mfa.example.com' }), malformed],
      [await proof(next, { op: 'rotate' }), malformed],
      [await proof(next, { more: 1 }), malformed],
      [await proof(next, {}, messageType('rotate')), malformed],
      [await proof(next, {}, messageType('newkey'), stranger.device.tid), malformed],
      [await proof(next, { tid: stranger.device.tid }, messageType('newkey'), stranger.device.tid), malformed],
      ['', malformed],
      [undefined, malformed],
    ]
    for (const [index, [wrong, expected]] of lies.entries()) {
      assert.deepEqual(refusal(await rotate(device, next, { jti, proof: wrong })), expected, String(index))
    }
    const jwk = await publicJwk(next)
    for (const key of [{ ...jwk, d: jwk.x }, { ...jwk, x: jwk.y, y: jwk.x }, { ...jwk, crv: 'P-384' }, null]) {
      assert.deepEqual(refusal(await rotate(device, next, { jti, key })), malformed, JSON.stringify(key))
    }
    assert.ok((await device.poll()).ok, 'the key is the old one')
    assert.equal((await rotate(device, next, { jti })).status, 200)
  })

  it('another’s key cannot rotate a token', async () => {
    const [phone, thief] = [await newPhone(server), await newPhone(server)]
    const message = await rotation(phone.device, await newKeys(), {}, thief.device.keys)
    assert.deepEqual(refusal(await server.device('rotate', message)), badSignature)
    assert.ok((await phone.device.poll()).ok)
  })

  it('needs the PIN of a token that has one: wrong ones count, the right one begins the count anew', async () => {
    const phone = await newPhone(server, { pin: true })
    const { device } = phone
    const next = await newKeys()
    for (const uv of [undefined, { m: 'none' }]) {
      assert.deepEqual(refusal(await rotate(device, next, { uv })), { status: 403, code: 'factor_required' })
    }
    const wrong = { m: 'pin', p: Buffer.alloc(32).toString('base64url') }
    assert.deepEqual(refusal(await rotate(device, next, { uv: wrong })), failed(4))
    const bound = await rotationProof(device, await newKeys(), newJti())
    assert.deepEqual(refusal(await rotate(device, next, { uv: bound })), failed(3), 'a proof for another key')
    assert.equal((await rotate(device, next)).status, 200)
    device.keys = next
    for (const remaining of [4, 3, 2, 1, 0]) {
      assert.deepEqual(refusal(await rotate(device, await newKeys(), { uv: wrong })), failed(remaining))
    }
    assert.deepEqual(refusal(await rotate(device, await newKeys())), { status: 410, code: 'token_revoked' })
  })

  it('a PIN proof where the token has none is malformed', async () => {
    const phone = await newPhone(server)
    const next = await newKeys()
    for (const uv of [{ m: 'none' }, { m: 'pin', p: Buffer.alloc(32).toString('base64url') }]) {
      assert.deepEqual(refusal(await rotate(phone.device, next, { uv })), malformed, JSON.stringify(uv))
    }
    assert.ok((await phone.device.poll()).ok)
  })

  it('of two rotations at once one wins, and its key is the token’s', async () => {
    const phone = await newPhone(server)
    const nexts = [await newKeys(), await newKeys()]
    const replies = await Promise.all(nexts.map((next) => rotate(phone.device, next)))
    const winner = replies.findIndex(({ status }) => status === 200)
    assert.deepEqual(refusal(replies[1 - winner] ?? assert.fail()), badSignature)
    phone.device.keys = nexts[winner] ?? assert.fail()
    assert.ok((await phone.device.poll()).ok)
  })

  it('what was verified under the old key and is judged after the rotation is refused', async () => {
    const phone = await newPhone(server)
    const request = await phone.ask()
    const messages: [path: string, sign: () => Promise<string>][] = [
      ['answer', async () => phone.device.sign('answer', await phone.device.approvalPayload(request))],
      ['remove', () => phone.device.sign('remove', phone.device.common('remove'))],
      ['rotate', async () => rotation(phone.device, await newKeys())],
    ]
    for (const [path, sign] of messages) {
      const [message, next] = [await sign(), await newKeys()]
      const rotating = await rotation(phone.device, next)
      afterLookUp = () => server.device('rotate', rotating)
      assert.deepEqual(refusal(await server.device(path, message)), badSignature, path)
      phone.device.keys = next
      assert.ok((await phone.device.poll()).ok, path)
    }
    assert.equal(await phone.verdict(request.sid), 'pending')
  })

  it('the same key is another one after it was changed and changed back', async () => {
    const phone = await newPhone(server)
    const [old, other] = [phone.device.keys, await newKeys()]
    const message = await phone.device.sign('remove', phone.device.common('remove'))
    const rotations = [await rotation(phone.device, other), await rotation(phone.device, old, {}, other)]
    afterLookUp = async () => {
      for (const rotating of rotations) assert.equal((await server.device('rotate', rotating)).status, 200)
    }
    assert.deepEqual(refusal(await server.device('remove', message)), badSignature)
    assert.ok((await phone.device.poll()).ok)
  })

  it('a rotation and an answer at once: the answer counts if it came first, else the device signs it again', async () => {
    for (let round = 0; round < 10; round++) {
      const phone = await newPhone(server)
      const request = await phone.ask()
      const next = await newKeys()
      const message = await rotation(phone.device, next)
      const approval = await phone.device.sign('answer', await phone.device.approvalPayload(request))
      const work = [() => server.device('rotate', message), () => server.device('answer', approval)]
      if (round % 2) work.reverse()
      const replies = await Promise.all(work.map((send) => send()))
      const [rotated, answered] = round % 2 ? replies.reverse() : replies
      assert.equal(rotated?.status, 200)
      if (answered?.status !== 200) assert.deepEqual(refusal(answered ?? assert.fail()), badSignature)
      phone.device.keys = next
      if (answered?.status !== 200) assert.equal((await phone.device.approve(request)).body.state, 'approved')
      assert.equal(await phone.verdict(request.sid), 'approved')
    }
  })

  /** A storage in which something else happens between the look-up of a token and the unit that locks it. */
  function interrupted(storage: Storage): Storage {
    const findByTid: Storage['tokens']['findByTid'] = async (tid) => {
      const token = await storage.tokens.findByTid(tid)
      const interrupt = afterLookUp
      afterLookUp = undefined
      await interrupt?.()
      return token
    }
    return { ...storage, tokens: { ...storage.tokens, findByTid } }
  }

  async function rotate(device: TestDevice, next: CryptoKeyPair, lies: Record<string, unknown> = {}): Promise<Reply> {
    return server.device('rotate', await rotation(device, next, lies))
  }
})

async function rotation(
  device: TestDevice,
  next: CryptoKeyPair,
  lies: Record<string, unknown> = {},
  signer = device.keys,
): Promise<string> {
  const common = device.common('rotate')
  const jti = String(lies.jti ?? common.jti)
  const proof = await signMessage(next.privateKey, messageType('newkey'), device.tid, {
    ...device.common('newkey'),
    jti,
  })
  const uv = device.pinKey ? { uv: await rotationProof(device, next, jti) } : {}
  return device.sign('rotate', { ...common, key: await publicJwk(next), proof, ...uv, ...lies }, signer.privateKey)
}

async function rotationProof(device: TestDevice, next: CryptoKeyPair, jti: string) {
  const hash = await sha256(new TextEncoder().encode(await thumbprint(await publicJwk(next))))
  return { m: 'pin', p: await device.proof({ op: 'rotate', ref: jti, ans: 'rotate', hash }) }
}
