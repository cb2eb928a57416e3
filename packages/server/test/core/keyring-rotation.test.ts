import assert from 'node:assert/strict'
import {
  chmodSync,
  copyFileSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import { after, before, beforeEach, it } from 'node:test'
import { addKey, readKeyring } from '../../src/core/keyring.ts'
import { type App, dropOldKeys, listKeys, openForCommand, rotateKeyring, verifyAudit } from '../../src/main.ts'
import { backUpOf, restoreInto } from '../support/backups.ts'
import { onEveryEngine } from '../support/engines.ts'
import { newPhone, type Phone } from '../support/phones.ts'
import { startTestServer, type TestServer } from '../support/server.ts'
import { sql } from '../support/sql.ts'

onEveryEngine((engine) => {
  let server: TestServer
  let phone: Phone
  let keyring: string
  before(async () => {
    server = await startTestServer(engine)
    phone = await newPhone(server, { pin: true })
    keyring = server.config.keyring
  })
  after(() => server.stop())
  /** name of the key that wraps everything */
  let active: string
  beforeEach(() => {
    active = readKeyring(keyring).active
  })

  async function beside<T>(work: (app: App) => Promise<T>): Promise<T> {
    const { app, close } = await openForCommand(server.config, { now: server.clock.now })
    try {
      return await work(app)
    } finally {
      await close()
    }
  }
  const wrappers = async () =>
    (await sql(server.database, 'select distinct kek_id from data_keys')).map(({ kek_id }) => kek_id)
  const logIn = async () => assert.equal((await phone.device.approve(await phone.ask())).status, 200)

  it('a rotation wraps all keys by a new one, keeps the older one in the file, and changes nothing for anybody', async () => {
    const fields = await sql(server.database, 'select pin_key_cipher from tokens order by tid')
    const old = readKeyring(keyring).keys.get('k1')
    assert.deepEqual(await beside(rotateKeyring), { active: 'k2', before: ['k1'] })
    const { active, keys } = readKeyring(keyring)
    assert.deepEqual([active, [...keys.keys()], keys.get('k1')], ['k2', ['k1', 'k2'], old])
    assert.notDeepEqual(keys.get('k2'), old)
    assert.deepEqual(await wrappers(), ['k2'])
    for (const { wrapped } of await sql(server.database, 'select wrapped from data_keys'))
      assert.match(String(wrapped), /^v1\.k2\./)
    assert.deepEqual(await sql(server.database, 'select pin_key_cipher from tokens order by tid'), fields)
    await logIn()
    await server.restart()
    await logIn()
    assert.equal((await verifyAudit(server.app)).flaw, undefined)
  })

  it('the new file takes the old one’s place whole: its mode, its place behind a link, nothing beside it', async () => {
    assert.equal(statSync(keyring).mode & 0o777, 0o400)
    assert.deepEqual(
      readdirSync(dirname(keyring)).filter((name) => name.startsWith('keyring')),
      ['keyring.json'],
    )
    const link = join(dirname(keyring), 'link.json')
    symlinkSync(keyring, link)
    const { keys } = addKey(link)
    assert.equal(readKeyring(keyring).keys.size, keys.size)
    assert.deepEqual(readKeyring(link), readKeyring(keyring))
    rmSync(link)
    await beside(rotateKeyring) // that key is there now, and wraps nothing yet
    assert.deepEqual(await wrappers(), [readKeyring(keyring).active])
  })

  it('a rotation that was ended between the file and the database is continued, with no further key', async () => {
    const added = addKey(keyring)
    await server.restart()
    await logIn()
    assert.deepEqual(await beside(rotateKeyring), { active: added.active, before: [active] })
    assert.deepEqual(readKeyring(keyring), added)
    assert.deepEqual(await wrappers(), [added.active])
  })

  it('a node with the old file does not start, and says why; a copy of the new one helps', async () => {
    const copy = join(dirname(keyring), 'copy.json')
    copyFileSync(keyring, copy)
    await beside(rotateKeyring)
    const node = { ...server.config, keyring: copy }
    await assert.rejects(openForCommand(node), /is not the one this database was made with.*every node needs the same/)
    chmodSync(copy, 0o600)
    writeFileSync(copy, readFileSync(keyring))
    await (await openForCommand(node)).close()
  })

  it('a backup from before is restored with the new file, until the older keys are dropped from it', async (t) => {
    const file = await backUpOf(server.database)
    await beside(rotateKeyring)
    const older = join(dirname(keyring), 'older.json')
    copyFileSync(keyring, older)
    const [one, other] = [await engine.create(), await engine.create()]
    t.after(() => Promise.all([one.drop(), other.drop()]))
    await restoreInto(one, { file, keyring })
    const { dropped } = await beside(dropOldKeys)
    assert.ok(dropped.includes(active))
    assert.deepEqual([...readKeyring(keyring).keys.keys()], [readKeyring(keyring).active])
    await server.restart()
    await logIn()
    await assert.rejects(restoreInto(other, { file, keyring }), /needs the keyring of the installation/)
    await restoreInto(other, { file, keyring: older })
  })

  it('no key that wraps anything is dropped, and nothing is when a rotation was interrupted', async () => {
    assert.deepEqual(await beside(dropOldKeys), { active, dropped: [] })
    addKey(keyring)
    const text = readFileSync(keyring, 'utf8')
    await assert.rejects(beside(dropOldKeys), /rotation was interrupted/)
    assert.equal(readFileSync(keyring, 'utf8'), text)
    await beside(rotateKeyring)
  })

  it('a list names the keys, what they are for, and what wraps them, and holds none', async () => {
    const list = await beside(listKeys)
    const created = new Date(server.clock.now()).toISOString()
    const rows = await sql(server.database, 'select id, purpose from data_keys')
    const expected = rows.map(({ id, purpose }) => ({
      id,
      purpose,
      state: 'in use',
      wrappedBy: active,
      createdAt: created,
    }))
    assert.deepEqual(new Set(list.keys), new Set(expected))
    const last = list.keyring.at(-1)
    assert.deepEqual(last, { id: active, active: true, wraps: 2 })
    for (const key of readKeyring(keyring).keys.values()) {
      assert.ok(!JSON.stringify(list).includes(Buffer.from(key).toString('base64').slice(0, 8)))
    }
  })

  it('the log of the installation tells of each rotation and of what was dropped', async () => {
    const rows = await sql(
      server.database,
      `select event, data, organization_id from audit_events where event like 'keyring.%'`,
    )
    assert.ok(rows.some(({ event, data }) => event === 'keyring.rotated' && data === '{"active":"k2","before":["k1"]}'))
    assert.ok(rows.some(({ event }) => event === 'keyring.keys_dropped'))
    for (const { organization_id } of rows) assert.equal(organization_id, '')
    assert.equal((await verifyAudit(server.app)).flaw, undefined)
  })
})
