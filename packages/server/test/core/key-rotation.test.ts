import assert from 'node:assert/strict'
import { after, before, it } from 'node:test'
import { activationMs, openSecrets } from '../../src/core/data-keys.ts'
import { type App, openForCommand, type RotationStep, rotateKeys, verifyAudit } from '../../src/main.ts'
import { auditOf } from '../support/audit.ts'
import { judged, newBypassCode, newFob } from '../support/codes.ts'
import { onEveryEngine } from '../support/engines.ts'
import { newPhone, newUser } from '../support/phones.ts'
import { startTestServer, type TestServer } from '../support/server.ts'
import { sql } from '../support/sql.ts'

onEveryEngine((engine) => {
  let server: TestServer
  before(async () => {
    server = await startTestServer(engine)
  })
  after(() => server.stop())

  /** What a command has: keys and connections of its own, and the test's clock. */
  async function beside<T>(work: (app: App) => Promise<T>): Promise<T> {
    const { app, close } = await openForCommand(server.config, { now: server.clock.now })
    try {
      return await work(app)
    } finally {
      await close()
    }
  }

  /** Rotates while the clock goes on and the server looks for new keys, as it does every 15 seconds. */
  const rotate = ({
    meanwhile = async () => {},
    onStep = () => {},
  }: {
    meanwhile?: () => Promise<void>
    onStep?: (step: RotationStep) => void
  } = {}) =>
    beside((app) =>
      rotateKeys(app, {
        onStep,
        async wait(ms) {
          server.clock.advance(Math.ceil(ms))
          await server.app.secrets.reload()
          await meanwhile()
        },
      }),
    )

  const fieldKeys = async () =>
    (await sql(server.database, `select id from data_keys where purpose <> 'root' order by created_at`)).map(
      ({ id }) => id,
    )

  it('every column of the database that ends in _cipher is in the list of those that are encrypted anew', async () => {
    const catalogue =
      engine.name === 'sqlite'
        ? `select m.name || '.' || c.name as name from sqlite_master m, pragma_table_info(m.name) c
           where m.type = 'table' and c.name like '%cipher%'`
        : `select table_name || '.' || column_name as name from information_schema.columns
           where table_schema = 'public' and column_name like '%cipher%'`
    const inDatabase = (await sql(server.database, catalogue)).map(({ name }) => name)
    const listed = server.app.storage.ciphers.columns.map(({ table, column }) => `${table}.${column}`)
    assert.deepEqual(listed.toSorted(), inDatabase.toSorted())
  })

  it('after a rotation every field is under the new key, and phones, codes and logins meanwhile know nothing of it', async () => {
    const phone = await newPhone(server, { pin: true })
    const waiting = await phone.ask()
    const { userId } = await newUser(server)
    const token = `/api/domains/${server.acme.domainId}/users/${userId}/token`
    const { body: issued } = await server.call('PUT', token)
    const clear = await plantEverywhere(server)
    const before = await fieldKeys()
    let logins = 0
    const rotation = await rotate({
      async meanwhile() {
        if (++logins % 20 !== 1) return // a phone may answer twenty times a minute
        const request = await phone.ask()
        assert.equal((await phone.device.approve(request)).status, 200)
      },
    })
    assert.ok(logins > 20)
    assert.deepEqual(rotation.removed, before)
    assert.deepEqual(await fieldKeys(), [rotation.key])
    const fields = await allFields(server)
    assert.ok(rotation.fields >= server.app.storage.ciphers.columns.length && rotation.fields <= fields.length)
    for (const field of fields) assert.match(field, new RegExp(`^v1\\.${rotation.key}\\.`))

    assert.equal((await phone.device.approve(waiting)).status, 200)
    assert.equal((await server.call('GET', token)).body.code, issued.code)
    await server.restart()
    assert.equal((await phone.device.approve(await phone.ask())).status, 200)
    assert.equal((await server.call('GET', token)).body.code, issued.code)
    await clear()
    const [event] = await sql(server.database, `select data from audit_events where event = 'keys.rotated'`)
    const { unreadable, ...told } = rotation
    assert.deepEqual([JSON.parse(String(event?.data)), unreadable], [told, []])
    assert.equal((await verifyAudit(server.app)).flaw, undefined)
  })

  it('a rotation shows how long it waits, and how many of how many fields are done', async () => {
    const steps: RotationStep[] = []
    const { fields } = await rotate({ onStep: (step) => steps.push(step) })
    const waited = steps.flatMap((step) => (step.step === 'waiting' ? step.leftMs : []))
    assert.equal(waited[0], activationMs)
    assert.ok(waited.length > 60 && waited.every((leftMs) => leftMs > 0 && leftMs <= activationMs))
    const encrypted = steps.flatMap((step) => (step.step === 'encrypting' ? step : []))
    for (const [index, { done, total }] of encrypted.entries()) {
      assert.equal(total, fields)
      assert.ok(done > (encrypted[index - 1]?.done ?? 0))
    }
    assert.equal(encrypted.at(-1)?.done, fields)
  })

  it('a new key encrypts from one minute after its creation on, and not before', async () => {
    const [old] = await fieldKeys()
    await assert.rejects(beside((app) => rotateKeys(app, { onStep() {}, wait: killed })))
    const [, young] = await fieldKeys()
    await server.app.secrets.reload()
    const place = { table: 't', column: 'c', row: 'r' }
    const keyNow = () => server.app.secrets.encrypt(place, 'x').split('.')[1]
    server.clock.advance(activationMs - 1)
    assert.equal(keyNow(), old)
    server.clock.advance(1)
    assert.equal(keyNow(), young)
    await rotate()
  })

  it('a rotation that is ended at any moment leaves all readable, and the next one ends it', async () => {
    const phone = await newPhone(server, { pin: true })
    const { userId } = await newUser(server)
    const token = `/api/domains/${server.acme.domainId}/users/${userId}/token`
    const { body: issued } = await server.call('PUT', token)
    const [old] = await fieldKeys()
    const kills = [1, 30, 60, 61, 62, 63, 64, 70, 90]
    for (const moment of kills) {
      let moments = 0
      const step = async (ms: number) => {
        if (++moments >= moment) return killed()
        server.clock.advance(Math.ceil(ms))
        await server.app.secrets.reload()
      }
      await beside((app) => rotateKeys(app, { onStep() {}, wait: step })).catch((error) =>
        assert.equal(error.message, 'killed'),
      )
      assert.equal((await phone.device.approve(await phone.ask())).status, 200)
      assert.equal((await server.call('GET', token)).body.code, issued.code)
      assert.ok((await fieldKeys()).length <= 2)
      server.clock.advance(60_000)
    }
    const { key } = await rotate()
    assert.notEqual(key, old)
    assert.deepEqual(await fieldKeys(), [key])
    for (const field of await allFields(server)) assert.ok(field.startsWith(`v1.${key}.`))
  })

  it('a field that was encrypted before the new key took over, and stored after it, is found', async () => {
    const { device } = await newPhone(server, { pin: true })
    const [row] = await sql(server.database, 'select pin_key_cipher from tokens where tid = ?', device.tid)
    const begun = server.clock.now()
    let stored = 0
    const { key, removed } = await rotate({
      async meanwhile() {
        if (server.clock.now() < begun + activationMs + 20_000 || stored++ > 0) return
        const set = 'update tokens set pin_key_cipher = ? where tid = ? returning tid'
        await sql(server.database, set, String(row?.pin_key_cipher), device.tid)
      },
    })
    assert.ok(stored > 0)
    assert.equal(removed.length, 1)
    for (const field of await allFields(server)) assert.ok(field.startsWith(`v1.${key}.`))
  })

  it('a field that changes while it is encrypted anew keeps its new value', async () => {
    const { device } = await newPhone(server, { pin: true })
    const { columns, list } = server.app.storage.ciphers
    const column = columns.find(({ column }) => column === 'pin_key_cipher')
    assert.ok(column)
    const fields = await list(column, { keyId: 'none', after: undefined, limit: 100 })
    const field = fields.find(({ key }) => key.includes(device.tid))
    assert.ok(field)
    await sql(server.database, `update tokens set pin_key_cipher = 'changed' where tid = ? returning tid`, device.tid)
    const replaced = await server.app.storage.transaction((tx) => tx.ciphers.replace(column, field, 'anew'))
    const [row] = await sql(server.database, 'select pin_key_cipher from tokens where tid = ?', device.tid)
    assert.deepEqual([replaced, row?.pin_key_cipher], [false, 'changed'])
    await sql(
      server.database,
      'update tokens set pin_key_cipher = ? where tid = ? returning tid',
      field.cipher,
      device.tid,
    )
  })

  it('two rotations at once end at one key', async () => {
    const begun = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
    const both = Promise.all(begun.map(({ promise }) => promise))
    const meet =
      ({ resolve }: { resolve(): void }) =>
      async () => {
        resolve()
        await both
      }
    const [one, other] = await Promise.all(begun.map((moment) => rotate({ meanwhile: meet(moment) })))
    assert.ok(one && other)
    assert.equal(one.key, other.key)
    assert.deepEqual(await fieldKeys(), [one.key])
  })

  it('a field that somebody has changed is told of, and keeps the key that it names, which stops no rotation', async () => {
    const phone = await newPhone(server, { pin: true })
    const { tid } = phone.device
    const [old] = await fieldKeys()
    const change = `update tokens set pin_key_cipher = ? where tid = ? returning tid`
    const [row] = await sql(server.database, `select pin_key_cipher from tokens where tid = ?`, tid)
    await sql(server.database, change, `v1.${old}.AAAAAAAAAAAAAAAA.${'A'.repeat(80)}`, tid)
    const first = await rotate()
    assert.deepEqual([first.removed, first.unreadable], [[], [`tokens.pin_key_cipher of ${server.acme.id}/${tid}`]])
    assert.deepEqual(await fieldKeys(), [old, first.key])
    const told = await auditOf(server, { event: 'fields.unreadable' })
    assert.deepEqual(told.at(-1)?.data, { key: first.key, count: 1, first: first.unreadable })
    const second = await rotate()
    assert.notEqual(second.key, first.key)
    assert.deepEqual([second.removed, second.unreadable], [[first.key], first.unreadable])
    assert.deepEqual(await fieldKeys(), [old, second.key])
    await sql(server.database, change, String(row?.pin_key_cipher), tid)
    const third = await rotate()
    assert.deepEqual([third.removed, third.unreadable], [[old, second.key], []])
    assert.deepEqual(await fieldKeys(), [third.key])
    assert.equal((await phone.device.approve(await phone.ask())).status, 200)
  })

  it('T37: a code or hardware token that was given to another user is named, and encrypted for nobody', async () => {
    const [{ userId: alice }, { userId: bob }] = [await newUser(server), await newUser(server)]
    const [code, fob] = [await newBypassCode(server, alice), await newFob(server, alice)]
    const give = async (userId: string) => {
      await sql(server.database, 'update bypass_codes set user_id = ? where id = ?', userId, code.id)
      await sql(server.database, 'update hardware_tokens set user_id = ? where id = ?', userId, fob.id)
    }
    await give(bob)
    const fields = { 'bypass_codes.code_cipher': code.id, 'hardware_tokens.seed_cipher': fob.id }
    const named = Object.entries(fields).map(([field, id]) => `${field} of ${server.acme.id}/${id}`)
    const { unreadable, removed } = await rotate()
    assert.deepEqual([unreadable, removed], [named, []])
    assert.equal(await judged(server, { id: bob }, { bypasscode: code.code }), 'wrong_code')
    await give(alice)
    assert.deepEqual((await rotate()).unreadable, [])
    assert.equal(await judged(server, { id: alice }, { bypasscode: code.code }), 'approved')
    assert.equal(await judged(server, { id: alice }, { otp: fob.otp() }), 'approved')
  })

  it('who has not looked for keys for 45 seconds encrypts nothing, and looks', async () => {
    let uptime = 0
    const { keyring } = server.config
    const secrets = await openSecrets(server.app.storage, { keyring, now: server.clock.now, uptime: () => uptime })
    const place = { table: 't', column: 'c', row: 'r' }
    const field = secrets.encrypt(place, 'x')
    uptime = 45_001
    assert.throws(() => secrets.encrypt(place, 'x'), { code: 'api.error.unavailable', retryAfterSeconds: 1 })
    assert.equal(secrets.decrypt(place, field), 'x')
    await secrets.reload()
    assert.equal(secrets.decrypt(place, secrets.encrypt(place, 'y')), 'y')
  })

  it('a field under a key that is younger than the last look is read soon after', async () => {
    const { keyring } = server.config
    const late = await openSecrets(server.app.storage, { keyring, now: server.clock.now })
    await rotate()
    const place = { table: 't', column: 'c', row: 'r' }
    const field = server.app.secrets.encrypt(place, 'x')
    assert.throws(() => late.decrypt(place, field), /There is no key/)
    for (let turns = 0; !reads(() => late.decrypt(place, field)); turns++) {
      assert.ok(turns < 10_000)
      await new Promise((resolve) => setImmediate(resolve))
    }
  })
})

function reads(work: () => string): boolean {
  try {
    return work() === 'x'
  } catch {
    return false // not yet
  }
}

async function killed(): Promise<never> {
  throw new Error('killed')
}

/** Every encrypted field there is. */
async function allFields(server: TestServer): Promise<string[]> {
  const fields: string[] = []
  for (const { table, column } of server.app.storage.ciphers.columns) {
    const rows = await sql(server.database, `select ${column} as field from ${table} where ${column} is not null`)
    assert.ok(rows.length > 0, `${table}.${column} has nothing that could be lost`)
    fields.push(...rows.map(({ field }) => String(field)))
  }
  return fields
}

/** Puts something into those columns that a login by phone does not fill. The returned function uses it. */
async function plantEverywhere(server: TestServer): Promise<() => Promise<void>> {
  const { device, userId } = await newPhone(server)
  const { code } = await newBypassCode(server, userId)
  const fob = await newFob(server, userId)
  const [{ userId: later }, spare] = [await newUser(server), await newFob(server, undefined)]
  const columns = ['push_endpoint_cipher', 'push_keys_cipher']
  const place = (column: string) => ({ table: 'tokens', column, row: device.tid })
  const push = columns.map((column) => server.app.secrets.encrypt(place(column), column))
  const set = 'update tokens set push_endpoint_cipher = ?, push_keys_cipher = ? where tid = ? returning tid'
  await sql(server.database, set, ...push, device.tid)
  return async () => {
    assert.equal(await judged(server, { id: userId }, { bypasscode: code }), 'approved')
    assert.equal(await judged(server, { id: userId }, { otp: fob.otp() }), 'approved')
    await server.call('PUT', `/api/users/${later}/hardware/${spare.id}`)
    assert.equal(await judged(server, { id: later }, { otp: spare.otp() }), 'approved')
    const [row] = await sql(server.database, `select ${columns.join(', ')} from tokens where tid = ?`, device.tid)
    for (const column of columns) {
      assert.equal(server.app.secrets.decrypt(place(column), String(row?.[column])), column)
    }
  }
}
