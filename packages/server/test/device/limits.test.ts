import assert from 'node:assert/strict'
import { after, before, it } from 'node:test'
import { toBase64url } from '@countersign/protocol/base64url.ts'
import { onEveryEngine } from '../support/engines.ts'
import { newPhone, type Phone, refusal } from '../support/phones.ts'
import { type Reply, startTestServer, type TestServer } from '../support/server.ts'

const limited = { status: 429, code: 'rate_limited' }
const required = { status: 403, code: 'factor_required' }
const unknown = { status: 404, code: 'unknown_session' }

onEveryEngine((engine) => {
  let server: TestServer
  let direct: TestServer
  before(async () => {
    server = await startTestServer(engine, { settings: { COUNTERSIGN_TRUSTED_PROXIES: '127.0.0.1,10.9.0.0/16' } })
    direct = await startTestServer(engine)
  })
  after(() => Promise.all([server.stop(), direct.stop()]))

  it('a token is heard sixty times a minute, whatever it says, and others are not concerned', async () => {
    const [phone, other] = [await newPhone(server), await newPhone(server)]
    for (let count = 0; count < 60; count += 2) {
      assert.ok((await phone.device.poll()).ok)
      const skewed = await phone.device.poll({ lies: { iat: 0 } })
      assert.equal(skewed.ok, false)
    }
    assert.deepEqual(await phone.device.poll(), { kid: phone.device.tid, ok: false, code: 'rate_limited' })
    const push = await phone.device.sign('push', { ...phone.device.common('push'), push: null })
    const reply = await server.device('push', push)
    assert.deepEqual(refusal(reply), limited)
    assert.equal(reply.headers.get('retry-after'), '60')
    assert.ok((await other.device.poll()).ok)
    server.clock.advance(59_999)
    assert.deepEqual(await phone.device.poll(), { kid: phone.device.tid, ok: false, code: 'rate_limited' })
    server.clock.advance(1)
    assert.ok((await phone.device.poll()).ok)
  })

  it('messages that the token did not sign do not use up its sixty', async () => {
    const [phone, stranger] = [await newPhone(server), await newPhone(server)]
    await times(61, async (count) => {
      const forged = await phone.device.sign('push', phone.device.common('push'), stranger.device.keys.privateKey)
      assert.equal((await from(`10.4.0.${count}`, forged)).status, 401)
    })
    assert.ok((await phone.device.poll()).ok)
  })

  it('A13: a token answers twenty times a minute, also after a restart', async () => {
    const phone = await newPhone(server, { pin: true })
    const requests = [await phone.ask(), await phone.ask(), await phone.ask()]
    for (let count = 0; count < 20; count++) {
      const request = requests[count % 2] ?? assert.fail()
      assert.deepEqual(refusal(await phone.device.approve(request, { uv: undefined })), required)
    }
    server.clock.advance(10_000)
    for (const restart of [false, true]) {
      if (restart) await server.restart()
      const reply = await phone.device.approve(requests[2] ?? assert.fail())
      assert.deepEqual(refusal(reply), limited)
      assert.equal(reply.headers.get('retry-after'), '50')
    }
    assert.equal(await phone.verdict(requests[2]?.sid ?? ''), 'pending')
    server.clock.advance(50_000)
    assert.equal((await phone.device.approve(requests[2] ?? assert.fail())).body.state, 'approved')
  })

  it('a request takes ten answers, and after them not even the right one', async () => {
    const phone = await newPhone(server, { pin: true })
    const request = await phone.ask()
    for (let count = 0; count < 10; count++) {
      assert.deepEqual(refusal(await phone.device.approve(request, { uv: undefined })), required)
    }
    assert.deepEqual(refusal(await phone.device.approve(request)), limited)
    server.clock.advance(60_000)
    await server.restart()
    assert.deepEqual(refusal(await phone.device.approve(request)), limited)
    assert.equal(await phone.verdict(request.sid), 'pending')
    assert.equal((await phone.device.approve(await phone.ask())).body.state, 'approved')
  })

  it('an address fails a hundred and twenty times a minute, and then has to wait; others do not', async () => {
    const failures = ['', 'x.y.z', '..', await stranger(), 'x'.repeat(100)]
    await times(120, async (count) => {
      assert.ok([400, 401].includes((await from('203.0.113.9', failures[count % 5] ?? '')).status))
    })
    const reply = await from('203.0.113.9', '')
    assert.deepEqual(refusal(reply), limited)
    assert.equal(reply.headers.get('retry-after'), '60')
    assert.deepEqual(refusal(await server.device('sync', {}, forwarded('203.0.113.9'))), limited)
    assert.equal((await from('203.0.113.10', '')).status, 400)
    server.clock.advance(60_000)
    assert.equal((await from('203.0.113.9', '')).status, 400)
  })

  it('a failed message inside a poll counts like any other', async () => {
    const tokens = Array.from({ length: 20 }, () => 'no message')
    for (let count = 0; count < 6; count++) {
      assert.equal((await server.device('sync', { wait: 0, tokens }, forwarded('203.0.113.20'))).status, 200)
    }
    assert.deepEqual(refusal(await from('203.0.113.20', '')), limited)
  })

  it('IPv6 addresses of one /64 are one address, and an IPv4 address written as IPv6 is itself', async () => {
    await times(120, (count) => from(`2001:db8:0:1::${(count % 30).toString(16)}`, ''))
    assert.deepEqual(refusal(await from('2001:db8:0:1:ffff::1', '')), limited)
    assert.equal((await from('2001:db8:0:2::1', '')).status, 400)
    await times(120, (count) => from(count % 2 ? '203.0.113.30' : '::ffff:203.0.113.30', ''))
    assert.deepEqual(refusal(await from('203.0.113.30', '')), limited)
  })

  it('what is validly signed never counts against its address, however it is answered', async () => {
    const phones: Phone[] = []
    for (let count = 0; count < 4; count++) phones.push(await newPhone(direct, { pin: true }))
    for (const { device, ask } of phones) {
      const request = await ask()
      for (let count = 0; count < 10; count++) {
        assert.deepEqual(refusal(await device.approve({ ...request, sid: 'f'.repeat(40) })), unknown)
        assert.equal((await device.poll({ lies: { iat: 0 } })).ok, false)
        assert.deepEqual(refusal(await device.approve({ ...request, ch: 'AAAA' })), {
          status: 409,
          code: 'challenge_mismatch',
        })
        const jti = toBase64url(new Uint8Array(16).fill(count))
        assert.ok((await device.poll({ lies: { jti } })).ok)
        assert.deepEqual(await device.poll({ lies: { jti } }), { kid: device.tid, ok: false, code: 'replayed' })
      }
      assert.deepEqual(refusal(await device.approveWithWrongPin(request)), limited)
    }
    assert.equal((await direct.device('answer', '')).status, 400, 'and nobody has to wait')
  })

  it('X-Forwarded-For is believed from trusted proxies only, and only as far as they go', async () => {
    await times(120, (count) => direct.device('answer', '', forwarded(`10.5.0.${count}`)))
    assert.deepEqual(refusal(await direct.device('answer', '', forwarded('198.51.100.1'))), limited)
    direct.clock.advance(60_000)
    // The client wrote the first address itself; 10.9.0.1 is a trusted proxy, 203.0.113.40 is whom it saw.
    await times(120, (count) => from(`10.6.0.${count}, 203.0.113.40, 10.9.0.1`, ''))
    assert.deepEqual(refusal(await from('203.0.113.40', '')), limited)
    assert.equal((await from('10.6.0.1', '')).status, 400)
  })

  it('what is validly signed is heard also from an address that has to wait: phones share it with whoever else is there', async () => {
    const phone = await newPhone(direct)
    await times(120, () => direct.device('answer', ''))
    try {
      assert.equal((await phone.device.poll()).ok, true)
    } finally {
      direct.clock.advance(60_000)
    }
  })

  function from(address: string, message: string): Promise<Reply> {
    return server.device('push', message, forwarded(address))
  }

  /** A message in order, of a token that this server does not know. */
  async function stranger(): Promise<string> {
    const { device } = await newPhone(direct)
    return device.sign('push', { ...device.common('push'), push: null })
  }
})

function times<T>(count: number, work: (index: number) => Promise<T>): Promise<T[]> {
  return Promise.all(Array.from({ length: count }, (_, index) => work(index)))
}

function forwarded(address: string) {
  return { 'x-forwarded-for': address }
}
