import assert from 'node:assert/strict'
import { chmodSync, existsSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { after, before, it } from 'node:test'
import { openSecrets } from '../../src/core/data-keys.ts'
import { createKeyring } from '../../src/core/keyring.ts'
import { keyedHash, type MacPurpose, open, sameSecret, seal, secretsOf } from '../../src/core/secrets.ts'
import { openForCommand } from '../../src/main.ts'
import { onEveryEngine } from '../support/engines.ts'
import { startTestServer, type TestServer } from '../support/server.ts'
import { sql } from '../support/sql.ts'
import { readVectors } from '../support/vector-world.ts'

const root = new Uint8Array(32).fill(1)
const keys = new Map([['d1', new Uint8Array(32).fill(2)]])
const place = { table: 'tokens', column: 'pin_key_cipher', row: '1'.repeat(40) }
const purposes: MacPurpose[] = ['index', 'row', 'verdict', 'number', 'audit', 'reply', 'topic']

it('the vectors of encrypted fields are read, and those that were moved are not', () => {
  const { dek_hex, cases } = readVectors<{
    dek_hex: string
    cases: { aad: string; text: string; field: string; id: string }[]
  }>('field-encryption')
  const key = new Uint8Array(Buffer.from(dek_hex, 'hex'))
  for (const { aad, text, field, id } of cases) {
    assert.equal(open(key, aad, field), text)
    assert.throws(() => open(key, aad.replace(id, '0'.repeat(40)), field))
    assert.equal(open(key, aad, seal(key, 'd1', aad, text)), text)
  }
})

it('the vectors of row, verdict and number MACs are reproduced', () => {
  for (const name of ['row-mac', 'verdict-mac']) {
    const { key_hex, cases } = readVectors<{ key_hex: string; cases: { array: unknown[]; mac: string }[] }>(name)
    for (const { array, mac } of cases) assert.equal(keyedHash(Buffer.from(key_hex, 'hex'), JSON.stringify(array)), mac)
  }
  const numbers = readVectors<{ key_hex: string; cases: { sid: string; number: string; mac: string }[] }>('number')
  for (const { sid, number, mac } of numbers.cases) {
    assert.equal(keyedHash(Buffer.from(numbers.key_hex, 'hex'), `dp1/num\n${sid}\n${number}`), mac)
  }
})

it('the vector of a code’s index is reproduced', () => {
  const { index } = readVectors<{ index: { key_hex: string; code: string; index: string } }>('activation-code')
  assert.equal(keyedHash(Buffer.from(index.key_hex, 'hex'), `dp1/code\n${index.code}`), index.index)
})

it('a field that was changed, moved or cut does not decrypt', () => {
  const secrets = secretsOf(root, keys)
  const field = secrets.encrypt(place, 'the PIN key')
  assert.equal(secrets.decrypt(place, field), 'the PIN key')
  const moved = [
    { row: '2'.repeat(40) },
    { column: 'code_cipher' },
    { table: 'sessions' },
    { table: 'tokens|pin_key_cipher', column: '' },
  ]
  for (const other of moved) assert.throws(() => secrets.decrypt({ ...place, ...other }, field), JSON.stringify(other))
  for (let position = 0; position < field.length - 1; position++) {
    const character = field[position] === 'A' ? 'B' : 'A'
    const changed = `${field.slice(0, position)}${character}${field.slice(position + 1)}`
    assert.throws(() => secrets.decrypt(place, changed), changed)
  }
  for (const broken of ['', 'v1', 'v1.d1..', 'v2.d1.a.b', field.slice(0, -4), `${field}AAAA`, 'the PIN key']) {
    assert.throws(() => secrets.decrypt(place, broken), broken)
  }
})

it('the same text is never encrypted alike', () => {
  const secrets = secretsOf(root, keys)
  const fields = new Set(Array.from({ length: 100 }, () => secrets.encrypt(place, '482913')))
  assert.equal(fields.size, 100)
})

it('new fields are encrypted under the newest key, old ones are still read, and a key that is gone is missed', () => {
  const old = secretsOf(root, keys).encrypt(place, 'old')
  const both = secretsOf(root, new Map([...keys, ['d2', new Uint8Array(32).fill(3)]]))
  assert.equal(both.decrypt(place, old), 'old')
  assert.match(both.encrypt(place, 'new'), /^v1\.d2\./)
  assert.throws(() => secretsOf(root, keys).decrypt(place, both.encrypt(place, 'new')), {
    message: 'There is no key "d2".',
  })
})

it('each purpose has a key of its own, made of the root alone', () => {
  const secrets = secretsOf(root, keys)
  const macs = purposes.map((purpose) => secrets.mac(purpose, 'text'))
  assert.equal(new Set(macs).size, purposes.length)
  const other = secretsOf(root, new Map([['d9', new Uint8Array(32)]]))
  assert.deepEqual(
    purposes.map((purpose) => other.mac(purpose, 'text')),
    macs,
  )
  const foreign = secretsOf(new Uint8Array(32), keys)
  for (const [index, purpose] of purposes.entries()) assert.notEqual(foreign.mac(purpose, 'text'), macs[index])
})

it('secrets are compared whole', () => {
  assert.equal(sameSecret('', ''), true)
  assert.equal(sameSecret('abc', 'abc'), true)
  const others = Array.from({ length: 2_000 }, (_, index) => `abc${index}`)
  for (const other of ['', 'ab', 'ABC', 'abc\0', 'аbc', ...others]) assert.equal(sameSecret('abc', other), false, other)
})

onEveryEngine((engine) => {
  let server: TestServer
  before(async () => {
    server = await startTestServer(engine, { empty: true })
  })
  after(() => server.stop())

  it('a database with keys refuses to open without its keyring, and makes no other', async () => {
    const { keyring } = server.config
    renameSync(keyring, `${keyring}.away`)
    try {
      await assert.rejects(openForCommand(server.config), {
        message: new RegExp(`^The keyring ${keyring} is missing, .* COUNTERSIGN_KEYRING\\.$`),
      })
      assert.equal(existsSync(keyring), false)
    } finally {
      renameSync(`${keyring}.away`, keyring)
    }
  })

  it('a database refuses another keyring, even with a key of the same name, and one that others can read', async () => {
    const { keyring } = server.config
    const right = readFileSync(keyring, 'utf8')
    const { k1 } = JSON.parse(right).keys
    try {
      rmSync(keyring)
      createKeyring(keyring)
      await assert.rejects(openForCommand(server.config), /is not the one this database was made with/)
      replace(keyring, JSON.stringify({ active: 'k9', keys: { k9: k1 } }))
      await assert.rejects(openForCommand(server.config), /is not the one this database was made with/)
      replace(keyring, right)
      chmodSync(keyring, 0o440)
      await assert.rejects(openForCommand(server.config), /can be read by others/)
    } finally {
      replace(keyring, right)
    }
    const opened = await openForCommand(server.config)
    await opened.close()
  })

  it('the keys are in the database wrapped only, and two who open it have the same', async () => {
    const rows = await sql(server.database, 'select * from data_keys')
    assert.deepEqual(rows.map(({ purpose }) => purpose).sort(), ['fields', 'root'])
    for (const { wrapped } of rows) assert.match(String(wrapped), /^v1\.k1\.[\w-]{16}\.[\w-]{80}$/)
    const opened = await openForCommand(server.config)
    const field = server.app.secrets.encrypt(place, 'text')
    assert.equal(opened.app.secrets.decrypt(place, field), 'text')
    for (const purpose of purposes)
      assert.equal(opened.app.secrets.mac(purpose, 'x'), server.app.secrets.mac(purpose, 'x'))
    await opened.close()
  })

  it('wrapped keys that were exchanged, or lost, are noticed at the start', async () => {
    const rows = await sql(server.database, 'select * from data_keys order by purpose')
    const [fields, rootRow] = rows.map(({ wrapped }) => String(wrapped))
    const update = `update data_keys set wrapped = ? where purpose = ?`
    await sql(server.database, update, rootRow ?? '', 'fields')
    await assert.rejects(openForCommand(server.config), /is not the one this database was made with/)
    await sql(server.database, update, fields ?? '', 'fields')
    await sql(server.database, `update data_keys set purpose = 'other' where purpose = 'fields'`)
    await assert.rejects(openForCommand(server.config), /has lost its keys/)
    await sql(server.database, `update data_keys set purpose = 'fields' where purpose = 'other'`)
  })

  it('several who open an empty database at once agree on one set of keys', async () => {
    const fresh = await startTestServer(engine, { empty: true })
    await sql(fresh.database, 'delete from data_keys')
    const opening = Array.from({ length: 5 }, () =>
      openSecrets(fresh.app.storage, { keyring: fresh.config.keyring, now: () => 0 }),
    )
    const opened = await Promise.all(opening)
    assert.equal(new Set(opened.map(({ mac }) => mac('index', 'x'))).size, 1)
    const field = opened[0]?.encrypt(place, 'text') ?? ''
    for (const { decrypt } of opened) assert.equal(decrypt(place, field), 'text')
    assert.equal((await sql(fresh.database, 'select * from data_keys')).length, 2)
    await fresh.stop()
  })
})

function replace(file: string, text: string): void {
  rmSync(file, { force: true })
  writeFileSync(file, text, { mode: 0o400 })
}
