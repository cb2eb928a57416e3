// `countersign keys` beside servers in processes of their own.
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { it } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { rotateKeys } from '@countersign/server/main.ts'
import { onEveryEngine, onSqlite, type TestDatabase } from '../../server/test/support/engines.ts'
import { type Cluster, runCommand, startCluster } from '../../server/test/support/process.ts'
import { expectOk, newRacer, type Racer } from '../../server/test/support/races.ts'
import type { Front } from '../../server/test/support/server.ts'
import { sql } from '../../server/test/support/sql.ts'

const command = join(import.meta.dirname, '../../../bin/countersign')
const codes = 2_000

onEveryEngine((engine) => {
  it('logins go on while the keys are rotated, by a command that is killed again and again', async (t) => {
    const cluster = await startCluster(engine, { nodes: engine.name === 'postgres' ? 2 : 1 })
    t.after(() => cluster.stop())
    const [front] = cluster.nodes
    assert.ok(front)
    const racers = await Promise.all([0, 1, 2].map(() => newRacer(front, { pin: true })))
    const pending = await expectOk(
      front.call('PUT', `/api/domains/${cluster.acme.domainId}/users/${cluster.acme.bob}/token`),
    )
    await plantCodes(cluster)
    const key = await keyOfLongAgo(cluster)

    let running = true
    const lives = cluster.nodes.flatMap((node) => [node, node]).map((node) => logInWhile(node, () => running))
    for (const share of [0.1, 0.3, 0.5, 0.9]) await killAt(cluster, key, Math.floor(codes * share))
    const last = await runCommand(cluster.environment, 'keys', 'rotate', '--json')
    running = false
    const logins = (await Promise.all(lives)).reduce((sum, count) => sum + count, 0)
    assert.equal(last.code, 0, last.errors)
    const { fields, removed, ...rest } = JSON.parse(last.output)
    assert.deepEqual([rest, removed.length], [{ key, unreadable: [] }, 1])
    assert.ok(fields > 0 && fields < codes && logins > 10, `${fields} fields, ${logins} logins`)

    assert.deepEqual(await countByKey(cluster.database), { [key]: codes })
    for (const node of cluster.nodes) await node.kill('SIGTERM')
    for (const node of cluster.nodes) await node.start()
    for (const racer of racers) await logIn(racer)
    const read = await front.call('GET', `/api/domains/${cluster.acme.domainId}/users/${cluster.acme.bob}/token`)
    assert.equal(read.body.code, pending.body.code)
    for (const { errors } of cluster.nodes) assert.equal(errors, '')
    const verified = await runCommand(cluster.environment, 'audit', 'verify')
    assert.equal(verified.code, 0, verified.errors)
  })
})

onSqlite((engine) => {
  it('the keyring’s rotation says which file is to be copied and which backups need what', async (t) => {
    const database = await engine.create()
    t.after(() => database.drop())
    const environment = { COUNTERSIGN_DATA: database.data, COUNTERSIGN_DATABASE: database.url }
    const keys = (...args: string[]) => runCommand(environment, 'keys', ...args)
    await runCommand(environment, 'org', 'create', '--name', 'Acme')
    const rotated = await keys('rotate', '--keyring')
    assert.equal(rotated.code, 0, rotated.errors)
    assert.match(
      rotated.errors,
      /Copy this file to every node.*\nBackups from before need k1, which is still in the file/,
    )
    const list = (await keys('list')).output
    assert.match(list, /fields +in use +k2 /)
    assert.match(list, /\n\nkeyring\nk1 +kept +wraps 0 of them\nk2 +active +wraps 2 of them\n$/)
    const dropped = await keys('rotate', '--keyring', '--drop-old', '--json')
    const keyring = join(database.data, 'keyring.json')
    assert.deepEqual(JSON.parse(dropped.output), { keyring, active: 'k2', dropped: ['k1'] })
    assert.deepEqual(Object.keys(JSON.parse(readFileSync(keyring, 'utf8')).keys), ['k2'])
    const alone = await keys('rotate', '--drop-old')
    assert.deepEqual([alone.code, alone.errors], [1, '--drop-old goes with --keyring.\n'])
  })
})

/** Enough encrypted fields for a rotation to take a while. */
async function plantCodes({ database, command, acme }: Cluster): Promise<void> {
  const rows = await command(async ({ secrets }) =>
    Array.from({ length: codes }, (_, number) => {
      const id = `code${number}`
      const cipher = secrets.encrypt({ table: 'bypass_codes', column: 'code_cipher', row: `u/${id}` }, id)
      return `('${acme.id}', '${id}', 'u', '${cipher}', 1, 1, 0)`
    }),
  )
  const columns = 'organization_id, id, user_id, code_cipher, uses_allowed, uses_remaining, created_at'
  await sql(database, `insert into bypass_codes (${columns}) values ${rows.join(', ')}`)
}

/** Begins a rotation as if that had been an hour ago, and lets the nodes learn of it. */
async function keyOfLongAgo({ database, command, nodes }: Cluster): Promise<string> {
  const wait = async () => {
    throw new Error('killed')
  }
  await assert.rejects(command((app) => rotateKeys(app, { onStep() {}, wait })))
  await sql(database, 'update data_keys set created_at = created_at - 3600000')
  for (const node of nodes) await node.kill('SIGTERM')
  for (const node of nodes) await node.start()
  const [row] = await sql(
    database,
    `select id from data_keys where purpose = 'fields' order by created_at desc limit 1`,
  )
  return String(row?.id)
}

/** Runs a rotation and kills it once so many fields are under the key. */
async function killAt({ environment, database }: Cluster, key: string, fields: number): Promise<void> {
  const { PATH = '' } = process.env
  const child = spawn(process.execPath, [command, 'keys', 'rotate'], { env: { PATH, ...environment }, stdio: 'ignore' })
  const gone = once(child, 'exit')
  while (((await countByKey(database))[key] ?? 0) <= fields) await delay(2)
  child.kill('SIGKILL')
  assert.deepEqual(await gone, [null, 'SIGKILL'])
}

async function countByKey(database: TestDatabase): Promise<Record<string, number>> {
  const id = 'substr(code_cipher, 4, 8)'
  const rows = await sql(database, `select ${id} as key, count(*) as count from bypass_codes group by ${id}`)
  return Object.fromEntries(rows.map(({ key, count }) => [String(key), Number(count)]))
}

/** One login after the other; new phones, too, for each may answer twenty times a minute. */
async function logInWhile(front: Front, running: () => boolean): Promise<number> {
  for (let logins = 0, racer: Racer | undefined; ; logins++) {
    if (!running()) return logins
    if (!racer || logins % 15 === 0) racer = await newRacer(front, { pin: true })
    await logIn(racer)
  }
}

async function logIn(racer: Racer): Promise<void> {
  const request = await racer.ask()
  await expectOk(racer.device.server.device('answer', await racer.approval(request)))
}
