// Users and memberships of another server, copied beside a running one.
import assert from 'node:assert/strict'
import { after, before, it } from 'node:test'
import { addMember, createDomain, createUser, operatorOf } from '@countersign/server/main.ts'
import { onSqlite } from '../../server/test/support/engines.ts'
import { environmentOf, runCommandWith } from '../../server/test/support/process.ts'
import { startTestServer, type TestServer } from '../../server/test/support/server.ts'
import { dump } from '../../server/test/support/sql.ts'

onSqlite((engine) => {
  let server: TestServer
  let remote: TestServer
  let environment: Record<string, string>
  before(async () => {
    server = await startTestServer(engine)
    remote = await startTestServer(engine)
    environment = await environmentOf(server.database)
    const actor = await operatorOf(remote.app, remote.acme.id)
    const rules = { name: 'Wiki', type: 'PAM', keyType: 'PIN', requestTimeout: 45, bypassEnabled: false }
    const { id: domainId } = await createDomain(remote.app, actor, rules)
    for (let number = 0; number < 102; number++) {
      const { id: userId } = await createUser(remote.app, actor, { username: `user${number}`, name: `No. ${number}` })
      if (number < 3) await addMember(remote.app, actor, { domainId, userId })
    }
    // A name that this version of the server would not take any more.
    await remote.app.storage.transaction(({ users }) =>
      users.insert(remote.acme.id, [
        {
          organization_id: remote.acme.id,
          id: 'f'.repeat(40),
          username: 'odd\u200b',
          username_key: 'odd',
          name: '',
          email: '',
          created_at: remote.clock.now() + 1,
        },
      ]),
    )
  })
  after(async () => {
    await server.stop()
    await remote.stop()
  })

  const run = (args: string[] = [], key = remote.acme.apiKey, url = remote.apiUrl) =>
    runCommandWith(
      `${key}\n`,
      environment,
      ...['import', 'logintc', '--url', url, '--key', '-', '--org', server.acme.id],
      ...args,
    )

  it('a dry run says what would happen and changes neither server', async () => {
    const before = [await dump(server.database), await usersOf(remote)]
    const { code, output } = await run(['--dry-run'])
    assert.equal(code, 1)
    const [summary, , , ...rows] = output.split('\n')
    assert.equal(summary, 'Would be created: 102. There already: 2. Refused: 1.')
    assert.deepEqual(
      rows.filter((row) => row.includes('Wiki')).map((row) => row.split(/ {2,}/)),
      [['Wiki', 'would be created', '3', '3']],
    )
    assert.match(output, /\n\nUser name +Refused because\nodd\\u\{200b\} +username: /)
    assert.deepEqual([await dump(server.database), await usersOf(remote)], before)
  })

  it('users, domains with their rules and memberships are copied; a second time finds them all', async () => {
    const first = await run(['--json'])
    const { users, created, existing, domains, refused } = JSON.parse(first.output)
    assert.deepEqual([first.code, users, created, existing, refused.length], [1, 105, 102, 2, 1])
    const wiki = domains.find(({ name }: { name: string }) => name === 'Wiki')
    assert.deepEqual([wiki.created, wiki.members, wiki.added, domains.length], [true, 3, 3, 3])
    const copied = await server.call('GET', `/api/domains/${wiki.id}`)
    const { requestTimeout, keyType, type, bypassEnabled } = copied.body
    assert.deepEqual([requestTimeout, keyType, type, bypassEnabled], [45, 'PIN', 'PAM', false])
    const members = (await server.call('GET', `/api/domains/${wiki.id}/users?page=1`)).body
    assert.deepEqual(
      members.map(({ username, name }: { username: string; name: string }) => [username, name]).sort(),
      [0, 1, 2].map((number) => [`user${number}`, `No. ${number}`]),
    )
    const second = await run()
    assert.match(second.output, /^Created: 0\. There already: 104\. Refused: 1\.\n/)
    assert.match(second.output, /^Wiki +there already +3 +0$/m)
  })

  it('a key that is wrong, or in the command line, and a server that is none change nothing', async () => {
    const before = await dump(server.database)
    const runs = await Promise.all([
      run([], 'x'.repeat(64)),
      run([], 'short'),
      run([], undefined, 'nowhere'),
      run(['--key', remote.acme.apiKey]),
    ])
    const messages = [/API key/, /^An API key has 64/, /^--url: "nowhere"/, /^--key takes only "-"/]
    for (const [index, { code, output, errors }] of runs.entries()) {
      assert.deepEqual([code, output], [1, ''])
      assert.match(errors.trimStart(), /^[^\n]+\n$/)
      assert.match(errors.trimStart(), messages[index] ?? /never/)
    }
    assert.deepEqual(await dump(server.database), before)
  })

  async function usersOf({ app, acme }: TestServer): Promise<unknown> {
    return app.storage.users.findMany(acme.id, await app.storage.users.pageOfIds(acme.id, { limit: 1_000, offset: 0 }))
  }
})
