import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { after, before, it } from 'node:test'
import { toBase64url } from '@countersign/protocol/base64url.ts'
import { newJti, type TestDevice } from '../support/device.ts'
import { onEveryEngine } from '../support/engines.ts'
import { newDomain, newPhone, refusal } from '../support/phones.ts'
import { type Reply, startTestServer, type TestServer } from '../support/server.ts'
import { sql } from '../support/sql.ts'

const required = { status: 403, code: 'factor_required' }
const malformed = { status: 400, code: 'malformed' }
const failed = (remaining: number) => ({ status: 403, code: 'factor_failed', remaining })

onEveryEngine((engine) => {
  let server: TestServer
  before(async () => {
    server = await startTestServer(engine)
  })
  after(() => server.stop())

  it('a new PIN, proven under the old one, is the only one from then on', async () => {
    const phone = await newPhone(server, { pin: true })
    const old = phone.device.pinKey
    const next = newPinKey()
    const reply = await change(phone.device, { next })
    assert.equal(reply.text, `{"tid":"${phone.device.tid}","factor":"ok","time":${server.clock.now() / 1000}}`)
    const request = await phone.ask()
    assert.deepEqual(refusal(await phone.device.approve(request)), failed(4))
    phone.device.pinKey = next
    assert.equal((await phone.device.approve(request)).body.state, 'approved')
    assert.notDeepEqual(old, next)
    const [event] = await sql(
      server.database,
      `select data from audit_events where event = 'token.factor_changed' and tid = ?`,
      phone.device.tid,
    )
    assert.equal(event?.data, '{"factor":"pin"}')
  })

  it('needs the old PIN: without a proof nothing changes, and wrong ones count until the token is revoked', async () => {
    const phone = await newPhone(server, { pin: true })
    const { device } = phone
    const request = await phone.ask()
    const right = await proofOf(device, newJti())
    for (const uv of [undefined, { m: 'none' }, { m: 'webauthn', resp: {} }]) {
      assert.deepEqual(refusal(await change(device, { lies: { uv } })), required)
    }
    assert.deepEqual(refusal(await device.approveWithWrongPin(request)), failed(4))
    assert.deepEqual(refusal(await change(device, { lies: { uv: right } })), failed(3), 'a proof for another message')
    for (const remaining of [2, 1, 0]) {
      assert.deepEqual(refusal(await change(device, { lies: { uv: wrongProof() } })), failed(remaining))
    }
    assert.deepEqual(refusal(await change(device)), { status: 410, code: 'token_revoked' })
    assert.deepEqual(await phone.details(request.sid), { state: 'denied', reason: 'token_revoked' })
  })

  it('the right old PIN begins the count anew', async () => {
    const phone = await newPhone(server, { pin: true })
    for (const remaining of [4, 3]) {
      assert.deepEqual(refusal(await change(phone.device, { lies: { uv: wrongProof() } })), failed(remaining))
    }
    assert.equal((await change(phone.device, { next: phone.device.pinKey ?? newPinKey() })).status, 200)
    assert.deepEqual(refusal(await phone.device.approveWithWrongPin(await phone.ask())), failed(4))
  })

  it('a proof of an approval does not change the PIN', async () => {
    const phone = await newPhone(server, { pin: true })
    const jti = newJti()
    const p = await phone.device.proof({ op: 'answer', ref: jti, ans: 'approve', hash: new Uint8Array(32) })
    assert.deepEqual(refusal(await change(phone.device, { lies: { jti, uv: { m: 'pin', p } } })), failed(4))
  })

  it('refuses what the domain does not accept, and counts nothing', async () => {
    const k = toBase64url(newPinKey())
    const pin = { m: 'pin', k, kind: 'pin', len: 4 }
    const passcode = { m: 'pin', k, kind: 'passcode', len: 8 }
    const phone = await newPhone(server, { pin: true })
    for (const factor of [{ m: 'none' }, { m: 'webauthn', reg: {} }, { ...pin, len: 3 }]) {
      assert.deepEqual(refusal(await change(phone.device, { lies: { factor } })), required, JSON.stringify(factor))
    }
    for (const factor of [{}, { m: 'pin', k }, { ...pin, k: k.slice(1) }, null]) {
      assert.deepEqual(refusal(await change(phone.device, { lies: { factor } })), malformed, JSON.stringify(factor))
    }
    const strict = await newPhone(server, { pin: true, domainId: await newDomain(server, { keyType: 'PIN' }) })
    await sql(server.database, `update domains set key_type = 'PASSCODE', min_length = 8 where id = ?`, strict.domainId)
    for (const factor of [pin, { ...pin, len: 12 }, { ...passcode, len: 7 }]) {
      assert.deepEqual(refusal(await change(strict.device, { lies: { factor } })), required, JSON.stringify(factor))
    }
    assert.equal((await change(strict.device, { lies: { factor: passcode } })).status, 200)
    const polled = await strict.device.poll()
    assert.equal(polled.ok && polled.factor, 'ok')
    for (const { device } of [phone, strict]) assert.equal(await unlockFailures(device), 0)
  })

  it('a token without a factor gets none: a thief of an unlocked phone would set the PIN', async () => {
    const phone = await newPhone(server, { domainId: await newDomain(server, { keyType: 'ONE_STEP' }) })
    assert.deepEqual(refusal(await change(phone.device)), required)
    await sql(server.database, `update domains set key_type = 'PIN' where id = ?`, phone.domainId)
    assert.deepEqual(refusal(await change(phone.device)), required)
    const [row] = await sql(
      server.database,
      'select factor, pin_key_cipher from tokens where tid = ?',
      phone.device.tid,
    )
    assert.deepEqual({ ...row }, { factor: 'none', pin_key_cipher: null })
  })

  it('the same message gets the same answer for as long as its clock allows, and is judged once', async () => {
    const phone = await newPhone(server, { pin: true })
    const right = await message(phone.device, { next: newPinKey() })
    const first = await server.device('factor', right)
    assert.equal(first.status, 200)
    server.clock.advance(299_000)
    assert.equal((await server.device('factor', right)).text, first.text)
    const other = await newPhone(server, { pin: true })
    const wrong = await message(other.device, { lies: { uv: wrongProof() } })
    for (let again = 0; again < 3; again++) assert.deepEqual(refusal(await server.device('factor', wrong)), failed(4))
    assert.equal(await unlockFailures(other.device), 1)
  })

  it('a PIN change and a wrong PIN at once are judged one after the other', async () => {
    const phone = await newPhone(server, { pin: true })
    const request = await phone.ask()
    const next = newPinKey()
    const [changed, wrong] = await Promise.all([
      change(phone.device, { next }),
      phone.device.approveWithWrongPin(request),
    ])
    assert.equal(changed.status, 200)
    assert.deepEqual(refusal(wrong), failed(4))
    phone.device.pinKey = next
    assert.equal((await phone.device.approve(request)).body.state, 'approved')
  })

  interface Change {
    next?: Uint8Array<ArrayBuffer>
    lies?: Record<string, unknown>
  }

  async function message(device: TestDevice, { next = newPinKey(), lies = {} }: Change = {}): Promise<string> {
    const common = device.common('factor')
    const jti = String(lies.jti ?? common.jti)
    const factor = { m: 'pin', k: toBase64url(next), kind: 'pin', len: 6 }
    return device.sign('factor', { ...common, factor, uv: await proofOf(device, jti), ...lies })
  }

  async function change(device: TestDevice, values?: Change): Promise<Reply> {
    return server.device('factor', await message(device, values))
  }

  async function unlockFailures(device: TestDevice): Promise<number> {
    const [row] = await sql(server.database, 'select unlock_failures from tokens where tid = ?', device.tid)
    return Number(row?.unlock_failures)
  }
})

async function proofOf(device: TestDevice, jti: string) {
  return { m: 'pin', p: await device.proof({ op: 'factor', ref: jti, ans: 'change', hash: new Uint8Array(32) }) }
}

function wrongProof() {
  return { m: 'pin', p: toBase64url(new Uint8Array(randomBytes(32))) }
}

function newPinKey(): Uint8Array<ArrayBuffer> {
  return new Uint8Array(randomBytes(32))
}
