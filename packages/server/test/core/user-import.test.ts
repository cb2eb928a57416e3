import assert from 'node:assert/strict'
import { after, before, it } from 'node:test'
import type { Actor } from '../../src/core/actors.ts'
import { importUsers, readUserFile, type UserImport } from '../../src/core/user-import.ts'
import { operatorOf } from '../../src/main.ts'
import { auditOf } from '../support/audit.ts'
import { onEveryEngine } from '../support/engines.ts'
import { newDomain } from '../support/phones.ts'
import { startTestServer, type TestServer } from '../support/server.ts'
import { dump } from '../support/sql.ts'

const read = (text: string | Uint8Array) => readUserFile(Buffer.from(text))

onEveryEngine((engine) => {
  let server: TestServer
  let operator: Actor
  before(async () => {
    server = await startTestServer(engine)
    operator = await operatorOf(server.app, server.acme.id)
  })
  after(() => server.stop())

  const importAll = (text: string, options: Partial<UserImport> = {}, actor = operator) =>
    importUsers(server.app, actor, { entries: read(text), ...options })
  const find = async (username: string) => (await server.call('GET', `/api/users?username=${username}`)).body

  it('the users of a file are there, whatever the order of its columns', async () => {
    const result = await importAll('email,username,name\ncarol@example.org,carol,Carol\n,dave,\n')
    assert.deepEqual(result, { created: 2, added: 0, existing: [], refused: [] })
    const [carol, dave] = [await find('carol'), await find('dave')]
    assert.deepEqual([carol.name, carol.email, carol.domains], ['Carol', 'carol@example.org', []])
    assert.deepEqual([dave.name, dave.email], ['dave', ''])
    const events = await auditOf(server, { user_id: carol.id })
    assert.deepEqual(events, [{ event: 'user.created', data: { username: 'carol' } }])
  })

  it('with a domain all become its members, and those who exist are told and stay as they are', async () => {
    const domainId = await newDomain(server, {})
    const text = 'username,name,email\nALICE,Other,other@example.org\nerin,Erin,\nbob,,\n'
    const result = await importAll(text, { domainId })
    const existing = [
      { line: 2, username: 'ALICE' },
      { line: 4, username: 'bob' },
    ]
    assert.deepEqual(result, { created: 1, added: 3, existing, refused: [] })
    const alice = await find('alice')
    assert.deepEqual([alice.username, alice.name, alice.email], ['alice', 'alice', 'alice@example.org'])
    assert.ok(alice.domains.includes(domainId) && (await find('erin')).domains.includes(domainId))
    const again = await importAll(text, { domainId })
    assert.deepEqual([again.created, again.added, again.existing.length], [0, 0, 3])
  })

  it('a line that makes no user is refused with its number and the reason, and the others are not', async () => {
    const lines = [
      '"a b",,',
      ',Nobody,',
      '" frank",,',
      'grace,,no address',
      'heidi,,',
      'HEIDI,,',
      `${'x'.repeat(129)},,`,
    ]
    const { created, refused } = await importAll(`username,name,email\n${lines.join('\n')}`)
    assert.equal(created, 2)
    assert.deepEqual(refused, [
      { line: 3, problem: 'username: A user name has 1 to 128 characters.' },
      { line: 4, username: ' frank', problem: 'username: A user name cannot begin or end with white space.' },
      { line: 5, username: 'grace', problem: 'email: This does not look like an e-mail address.' },
      { line: 7, username: 'HEIDI', problem: 'The user name stands already in line 6.' },
      { line: 8, username: 'x'.repeat(129), problem: 'username: A user name has 1 to 128 characters.' },
    ])
  })

  it('a dry run says what would happen and changes nothing', async () => {
    const domainId = await newDomain(server, {})
    const names = Array.from({ length: 250 }, (_, index) => `dry${index}`)
    const text = `username\nalice\n${names.join('\n')}\n`
    const before = await dump(server.database)
    const steps: number[] = []
    const tried = await importAll(text, { domainId, dryRun: true, onProgress: (done) => steps.push(done) })
    assert.deepEqual(await dump(server.database), before)
    assert.deepEqual(steps, [200, 251])
    assert.deepEqual(await importAll(text, { domainId }), tried)
    assert.deepEqual([tried.created, tried.added], [250, 251])
  })

  it('of two imports of one file at once each user is created by one', async () => {
    const lines = Array.from({ length: 300 }, (_, index) => `twice${index}`)
    const both = [lines, lines.toReversed()].map((names) => importAll(`username\n${names.join('\n')}`))
    const [one, other] = await Promise.all(both)
    assert.equal((one?.created ?? 0) + (other?.created ?? 0), 300)
  })

  it('who may not write imports nothing, and mallory imports nobody into acme’s domain', async () => {
    const before = await dump(server.database)
    const reader: Actor = { kind: 'api-key', organizationId: server.acme.id, id: '', scope: 'read' }
    await assert.rejects(importAll('username\nivan', {}, reader), { code: 'api.error.forbidden' })
    const mallory = await operatorOf(server.app, server.other.id)
    const { domainId } = server.acme
    await assert.rejects(importAll('username\nivan', { domainId }, mallory), { code: 'api.error.notfound.domain' })
    assert.deepEqual(await dump(server.database), before)
  })
})

it('a file that cannot be used is refused with a sentence that says what it should be', () => {
  const files: [string | Uint8Array, RegExp][] = [
    ['', /^The file is empty\.$/],
    ['alice,Alice,alice@example.org', /^The first line names no column "username"\.$/],
    ['username,mail\na,b', /^The columns are username, name, email, each at most once; "mail" is too much\.$/],
    ['username,Username\na,b', /"username" is too much\.$/],
    ['username\n"a', /^The file is not CSV: after line 1 a quotation mark is out of place\.$/],
    [Buffer.from([0xff, 0xfe]), /^The file is not text in UTF-8/],
    [`username\n${'a\n'.repeat(100_001)}`, /^The file has more than 100000 users\. Split it\.$/],
  ]
  for (const [file, message] of files) {
    assert.throws(() => read(file), { code: 'api.error.badrequest', message })
  }
})
