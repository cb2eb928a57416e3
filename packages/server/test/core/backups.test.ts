import assert from 'node:assert/strict'
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { dirname } from 'node:path'
import { after, before, it } from 'node:test'
import { gunzipSync } from 'node:zlib'
import { readKeyring } from '../../src/core/keyring.ts'
import { open } from '../../src/core/secrets.ts'
import { backUp, verifyAudit } from '../../src/main.ts'
import { backups } from '../../src/storage/backups.ts'
import { openEngine } from '../../src/storage/engines/open.ts'
import { backUpOf, contentOf, linesOf, restoreInto } from '../support/backups.ts'
import { newBypassCode } from '../support/codes.ts'
import { everyEngine, onEveryEngine, type TestEngine } from '../support/engines.ts'
import { newPhone, newUser, type Phone } from '../support/phones.ts'
import { startTestServer, type TestServer } from '../support/server.ts'
import { sql } from '../support/sql.ts'

onEveryEngine((engine) => {
  let server: TestServer
  before(async () => {
    server = await startTestServer(engine)
  })
  after(() => server.stop())

  it('a backup has every column of every table that the database says it has', async () => {
    const catalogue =
      engine.name === 'sqlite'
        ? `select m.name as table_name, c.name as column_name from sqlite_master m, pragma_table_info(m.name) c
           where m.type = 'table' and m.name not like 'sqlite_%'`
        : `select table_name, column_name from information_schema.columns where table_schema = 'public'`
    const columns = (await sql(server.database, catalogue))
      .filter(({ table_name }) => table_name !== 'migrations')
      .map(({ table_name, column_name }) => `${table_name}.${column_name}`)
    const tables = linesOf(await backUpOf(server.database)).filter((line) => line.table)
    const backedUp = tables.flatMap(({ table, columns }) => columns.map((column: string) => `${table}.${column}`))
    assert.deepEqual(backedUp.sort(), columns.sort())
    assert.ok(columns.length > 100)
  })

  it('a backup is its owner’s alone, leaves nothing beside it, and never takes the place of a file', async () => {
    const file = await backUpOf(server.database)
    assert.equal(statSync(file).mode & 0o777, 0o600)
    assert.deepEqual(
      readdirSync(dirname(file)).filter((name) => name.endsWith('.partial')),
      [],
    )
    const content = readFileSync(file)
    await assert.rejects(backUp(server.config, { file, onRows() {} }), /exists already/)
    assert.deepEqual(readFileSync(file), content)
  })

  it('a backup holds no key of the keyring and nothing that its data keys protect', async () => {
    const phone = await newPhone(server, { pin: true })
    const { userId } = await newUser(server)
    const issued = await server.call('PUT', `/api/domains/${server.acme.domainId}/users/${userId}/token`)
    const text = gunzipSync(readFileSync(await backUpOf(server.database))).toString('utf8')
    assert.ok(text.includes(phone.device.tid) && text.includes(userId))
    const keys = Object.values(JSON.parse(readFileSync(server.config.keyring, 'utf8')).keys)
    const pinKey = Buffer.from(phone.device.pinKey ?? [])
    for (const secret of [...keys, pinKey.toString('base64url'), pinKey.toString('hex'), issued.body.code]) {
      assert.ok(!text.includes(String(secret)))
    }
  })

  it('a backup without the keyring decrypts nothing: whatever is in it opens none of its keys and none of its fields', async () => {
    await newBypassCode(server, (await newPhone(server, { pin: true })).userId)
    const { keys, fields, candidates } = sealedIn(linesOf(await backUpOf(server.database)))
    assert.ok(keys.length === 2 && fields.length >= 2 && candidates.length > 2)
    for (const { sealed, additional } of [...keys, ...fields]) {
      for (const key of candidates) assert.throws(() => open(key, additional, sealed))
    }
    // With the keyring the same steps lead to every one of them.
    const { active, keys: ring } = readKeyring(server.config.keyring)
    const kek = ring.get(active) ?? new Uint8Array()
    const opened = keys.map(({ sealed, additional }) => Buffer.from(open(kek, additional, sealed), 'base64'))
    for (const { sealed, additional } of fields) {
      assert.ok(opened.some((key) => opens(key, additional, sealed)))
    }
  })

  it('what is written while a backup is read is not in it', async (t) => {
    const { data, url } = server.database
    const own = openEngine({ data, database: url, busyWaitMs: 5_000, onError() {} })
    t.after(() => own.close())
    const usernames = await backups(own).read(async ({ tables, pages }) => {
      const late = await server.call('POST', '/api/users', { body: { username: 'latecomer' } })
      assert.equal(late.status, 200)
      const users = tables.find(({ name }) => name === 'users')
      assert.ok(users)
      return (await Array.fromAsync(pages(users))).flat().map((row) => row[users.columns.indexOf('username')])
    })
    assert.ok(usernames.includes('alice') && !usernames.includes('latecomer'))
  })

  it('a backup beside a busy server, restored elsewhere, is of one moment and gives the same answers', async (t) => {
    const phones = await Promise.all(Array.from({ length: 4 }, () => newPhone(server)))
    let busy = true
    const lives = phones.map((phone) => logInUntil(server, phone, () => !busy))
    const files = [await backUpOf(server.database), await backUpOf(server.database), await backUpOf(server.database)]
    busy = false
    const logins = (await Promise.all(lives)).reduce((sum, count) => sum + count, 0)
    assert.ok(logins > 0)
    const database = await engine.create()
    const file = files[1] ?? ''
    await restoreInto(database, { file, keyring: server.config.keyring })
    const settings = { COUNTERSIGN_KEYRING: server.config.keyring }
    const restored = await startTestServer(engine, { database, clock: server.clock, settings, empty: true })
    t.after(async () => {
      await restored.stop()
      await database.drop()
    })
    const { flaw, events } = await verifyAudit(restored.app)
    assert.equal(flaw, undefined)
    assert.ok(events > 0)
    // A session and the event that tells of it were written in one transaction.
    const sessions = await sql(database, `select sid, domain_id from sessions where state = 'approved' order by sid`)
    const told = await sql(database, `select sid from audit_events where event = 'session.approved' order by sid`)
    assert.deepEqual(
      sessions.map(({ sid }) => sid),
      told.map(({ sid }) => sid),
    )
    const paths = [
      '/api/users',
      ...phones.map(({ token }) => token),
      ...sessions.map(({ sid, domain_id }) => `/api/domains/${domain_id}/sessions/${sid}`),
    ]
    for (const path of paths) {
      const answer = await server.call('GET', path)
      assert.equal(answer.status, 200, path)
      assert.equal((await restored.call('GET', path, { key: server.acme.apiKey })).text, answer.text, path)
    }
  })

  for (const target of everyEngine) {
    it(`what is restored into ${target.name} answers as the original did, and its phones approve`, async (t) => {
      await restoredAnswersAlike(engine, target, (work) => t.after(work))
    })
  }
})

async function restoredAnswersAlike(
  engine: TestEngine,
  target: TestEngine,
  after: (work: () => Promise<void>) => void,
) {
  const [from, to] = [await engine.create(), await target.create()]
  const original = await startTestServer(engine, { database: from })
  const phone = await newPhone(original, { pin: true })
  await phone.device.approve(await phone.ask())
  const pending = await phone.ask()
  const { userId } = await newUser(original)
  const token = `/api/domains/${original.acme.domainId}/users/${userId}/token`
  await original.call('PUT', token)
  const session = `/api/domains/${phone.domainId}/sessions/${pending.sid}`
  const paths = [
    '/api/users',
    `/api/users/${userId}`,
    `/api/domains/${phone.domainId}/users`,
    phone.token,
    token,
    session,
  ]
  const answers = () => Promise.all(paths.map(async (path) => (await original.call('GET', path)).text))
  const before = await answers()
  const file = await backUpOf(from)
  const content = await contentOf(from)
  await original.stop()

  await restoreInto(to, { file, keyring: original.config.keyring })
  assert.deepEqual(await contentOf(to), content)
  const settings = inPlaceOf(original)
  const restored = await startTestServer(target, { database: to, clock: original.clock, settings, empty: true })
  after(async () => {
    await restored.stop()
    await Promise.all([from.drop(), to.drop()])
  })
  assert.deepEqual(await answers(), before)
  assert.equal((await verifyAudit(restored.app)).flaw, undefined)
  assert.equal((await phone.device.approve(pending)).status, 200)
  assert.equal(await phone.verdict(pending.sid), 'approved')
  assert.equal((await phone.device.approve(await phone.ask())).status, 200)
}

interface Sealed {
  sealed: string
  /** what is authenticated with it */
  additional: string
}

/** What is encrypted in a backup, and whatever else in it could be a key of 32 bytes, in any usual form. */
// biome-ignore lint/suspicious/noExplicitAny: the lines of a backup
function sealedIn(lines: any[]): { keys: Sealed[]; fields: Sealed[]; candidates: Uint8Array[] } {
  const keys: Sealed[] = []
  const fields: Sealed[] = []
  const candidates = new Set<string>()
  let table: { table: string; columns: string[] } = { table: '', columns: [] }
  for (const line of lines) {
    if (line.table) table = line
    if (!Array.isArray(line)) continue
    const row = Object.fromEntries(table.columns.map((column, index) => [column, line[index]]))
    for (const [column, value] of Object.entries(row)) {
      if (typeof value !== 'string') continue
      const owned = ['bypass_codes', 'hardware_tokens'].includes(table.table) ? `${row.user_id ?? ''}/` : ''
      const additional = `${table.table}|${column}|${owned}${row.tid ?? row.sid ?? row.id}|v1`
      if (column === 'wrapped') keys.push({ sealed: value, additional })
      else if (column.endsWith('_cipher')) fields.push({ sealed: value, additional })
      for (const form of ['utf8', 'hex', 'base64'] as const) candidates.add(Buffer.from(value, form).toString('hex'))
    }
  }
  return {
    keys,
    fields,
    candidates: [...candidates].filter(({ length }) => length === 64).map((hex) => Buffer.from(hex, 'hex')),
  }
}

function opens(key: Uint8Array, additional: string, sealed: string): boolean {
  try {
    return open(key, additional, sealed) !== ''
  } catch {
    return false // another key's
  }
}

/** Answers to logins until it is told to stop; how many there were. */
async function logInUntil(server: TestServer, phone: Phone, stopped: () => boolean): Promise<number> {
  for (let logins = 0; ; logins++) {
    if (stopped()) return logins
    assert.equal((await phone.device.approve(await phone.ask())).status, 200)
    server.clock.advance(1_000)
  }
}

/** The same addresses, where applications and phones go on looking for it. */
function inPlaceOf({ config }: TestServer): Record<string, string> {
  return {
    COUNTERSIGN_KEYRING: config.keyring,
    COUNTERSIGN_API_LISTEN: `127.0.0.1:${config.apiListen.port}`,
    COUNTERSIGN_DEVICE_LISTEN: `127.0.0.1:${config.deviceListen.port}`,
  }
}
