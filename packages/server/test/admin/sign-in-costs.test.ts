import assert from 'node:assert/strict'
import { after, before, it } from 'node:test'
import { asPanel, newAdministrator, type PanelHeaders, useLink } from '../support/administrators.ts'
import { onEveryEngine } from '../support/engines.ts'
import { startTestServer, type TestServer } from '../support/server.ts'
import { type Spy, spyOnStorage } from '../support/spied-storage.ts'
import { sql } from '../support/sql.ts'
import { watchStatements } from '../support/statements.ts'

onEveryEngine((engine) => {
  let server: TestServer
  let spy: Spy
  let panel: PanelHeaders
  before(async () => {
    spy = spyOnStorage()
    server = await startTestServer(engine, { storage: spy.storage })
    panel = await (await newAdministrator(server, 'owner')).signIn()
  })
  after(() => server.stop())

  async function callsOf(work: () => Promise<{ status: number; text: string }>): Promise<string[]> {
    spy.calls = []
    const { status, text } = await work()
    assert.ok(status < 300, text)
    return spy.calls
  }
  const read = (path: string) => callsOf(() => asPanel(server, panel)('GET', path))
  const who = 'administratorSessions.find'

  it('who is signed in costs one, and each list one more, however long it is', async () => {
    for (let more = 0; more < 3; more++) {
      await newAdministrator(server)
      assert.deepEqual(await read('administrators'), [who, 'administrators.list'])
      await server.call('POST', '/admin/v1/api-keys', { body: { name: 'Key', scope: 'auth', domainIds: null } })
      assert.deepEqual(await read('api-keys'), [who, 'apiKeys.list'])
    }
    server.clock.advance(60_000)
    assert.deepEqual(await read('session'), [who, 'tx.administratorSessions.see', 'administrators.find'])
    assert.deepEqual(await read('session'), [who, 'administrators.find'])
  })

  it('the use of a key is one write a minute, whatever it does, and is tried again when it fails', async (t) => {
    t.mock.timers.enable({ apis: ['setInterval'] })
    const spy = spyOnStorage()
    const server = await startTestServer(engine, { storage: spy.storage })
    const writes = () => spy.calls.filter((call) => call === 'tx.apiKeys.noteUse').length
    const minute = async (expected: number) => {
      t.mock.timers.tick(60_000)
      const end = performance.now() + 10_000
      while (writes() < expected && performance.now() < end) await new Promise(setImmediate)
      assert.equal(writes(), expected)
    }
    const use = async () => {
      for (let request = 0; request < 5; request++) await server.call('GET', '/api/ping')
    }
    try {
      await use()
      assert.equal(writes(), 0)
      spy.failing = { call: 'tx.apiKeys.noteUse', error: new Error('the disk is on fire') }
      await minute(1)
      while (server.logged.every(({ msg }) => msg !== 'a sweep failed and will be tried again'))
        await new Promise(setImmediate)
      spy.failing = undefined
      await minute(2)
      await minute(2)
      await use()
      await minute(3)
    } finally {
      await server.stop()
    }
  })

  it('every look-up and list of keys, administrators and sessions enters an index and leaves it in order', async () => {
    const watched = watchStatements()
    const { path, link, signIn } = await newAdministrator(server)
    const headers = await signIn()
    for (const list of ['administrators', 'api-keys']) {
      const { body } = await asPanel(server, panel)('GET', `${list}?limit=1`)
      assert.equal((await asPanel(server, panel)('GET', `${list}?limit=1&after=${body.next}`)).status, 200)
    }
    await useLink(server, await link())
    await asPanel(server, headers)('DELETE', 'session')
    await server.call('DELETE', path)
    watched.stop()
    const ours = /^(select|update|delete).*"(api_keys|administrators|administrator_sessions)"/
    const texts = [...new Set(watched.texts)].filter((text) => ours.test(text))
    assert.ok(texts.length >= 12, texts.join('\n'))
    for (const text of texts) {
      const plan = await planOf(text)
      assert.doesNotMatch(plan, /Seq Scan|Sort|SCAN|TEMP B-TREE/, `${text}\n${plan}`)
    }
  })

  // A table of a handful of rows is read as a whole, unless that is forbidden: then only if there is no other way.
  async function planOf(text: string): Promise<string> {
    if (engine.name === 'sqlite') {
      const steps = await sql(server.database, `explain query plan ${text.replaceAll('?', 'null')}`)
      return steps.map(({ detail }) => String(detail)).join('\n')
    }
    for (const way of ['seqscan', 'sort', 'bitmapscan']) await sql(server.database, `set enable_${way} = off`)
    const steps = await sql(server.database, `explain (generic_plan) ${text}`)
    return steps.map((step) => String(step['QUERY PLAN'])).join('\n')
  }
})
