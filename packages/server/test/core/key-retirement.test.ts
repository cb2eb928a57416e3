import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { after, before, it } from 'node:test'
import { toBase64url } from '@countersign/protocol/base64url.ts'
import { createBypassCode } from '../../src/core/bypass-codes.ts'
import { newDataKey, openSecrets } from '../../src/core/data-keys.ts'
import { readKeyring } from '../../src/core/keyring.ts'
import { keyIdOf } from '../../src/core/secrets.ts'
import { type App, openForCommand, operatorOf, rotateKeys } from '../../src/main.ts'
import { judged, newBypassCode, newFob } from '../support/codes.ts'
import { newJti, TestDevice } from '../support/device.ts'
import { onEveryEngine } from '../support/engines.ts'
import { newPhone, newUser } from '../support/phones.ts'
import { type Reply, startTestServer, type TestServer } from '../support/server.ts'
import { sql } from '../support/sql.ts'
import { TestSubscription, vapidOf } from '../support/subscriptions.ts'

interface Writer {
  /** that this fills */
  columns: string[]
  /** Arranges what it needs; the returned function may be called again after a refusal. */
  prepare(server: TestServer): Promise<() => Promise<Reply>>
}

/** Every way in which an encrypted field comes into the database. */
const writers: Record<string, Writer> = {
  'a new token': {
    columns: ['tokens.code_cipher', 'tokens.secret_cipher'],
    async prepare(server) {
      const { userId } = await newUser(server)
      return () => server.call('PUT', `/api/domains/${server.acme.domainId}/users/${userId}/token`)
    },
  },
  'a token in the place of another': {
    columns: ['tokens.code_cipher', 'tokens.secret_cipher'],
    async prepare(server) {
      const { userId, domainId } = await newPhone(server)
      return () => server.call('POST', `/admin/v1/domains/${domainId}/members/${userId}/token/reissue`)
    },
  },
  'an activation with a PIN': {
    columns: ['tokens.pin_key_cipher'],
    async prepare(server) {
      const { userId, username } = await newUser(server)
      const { pinDomainId } = server.acme
      const issued = await server.call('PUT', `/api/domains/${pinDomainId}/users/${userId}/token`)
      const { code } = issued.body
      const begun = await server.device('activation/begin', { v: 1, code, username })
      const device = await TestDevice.prepare(server, begun.body.tid, { username, pin: true })
      const message = await device.finishMessage(begun.body)
      return () => server.device('activation/finish', message)
    },
  },
  'another PIN': {
    columns: ['tokens.pin_key_cipher'],
    async prepare(server) {
      const { device } = await newPhone(server, { pin: true })
      const jti = newJti()
      const p = await device.proof({ op: 'factor', ref: jti, ans: 'change', hash: new Uint8Array(32) })
      const factor = { m: 'pin', k: toBase64url(new Uint8Array(randomBytes(32))), kind: 'pin', len: 6 }
      const payload = { ...device.common('factor'), jti, factor, uv: { m: 'pin', p } }
      const message = await device.sign('factor', payload)
      return () => server.device('factor', message)
    },
  },
  'a subscription to pushes': {
    columns: ['tokens.push_endpoint_cipher', 'tokens.push_keys_cipher'],
    async prepare(server) {
      const { device } = await newPhone(server)
      const push = new TestSubscription().asMessage(await vapidOf(server))
      const message = await device.sign('push', { ...device.common('push'), push })
      return () => server.device('push', message)
    },
  },
  'an approval': {
    columns: ['sessions.evidence_cipher'],
    async prepare(server) {
      const { device, ask } = await newPhone(server)
      const message = await device.sign('answer', await device.approvalPayload(await ask()))
      return () => server.device('answer', message)
    },
  },
  'a bypass code': {
    columns: ['bypass_codes.code_cipher'],
    async prepare(server) {
      const { userId } = await newUser(server)
      return () => server.call('POST', `/api/users/${userId}/bypasscodes`, { body: {} })
    },
  },
  'a hardware token': {
    columns: ['hardware_tokens.seed_cipher'],
    async prepare(server) {
      const body = { serialNumber: newJti().slice(0, 9), type: 'TOTP6', timeStep: 30, seed: 'ab'.repeat(20) }
      return () => server.call('POST', '/api/hardware', { body })
    },
  },
  'a hardware token that is given to a user': {
    columns: ['hardware_tokens.seed_cipher'],
    async prepare(server) {
      const [{ userId }, fob] = [await newUser(server), await newFob(server, undefined)]
      return () => server.call('PUT', `/api/users/${userId}/hardware/${fob.id}`)
    },
  },
  'a hardware token that is taken away': {
    columns: ['hardware_tokens.seed_cipher'],
    async prepare(server) {
      const { userId } = await newUser(server)
      await newFob(server, userId)
      return () => server.call('DELETE', `/api/users/${userId}/hardware`)
    },
  },
  'a file of hardware tokens': {
    columns: ['hardware_tokens.seed_cipher'],
    async prepare(server) {
      const body = `${newJti().slice(0, 9)},${'ab'.repeat(20)}\n`
      return () => server.call('POST', '/admin/v1/hardware/import', { body, headers: { 'content-type': 'text/csv' } })
    },
  },
}

onEveryEngine((engine) => {
  let server: TestServer
  before(async () => {
    server = await startTestServer(engine, { settings: { COUNTERSIGN_PUSH_CONTACT: 'mailto:mfa@example.org' } })
  })
  after(() => server.stop())

  /** What a rotation does while this server, whose clock is late, looks away. */
  async function retireBehind(): Promise<string> {
    server.clock.advance(1)
    const key = newDataKey(readKeyring(server.config.keyring), 'fields', server.clock.now())
    await server.app.storage.transaction(async ({ keys }) => {
      await keys.insert([key])
      await keys.retire(key)
    })
    return key.id
  }

  for (const [name, { columns, prepare }] of Object.entries(writers)) {
    it(`${name}: under a key that was retired meanwhile nothing is stored, and the next try succeeds`, async () => {
      const write = await prepare(server)
      const fields = await allFields(server)
      const key = await retireBehind()
      const refused = await write()
      assert.deepEqual([refused.status, refused.headers.get('retry-after')], [503, '1'], refused.text)
      assert.deepEqual(await allFields(server), fields)
      await server.app.secrets.reload()
      const done = await write()
      assert.equal(done.status, 200, done.text)
      const stored = [...(await allFields(server))].filter(([place, field]) => fields.get(place) !== field)
      assert.deepEqual([...new Set(stored.map(([place]) => columnOf(place)))].sort(), columns)
      for (const [, field] of stored) assert.equal(keyIdOf(field), key)
    })
  }

  it('every column of encrypted fields is written by one of these', async () => {
    const written = new Set(Object.values(writers).flatMap(({ columns }) => columns))
    const all = server.app.storage.ciphers.columns.map(({ table, column }) => `${table}.${column}`)
    assert.deepEqual([...written].sort(), all.sort())
  })

  it('keys are not retired before the units that store something under them have ended', async () => {
    await server.app.secrets.reload()
    const { userId } = await newUser(server)
    const { id } = await newBypassCode(server, userId)
    const begun = Promise.withResolvers<void>()
    const hung = Promise.withResolvers<void>()
    const order: string[] = []
    const storing = server.app.storage.transaction(async (tx) => {
      const [row] = await tx.bypassCodes.listOf(server.acme.id, userId)
      assert.ok(row && (await tx.keys.hold(keyIdOf(row.code_cipher))))
      begun.resolve()
      await hung.promise
      await tx.bypassCodes.insert({ ...row, id: 'f'.repeat(40) })
      order.push('stored')
    })
    await begun.promise
    const retiring = retireBehind().then(() => order.push('retired'))
    await new Promise((resolve) => setTimeout(resolve, 50)) // a retirement that waited for nothing would be over
    hung.resolve()
    await Promise.all([storing, retiring])
    assert.deepEqual(order, ['stored', 'retired'])
    await sql(server.database, `delete from bypass_codes where id in (?, ?) returning id`, id, 'f'.repeat(40))
    await server.app.secrets.reload()
  })

  it('a node that was asleep, with a clock that stands still, loses nothing that it acknowledges during a rotation', async () => {
    const { config, app, clock } = server
    const wait = async (ms: number) => clock.advance(Math.ceil(ms))
    await beside(server, (app) => rotateKeys(app, { onStep() {}, wait })) // the one that the tests above began
    const [began, actor] = [clock.now(), await operatorOf(app, server.acme.id)]
    const options = { keyring: config.keyring, now: () => began, uptime: () => 0 }
    const asleep: App = { ...app, secrets: await openSecrets(app.storage, options) }
    const acknowledged: { userId: string; code: string }[] = []
    const refused: unknown[] = []
    const rotation = await beside(server, (app) =>
      rotateKeys(app, {
        onStep() {},
        wait: async (ms) => {
          await wait(ms)
          const { userId } = await newUser(server)
          const issued = createBypassCode(asleep, actor, { userId })
          await issued
            .then(({ code }) => acknowledged.push({ userId, code }))
            .catch((error) => refused.push(error.code))
        },
      }),
    )
    assert.ok(acknowledged.length > 60)
    assert.deepEqual([...new Set(refused)], ['api.error.unavailable'])
    for (const [place, field] of await allFields(server)) assert.equal(keyIdOf(field), rotation.key, place)
    await server.restart()
    for (const { userId, code } of acknowledged)
      assert.equal(await judged(server, { id: userId }, { bypasscode: code }), 'approved')
  })
})

async function beside<T>({ config, clock }: TestServer, work: (app: App) => Promise<T>): Promise<T> {
  const { app, close } = await openForCommand(config, { now: clock.now })
  try {
    return await work(app)
  } finally {
    await close()
  }
}

/** Every encrypted field there is, by `table.column of row`. */
async function allFields(server: TestServer): Promise<Map<string, string>> {
  const fields = new Map<string, string>()
  for (const { table, column, row } of server.app.storage.ciphers.columns) {
    const rows = await sql(
      server.database,
      `select ${row} as id, ${column} as field from ${table} where ${column} is not null`,
    )
    for (const { id, field } of rows) fields.set(`${table}.${column} of ${id}`, String(field))
  }
  return fields
}

function columnOf(place: string): string {
  return place.split(' ')[0] ?? ''
}
