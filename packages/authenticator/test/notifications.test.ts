// What the server is told of a browser's push subscription, against a real server.
import assert from 'node:assert/strict'
import { after, afterEach, before, it } from 'node:test'
import { onSqlite } from '../../server/test/support/engines.ts'
import { pushSettings } from '../../server/test/support/pushes.ts'
import { startTestServer, type TestServer } from '../../server/test/support/server.ts'
import { sql } from '../../server/test/support/sql.ts'
import { TestSubscription } from '../../server/test/support/subscriptions.ts'
import { enrol, openPhone, type Phone, until } from './support/phone.ts'

/** A browser's subscription, which it keeps until it is told to end it. */
function browserPush() {
  let now = new TestSubscription()
  return {
    permission: 'granted' as const,
    current: async (vapid: string) => now.asMessage(vapid),
    subscribe: async (vapid: string) => now.asMessage(vapid),
    async unsubscribe() {
      now = new TestSubscription()
    },
    get endpoint() {
      return now.endpoint
    },
  }
}

onSqlite((engine) => {
  let server: TestServer
  let phone: Phone
  before(async () => {
    server = await startTestServer(engine, { settings: pushSettings })
  })
  after(() => server.stop())
  afterEach(() => phone.close())

  const none = 'push_endpoint_cipher = null, push_keys_cipher = null, push_endpoint_hash = null, push_vapid_id = null'
  /** the endpoints that the server was told, as often as it was */
  const told = (): string[] =>
    phone.network.sent
      .filter(({ path }) => path === '/push')
      .map(({ body }) => JSON.parse(Buffer.from(body.split('.')[1] ?? '', 'base64url').toString()).push.endpoint)

  it('a subscription that is gone is made anew once a visit, for every key, and the old one is not told again', async () => {
    const push = browserPush()
    phone = await openPhone(server, { push })
    for (const pin of [undefined, '482913']) await enrol(server, phone, pin)
    const endpoints = async () => (await phone.store.tokens()).map(({ pushEndpoint }) => pushEndpoint)
    assert.deepEqual(await endpoints(), [push.endpoint, push.endpoint])
    const dead = push.endpoint
    phone.network.sent.length = 0
    await sql(server.database, `update tokens set ${none}`)
    await phone.reopen()
    await until(() => told().length === 2)
    assert.notEqual(push.endpoint, dead)
    assert.deepEqual(told(), [push.endpoint, push.endpoint])
  })
})
