import assert from 'node:assert/strict'
import { after, beforeEach, it } from 'node:test'
import { toBase64url } from '@countersign/protocol/base64url.ts'
import { newJti, TestDevice } from '../support/device.ts'
import { onEveryEngine } from '../support/engines.ts'
import { newPhone, refusal } from '../support/phones.ts'
import { type Reply, startTestServer, type TestServer } from '../support/server.ts'
import { allAtOnce, type Spy, spyOnStorage } from '../support/spied-storage.ts'

const limited = { status: 429, code: 'rate_limited' }
const badSignature = { status: 401, code: 'bad_signature' }
const unknownTid = 'f'.repeat(40)

onEveryEngine((engine) => {
  let server: TestServer
  let spy: Spy
  beforeEach(async () => {
    spy ??= spyOnStorage()
    server ??= await startTestServer(engine, { storage: spy.storage })
    server.clock.advance(60_000)
  })
  after(() => server.stop())

  it('T30: of three hundred strangers’ messages at once from one address a hundred and twenty are looked up', async () => {
    const messages = await Promise.all(Array.from({ length: 300 }, stranger))
    const replies = await allAtOnce(spy, 'tokens.findByTid', () => sendAll(messages))
    assert.equal(spy.calls.filter((call) => call === 'tokens.findByTid').length, 120)
    assert.equal(replies.filter(({ status }) => status === 401).length, 120)
    for (const reply of replies) if (reply.status !== 401) assert.deepEqual(refusal(reply), limited)
  })

  it('two hundred messages in order at once are all heard, though the server knows none of their signers yet', async () => {
    const phones = [await newPhone(server), await newPhone(server), await newPhone(server), await newPhone(server)]
    await server.restart()
    const messages = await Promise.all(
      Array.from({ length: 200 }, (_, index) => {
        const { device } = phones[index % phones.length] ?? assert.fail()
        return device.sign('push', { ...device.common('push'), push: null })
      }),
    )
    const replies = await allAtOnce(spy, 'tokens.findByTid', () => sendAll(messages))
    assert.deepEqual([...new Set(replies.map(({ status }) => status))], [200])
  })

  it('a poll that waits keeps nobody at its address waiting', async () => {
    const [waiter, other] = [await newPhone(server), await newPhone(server)]
    await Promise.all(Array.from({ length: 119 }, async () => server.device('push', await stranger())))
    server.app.publicKeys.clear()
    const waiting = waiter.device.poll({ wait: 25, have: [] })
    while (server.app.polls.open === 0) await new Promise(setImmediate)
    server.app.publicKeys.clear()
    const began = performance.now()
    assert.ok((await other.device.poll()).ok)
    assert.ok(performance.now() - began < 5_000, 'it waited')
    await server.call('POST', `/api/domains/${waiter.domainId}/sessions`, { body: { user: { id: waiter.userId } } })
    assert.ok((await waiting).ok)
  })

  it('an activation that cannot be finished counts like any other failure', async () => {
    const finish = async () => {
      const device = await TestDevice.prepare(server, unknownTid, { username: '', pin: false })
      const begun = { aid: newJti(), nonce: toBase64url(new Uint8Array(32)), tid: unknownTid }
      return server.device('activation/finish', await device.finishMessage(begun))
    }
    const failed = { status: 400, code: 'activation_failed' }
    for (let count = 0; count < 120; count++) assert.deepEqual(refusal(await finish()), failed)
    assert.deepEqual(refusal(await finish()), limited)
    assert.deepEqual(refusal(await server.device('push', await stranger())), limited)
    server.clock.advance(60_000)
    assert.deepEqual(refusal(await server.device('push', await stranger())), badSignature)
  })

  function sendAll(messages: string[]): Promise<Reply[]> {
    return Promise.all(messages.map((message) => server.device('push', message)))
  }

  let keys: CryptoKeyPair | undefined
  /** A message in order, of a token that this server does not know. */
  async function stranger(): Promise<string> {
    const device = await TestDevice.prepare(server, unknownTid, { username: '', pin: false })
    keys ??= device.keys
    return device.sign('push', { ...device.common('push'), push: null }, keys.privateKey)
  }
})
