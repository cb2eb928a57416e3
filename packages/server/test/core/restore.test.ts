import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, it } from 'node:test'
import { gzipSync } from 'node:zlib'
import { newDataKey } from '../../src/core/data-keys.ts'
import { createKeyring } from '../../src/core/keyring.ts'
import { verifyAudit } from '../../src/main.ts'
import { openEngine } from '../../src/storage/engines/open.ts'
import { migrateInUnit } from '../../src/storage/migrations/migrate.ts'
import { backUpOf, contentOf, fileOf, fileWith, linesOf, newFile, restoreInto } from '../support/backups.ts'
import { onEveryEngine, type TestDatabase } from '../support/engines.ts'
import { startTestServer, type TestServer } from '../support/server.ts'
import { sql } from '../support/sql.ts'

onEveryEngine((engine) => {
  let server: TestServer
  let file: string
  let target: TestDatabase
  let keyring: string
  before(async () => {
    server = await startTestServer(engine)
    target = await engine.create()
    file = await backUpOf(server.database)
    keyring = server.config.keyring
  })
  after(async () => {
    await server.stop()
    await target.drop()
  })

  const untouched = async () => assert.deepEqual(await contentOf(target), {})

  it('a backup that was cut off or changed is refused, and nothing of it is restored', async () => {
    const all = Object.entries(damages(file))
    // What is read does not depend on the engine; that it is undone does.
    for (const [name, damaged] of engine.name === 'sqlite' ? all : all.filter(([name]) => late.includes(name))) {
      await assert.rejects(
        restoreInto(target, { file: damaged, keyring }),
        /is not a whole backup as it was written/,
        name,
      )
      await untouched()
    }
  })

  it('a backup that its own hash vouches for, but that has other tables than its version, is refused', async () => {
    const lines = linesOf(file)
    const users = lines.findIndex((line) => line.table === 'users')
    const without = lines.filter((_, index) => index !== users)
    const last = lines.findLastIndex((line) => line.table)
    const cut = lines.filter((_, index) => index < last || index === lines.length - 1)
    const renamed = lines.map((line) =>
      line.table === 'users' ? { ...line, columns: ['id"; drop table "users'] } : line,
    )
    for (const others of [without, cut, renamed]) {
      await assert.rejects(restoreInto(target, { file: vouchedFor(others), keyring }), /is not a whole backup/)
      await untouched()
    }
  })

  it('a backup of a newer version, or of another format, is refused by name', async () => {
    const [header, ...rest] = linesOf(file)
    const newer = { ...header, migrations: [...header.migrations, '9999-of-the-future'] }
    const given = vouchedFor([newer, ...rest])
    await assert.rejects(
      restoreInto(target, { file: given, keyring }),
      /newer version of Countersign \(9999-of-the-future\)/,
    )
    const format = vouchedFor([{ ...header, version: 2 }, ...rest])
    await assert.rejects(restoreInto(target, { file: format, keyring }), /format 2, which this version does not know/)
    await assert.rejects(restoreInto(target, { file: newFile(), keyring }), { code: 'ENOENT' })
    await untouched()
  })

  it('without its keyring, or with another one, a backup is not restored, and the message says what is needed', async () => {
    const missing = join(target.data, 'missing.json')
    const other = join(target.data, 'other.json')
    createKeyring(other)
    for (const wrong of [missing, other]) {
      const message = `A restore needs the keyring of the installation that the backup was made of, as ${wrong}.`
      await assert.rejects(restoreInto(target, { file, keyring: wrong }), { message })
      await untouched()
    }
    assert.equal(existsSync(missing), false)
  })

  it('a backup without the keys that its keyring would have to open is not restored, whatever the keyring', async () => {
    const lines = linesOf(file)
    const from = lines.findIndex((line) => line.table === 'data_keys') + 1
    const ofKeys = (line: unknown, at: number) => Array.isArray(line) && (at === from || at === from + 1)
    const lacking = (...purposes: string[]) =>
      vouchedFor(lines.filter((line, at) => !ofKeys(line, at) || !purposes.includes(line[1])))
    assert.deepEqual(
      lines
        .filter(ofKeys)
        .map((row) => row[1])
        .sort(),
      ['fields', 'root'],
    )
    for (const [purposes, named] of [
      [['root'], '"root"'],
      [['fields'], '"fields"'],
      [['root', 'fields'], '"root" and "fields"'],
    ] as const) {
      const given = lacking(...purposes)
      const message = `${given} lacks the data key ${named}: no keyring opens what is in it. Take a backup from before the keys were lost.`
      await assert.rejects(restoreInto(target, { file: given, keyring }), { message })
      await untouched()
    }
  })

  it('a database in which there are organizations, or on which a server runs, is not restored into', async (t) => {
    const own = await startTestServer(engine)
    t.after(() => own.database.drop())
    try {
      await assert.rejects(restoreInto(own.database, { file, keyring }), /server is running/)
    } finally {
      await own.server.stop()
    }
    const content = await contentOf(own.database)
    await assert.rejects(restoreInto(own.database, { file, keyring }), /has organizations/)
    assert.deepEqual(await contentOf(own.database), content)
  })

  it('an installation that was started and never used makes room, and runs on with the keyring of the backup', async (t) => {
    const fresh = await startTestServer(engine, { empty: true })
    t.after(() => fresh.database.drop())
    await fresh.server.stop()
    await restoreInto(fresh.database, { file, keyring })
    assert.deepEqual(await contentOf(fresh.database), await contentOf(server.database))
    const settings = { COUNTERSIGN_KEYRING: keyring }
    const restored = await startTestServer(engine, { database: fresh.database, settings, empty: true })
    assert.equal((await verifyAudit(restored.app)).flaw, undefined)
    await restored.stop()
  })

  it('a backup from before a migration is restored as it was, and then migrated', async (t) => {
    const old = await engine.create()
    t.after(() => old.drop())
    const oldKeyring = await firstVersion(old)
    const oldFile = await backUpOf(old)
    assert.deepEqual(linesOf(oldFile)[0].migrations, ['0001-first-tables'])
    const database = await engine.create()
    t.after(() => database.drop())
    await restoreInto(database, { file: oldFile, keyring: oldKeyring })
    assert.equal((await sql(database, 'select name from migrations')).length, linesOf(file)[0].migrations.length)
    const [organization] = await sql(database, 'select * from organizations')
    assert.deepEqual([organization?.name, organization?.settings], ['Old', '{}'])
  })
})

/** Damages that show when all rows are in the database. */
const late = ['all but the last byte', 'no trailer', 'a row changed', 'a row less', 'something after the end']

/** What may happen to a file, by name. */
function damages(file: string): Record<string, string> {
  const bytes = readFileSync(file)
  const lines = linesOf(file)
  const row = lines.findIndex((line) => Array.isArray(line) && line.includes('alice'))
  const flipped = Buffer.from(bytes)
  flipped.writeUInt8(flipped.readUInt8(bytes.length >> 1) ^ 1, bytes.length >> 1)
  const text = `${lines.map((line) => JSON.stringify(line)).join('\n')}\n`
  return {
    nothing: fileWith(new Uint8Array()),
    'one byte': fileWith(bytes.subarray(0, 1)),
    'half of it': fileWith(bytes.subarray(0, bytes.length >> 1)),
    'all but the last byte': fileWith(bytes.subarray(0, -1)),
    'a bit flipped': fileWith(flipped),
    'no trailer': fileOf(lines.slice(0, -1)),
    'the header only': fileOf(lines.slice(0, 1)),
    'a row changed': fileOf(lines.map((line, at) => (at === row ? line.toSpliced(2, 1, 'alicia') : line))),
    'a row less': fileOf(lines.toSpliced(row, 1)),
    'a row more': fileOf(lines.toSpliced(row, 0, lines[row].toSpliced(1, 1, '0'.repeat(40)).toSpliced(3, 1, 'x'))),
    'a row too short': fileOf(lines.map((line, at) => (at === row ? line.slice(1) : line))),
    'a row of objects': fileOf(lines.map((line, at) => (at === row ? line.map(() => ({})) : line))),
    'something after the end': fileOf([...lines, lines[row]]),
    'twice the same': fileOf([...lines, ...lines]),
    'no last newline': fileWith(gzipSync(text.trimEnd())),
    'no JSON': fileWith(gzipSync(text.replace('"alice"', 'alice'))),
    'not compressed': fileWith(Buffer.from(text)),
    'another kind of file': fileWith(gzipSync('{"format":"something-else"}\n')),
  }
}

/** The lines with a trailer that fits them. */
function vouchedFor(lines: unknown[]): string {
  const body = lines.slice(0, -1)
  const counts: Record<string, number> = {}
  for (const line of body) {
    if (Array.isArray(line)) counts[Object.keys(counts).at(-1) ?? ''] = (Object.values(counts).at(-1) ?? 0) + 1
    else if (typeof line === 'object' && line !== null && 'table' in line) counts[String(line.table)] = 0
  }
  const text = body.map((line) => `${JSON.stringify(line)}\n`).join('')
  return fileOf([...body, { rows: counts, sha256: createHash('sha256').update(text).digest('hex') }])
}

/** An organization in the first version's tables, and its keyring. */
async function firstVersion(database: TestDatabase): Promise<string> {
  const keyring = createKeyring(join(database.data, 'keyring.json'))
  const engine = openEngine({ data: database.data, database: database.url, busyWaitMs: 5_000, onError() {} })
  await engine.unit(({ run }) => migrateInUnit(engine.dialect, run, 1))
  await engine.close()
  for (const { id, purpose, kek_id, wrapped } of (['root', 'fields'] as const).map((purpose) =>
    newDataKey(keyring, purpose, 1),
  )) {
    await sql(database, 'insert into data_keys values (?, ?, ?, ?, 1) returning id', id, purpose, kek_id, wrapped)
  }
  await sql(database, `insert into organizations values ('o', 'Old', 1) returning id`)
  return join(database.data, 'keyring.json')
}
