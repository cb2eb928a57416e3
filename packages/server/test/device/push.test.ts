import assert from 'node:assert/strict'
import { after, before, it } from 'node:test'
import { newJti, type TestDevice } from '../support/device.ts'
import { onEveryEngine } from '../support/engines.ts'
import { newPhone, refusal } from '../support/phones.ts'
import { type Reply, startTestServer, type TestServer } from '../support/server.ts'
import { sql } from '../support/sql.ts'

const subscription = { endpoint: 'https://fcm.googleapis.com/x', p256dh: 'BCA', auth: 'EBE', vapid: 'BJC' }

onEveryEngine((engine) => {
  let server: TestServer
  before(async () => {
    server = await startTestServer(engine)
  })
  after(() => server.stop())

  it('where no pushes are sent a subscription and its end are answered alike, and none is kept', async () => {
    const phone = await newPhone(server)
    for (const push of [null, subscription, null]) {
      const reply = await subscribe(phone.device, { push })
      assert.equal(reply.text, `{"tid":"${phone.device.tid}","push":"none","time":${server.clock.now() / 1000}}`)
    }
    const polled = await phone.device.poll()
    assert.equal(polled.ok && polled.push, 'none')
    const [row] = await sql(server.database, 'select * from tokens where tid = ?', phone.device.tid)
    for (const column of ['push_endpoint_cipher', 'push_keys_cipher', 'push_endpoint_hash'])
      assert.equal(row?.[column], null)
  })

  it('refuses what is no subscription', async () => {
    const { device } = await newPhone(server)
    const wrong = [
      undefined,
      {},
      'x',
      { ...subscription, more: 1 },
      { ...subscription, auth: undefined },
      { ...subscription, endpoint: 1 },
      { ...subscription, endpoint: `https://fcm.googleapis.com/${'x'.repeat(2_048)}` },
      { ...subscription, p256dh: 'x'.repeat(129) },
    ]
    for (const push of wrong) {
      assert.deepEqual(
        refusal(await subscribe(device, { push })),
        { status: 400, code: 'malformed' },
        JSON.stringify(push),
      )
    }
  })

  it('the same message gets the same answer, the same jti with another message is a replay', async () => {
    const { device } = await newPhone(server)
    const jti = newJti()
    const first = await subscribe(device, { jti })
    server.clock.advance(2_000)
    const iat = server.clock.now() / 1000 - 2
    assert.equal((await subscribe(device, { jti, iat })).text, first.text)
    assert.deepEqual(refusal(await subscribe(device, { jti })), { status: 401, code: 'replayed' })
  })

  async function subscribe(device: TestDevice, members: Record<string, unknown>): Promise<Reply> {
    return server.device('push', await device.sign('push', { ...device.common('push'), push: null, ...members }))
  }
})
