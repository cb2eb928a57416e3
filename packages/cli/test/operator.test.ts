// What an operator types beside a running server, on its database or on none.
import assert from 'node:assert/strict'
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, it } from 'node:test'
import { openExisting } from '@countersign/server/main.ts'
import { onEveryEngine, onSqlite } from '../../server/test/support/engines.ts'
import { environmentOf, runCommand } from '../../server/test/support/process.ts'
import { startTestServer, type TestServer } from '../../server/test/support/server.ts'
import { dump } from '../../server/test/support/sql.ts'

const needy = [
  ['audit', 'verify'],
  ['audit', 'head', '--json'],
  ['backup', '--to', '/nowhere/one.backup'],
  ['keys', 'list'],
  ['keys', 'rotate'],
  ['domain', 'create', '--org', '1'.repeat(40), '--name', 'VPN'],
  ['admin', 'list', '--org', '1'.repeat(40)],
  ['api-key', 'list', '--org', '1'.repeat(40), '--json'],
]

onEveryEngine((engine) => {
  it('on a database that is not there, or is empty, every command but serve, org create and restore says so and creates nothing', async (context) => {
    const database = await engine.create()
    context.after(() => database.drop())
    const missing = join(database.data, 'slip')
    const empty = { ...(await environmentOf(database)), COUNTERSIGN_DATA: missing }
    const runs = await Promise.all(needy.map((args) => runCommand(empty, ...args)))
    for (const { code, output, errors } of runs) {
      assert.deepEqual([code, output], [1, ''])
      assert.match(errors, /^There is no organization in .*COUNTERSIGN_DATA.*org create --name NAME\n$/)
    }
    assert.deepEqual([existsSync(missing), readdirSync(database.data)], [false, []])
    if (engine.name === 'postgres') assert.deepEqual(await dump(database), {})

    const server = await startTestServer(engine, { database, empty: true })
    await server.stop()
    await assert.rejects(openExisting(server.config), /There is no organization/)
  })
})

onSqlite((engine) => {
  let server: TestServer
  let environment: Record<string, string>
  before(async () => {
    server = await startTestServer(engine)
    environment = await environmentOf(server.database)
  })
  after(() => server.stop())

  it('what was typed wrongly is named, and where the help is', async () => {
    const { code, output, errors } = await runCommand(environment, 'user', 'create', '--username', 'tom')
    assert.deepEqual([code, output], [1, ''])
    assert.match(errors, /^error: unknown option '--username'\nSee countersign user create --help\.\n$/)
    assert.match(
      (await runCommand(environment, 'user', 'creat')).errors,
      /create\?\)\nSee countersign user --help\.\n$/,
    )
  })

  it('audit head prints the hash that audit verify takes, as JSON too', async () => {
    const plain = await runCommand(environment, 'audit', 'head')
    assert.match(plain.output, /^\S{43}\n$/)
    const json = await runCommand(environment, 'audit', 'head', '--json')
    assert.match(json.output, /^\{"head":"[\w-]{43}"\}\n$/)
    const { head } = JSON.parse(json.output)
    assert.equal((await runCommand(environment, 'audit', 'verify', '--head', head)).code, 0)
  })

  it('domain create --min-length is what authenticators are told; beyond 4 to 16 nothing is created', async () => {
    const create = (length: string) =>
      runCommand(
        environment,
        ...['domain', 'create', '--org', server.acme.id, '--name', 'Long', '--key-type', 'PIN'],
        ...['--min-length', length, '--json'],
      )
    const created = await create('6')
    const path = `/api/domains/${JSON.parse(created.output).id}/users/${server.acme.alice}`
    await server.call('PUT', path)
    const { code } = (await server.call('PUT', `${path}/token`)).body
    const begun = await server.device('activation/begin', { v: 1, code, username: 'alice' })
    assert.equal(begun.body.policy.minLength, 6)
    for (const { code, output } of await Promise.all([create('3'), create('17')])) {
      assert.deepEqual([code, output], [1, ''])
    }
  })
})
