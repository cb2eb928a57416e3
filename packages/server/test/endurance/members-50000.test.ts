import assert from 'node:assert/strict'
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { after, before, it } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { onEveryEngine, type TestDatabase } from '../support/engines.ts'
import { startTestServer, type TestServer } from '../support/server.ts'
import { sql } from '../support/sql.ts'

const count = 50_000
const pingsMin = 3
const rssGrowthMaxBytes = 400 * 1024 * 1024

const binary = join(import.meta.dirname, '../../../../bin/countersign')

onEveryEngine((engine) => {
  let database: TestDatabase
  /** the database’s people; it does not run */
  let people: TestServer
  let serving: ChildProcess
  let list: string
  before(async () => {
    database = await engine.create()
    people = await startTestServer(engine, { database })
    await people.stop()
    await serve()
    list = JSON.stringify(Array.from({ length: count }, (_, index) => person(index)))
  })
  after(async () => {
    await end('SIGTERM')
    await database.drop()
  })

  // In a process of its own, to be measured and to be killed.
  async function serve(): Promise<void> {
    const { config } = people
    const env = {
      COUNTERSIGN_DATA: config.data,
      COUNTERSIGN_DATABASE: config.database,
      COUNTERSIGN_API_LISTEN: `127.0.0.1:${config.apiListen.port}`,
      COUNTERSIGN_DEVICE_LISTEN: `127.0.0.1:${config.deviceListen.port}`,
      COUNTERSIGN_LOG_LEVEL: 'error',
    }
    serving = spawn(process.execPath, [binary, 'serve'], { env, stdio: ['ignore', 'pipe', 'inherit'] })
    let said = ''
    while (!said.includes('is running')) said += (await once(serving.stdout ?? assert.fail(), 'data')).join()
  }
  async function end(signal: NodeJS.Signals): Promise<void> {
    const gone = once(serving, 'exit')
    serving.kill(signal)
    await gone
  }
  const rss = () => 1024 * Number(execFileSync('ps', ['-o', 'rss=', '-p', String(serving.pid)], { encoding: 'utf8' }))

  const path = () => `/api/domains/${people.acme.domainId}/users`
  const replace = (body: string) => people.call('PUT', path(), { body })
  async function counted(): Promise<{ users: number; members: number; audited: number }> {
    const counts = ['users', 'members', 'audit_events'].map(async (table) => {
      const [row] = await sql(database, `select count(*) as count from ${table}`)
      return Number(row?.count)
    })
    const [users = 0, members = 0, audited = 0] = await Promise.all(counts)
    return { users, members, audited }
  }

  /** Replaces the list, while pings are answered and the memory is looked at. How long it takes is measured in bench/. */
  async function watched(what: string, body: string): Promise<void> {
    const rssBefore = rss()
    const began = performance.now()
    let over = false
    const replacing = replace(body).finally(() => {
      over = true
    })
    let [pings, rssMost] = [0, rssBefore]
    while (!over) {
      assert.equal((await people.call('GET', '/api/ping')).status, 200)
      if (!over) pings++
      rssMost = Math.max(rssMost, rss())
      await delay(10)
    }
    const reply = await replacing
    const seconds = (performance.now() - began) / 1_000
    assert.deepEqual([reply.status, reply.text], [200, ''])
    const mebibytes = Math.round((rssMost - rssBefore) / 1024 / 1024)
    console.log(`${engine.name}: ${what}: ${seconds.toFixed(1)} s, ${pings} pings meanwhile, ${mebibytes} MiB more`)
    assert.ok(pings >= pingsMin, `only ${pings} pings were answered meanwhile`)
    assert.ok(rssMost - rssBefore < rssGrowthMaxBytes, `${mebibytes} MiB`)
  }

  it('a list that is wrong at its very end changes nothing', async () => {
    const before = await counted()
    const reply = await replace(`${list.slice(0, -1)},{"username":" "}]`)
    assert.equal(reply.status, 400)
    assert.ok(reply.body.errors[0].message.startsWith(`[${count}].username: `))
    assert.deepEqual(await counted(), before)
  })

  it('fifty thousand are created, found again, renamed and removed, while others are served', async () => {
    const before = await counted()
    await watched('created', list)
    const created = await counted()
    // Alice and bob, who were members until then, have left; mallory's domains are hers.
    assert.deepEqual(
      [created.users - before.users, created.members - before.members, created.audited - before.audited],
      [count, count - 2, 1],
    )
    await watched('found again', list)
    assert.deepEqual(await counted(), { ...created, audited: created.audited + 1 })
    await watched('renamed', list.replaceAll('"name":"', '"name":"Dr. '))
    const { body } = await people.call('GET', `${path()}?page=500`)
    assert.equal(body.length, 100)
    assert.ok(body.every(({ name }: { name: string }) => name.startsWith('Dr. ')))
    await watched('removed', '[]')
    assert.deepEqual((await people.call('GET', path())).text, '[]')
    assert.equal((await counted()).users, created.users)
  })

  it('a server that is killed over a list has taken all of it or nothing, and takes it when it runs again', async () => {
    const few = [{ username: 'alice' }, { username: 'bob' }]
    await replace(JSON.stringify(few))
    const others = list.replaceAll('"username":"', '"username":"killed.')
    const began = performance.now()
    await replace(list)
    const usualMs = performance.now() - began
    await replace(JSON.stringify(few))
    let survived = 0
    for (const part of [0.2, 0.5, 0.8]) {
      const before = await counted()
      const answered = replace(others).then(
        () => true,
        () => false, // the connection broke
      )
      await delay(usualMs * part)
      await end('SIGKILL')
      if (await answered) survived++
      await serve()
      const { users, members } = await counted()
      const taken = users !== before.users
      assert.equal(users - before.users, taken ? count : 0)
      assert.equal(members - before.members, taken ? count - 2 : 0)
      if (taken) break
    }
    assert.ok(survived < 3)
    assert.equal((await replace(others)).status, 200)
    assert.equal((await people.call('GET', `${path()}?page=500`)).body.length, 100)
  })
})

function person(index: number) {
  return { username: `person${index}`, name: `Person Number ${index}`, email: `person${index}@staff.example.org` }
}
