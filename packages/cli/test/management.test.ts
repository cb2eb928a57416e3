// What an operator does with the objects of an organization, beside a running server.
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, it } from 'node:test'
import { createDomain, createUser, operatorOf } from '@countersign/server/main.ts'
import { PNG } from 'pngjs'
import { newFob } from '../../server/test/support/codes.ts'
import { onSqlite } from '../../server/test/support/engines.ts'
import { phoneOf } from '../../server/test/support/phones.ts'
import { environmentOf, runCommand, runCommandWith } from '../../server/test/support/process.ts'
import { startTestServer, type TestServer } from '../../server/test/support/server.ts'
import { dump } from '../../server/test/support/sql.ts'
import { Commands } from './commands.ts'

onSqlite((engine) => {
  let server: TestServer
  let environment: Record<string, string>
  let commands: Commands
  let org: string[]
  before(async () => {
    server = await startTestServer(engine)
    // The clock of a command is the machine's.
    server.clock.advance(Date.now() - server.clock.now())
    environment = await environmentOf(server.database)
    commands = new Commands(environment)
    org = ['--org', server.acme.id]
  })
  after(async () => {
    await commands.end()
    await server.stop()
  })

  it('without --org a database with several organizations is asked which, and each says its name', async () => {
    const before = await dump(server.database)
    const { code, output, errors } = await commands.run('user', 'delete', 'alice')
    assert.deepEqual([code, output], [1, ''])
    assert.match(errors, /^There are several organizations: say which by --org ID.*\n$/)
    assert.deepEqual(await dump(server.database), before)
    const { output: table } = await commands.run('org', 'list')
    assert.match(table, /^id +name +createdAt\n[0-9a-f]{40} {2}(Acme|Other) .*\n[0-9a-f]{40} {2}(Acme|Other) .*\n$/)
    assert.equal((await commands.json('org', 'rename', 'Acme Ltd', ...org)).name, 'Acme Ltd')
    assert.match((await commands.run('org', 'show', ...org)).output, /^id +\S{40}\nname +Acme Ltd\ncreatedAt +\S+\n$/)
  })

  it('without --org the only organization of a database is meant', async (context) => {
    const database = await engine.create()
    const alone = new Commands(await environmentOf(database))
    context.after(async () => {
      await alone.end()
      await database.drop()
    })
    const { id } = await alone.json('org', 'create', '--name', 'Alone')
    assert.equal((await alone.json('org', 'show')).id, id)
    await alone.json('user', 'create', 'jane')
    assert.equal((await alone.json('user', 'list')).length, 1)
  })

  it('user: created, listed, shown by name, changed, unlocked and deleted; another organization’s is none', async () => {
    const created = await commands.json('user', 'create', 'jane', '--name', 'Jane Doe', ...org)
    assert.deepEqual(await commands.json('user', 'show', 'JANE', ...org), created)
    const { email, name } = await commands.json('user', 'update', created.id, '--email', 'jane@example.org', ...org)
    assert.deepEqual([email, name], ['jane@example.org', 'Jane Doe'])
    assert.equal((await commands.json('user', 'unlock', 'jane', ...org)).lockedUntil, null)
    const { output } = await commands.run('user', 'list', '--starts-with', 'J', ...org)
    assert.equal(
      output,
      [
        `id${' '.repeat(38)}  username  name      email             domains  lockedUntil`,
        `${created.id}  jane      Jane Doe  jane@example.org  0        -`,
        '',
      ].join('\n'),
    )
    assert.deepEqual(await commands.json('user', 'delete', 'jane', ...org), { id: created.id, deleted: true })
    const refusals = [
      await commands.run('user', 'show', 'jane', ...org),
      await commands.run('user', 'show', server.other.mallory, ...org),
      await commands.run('user', 'delete', 'mallory', ...org),
      await commands.run('user', 'create', 'alice', ...org),
    ]
    for (const { code, output, errors } of refusals) {
      assert.deepEqual([code, output], [1, ''])
      assert.match(errors, /^[^\n]+\n$/)
    }
    assert.equal(
      (await server.call('GET', `/api/users/${server.other.mallory}`, { key: server.other.apiKey })).status,
      200,
    )
  })

  it('domain: listed, shown, changed and deleted by name; a name of several asks for the id', async () => {
    const change = ['--request-timeout', '60', '--no-otp', '--activation-code-minutes', '30', '--on-fraud', 'revoke']
    await commands.json('domain', 'create', '--name', 'Wiki', '--no-bypass', ...org)
    const range = ['--allowed-network', '10.0.0.0/8', '192.0.2.0/24', '--key-type', 'PIN', '--platform-unlock']
    const changed = await commands.json('domain', 'update', 'Wiki', ...change, ...range, ...org)
    const { requestTimeout, otpEnabled, activationCodeMinutes, onFraud, allowedNetworks, bypassEnabled } = changed
    assert.deepEqual(
      [requestTimeout, otpEnabled, activationCodeMinutes, onFraud, allowedNetworks, bypassEnabled],
      [60, false, 30, 'revoke', ['10.0.0.0/8', '192.0.2.0/24'], false],
    )
    assert.deepEqual([changed.keyType, changed.platformUnlockEnabled], ['PIN', true])
    const to = ['--name', 'Wiki 2', '--key-type', 'BIOMETRIC', '--no-platform-unlock']
    const back = ['--bypass', '--any-network', '--activation-code-minutes', 'off', ...to]
    const again = await commands.json('domain', 'update', changed.id, ...back, ...org)
    assert.deepEqual(again, await commands.json('domain', 'show', 'Wiki 2', ...org))
    assert.deepEqual([again.keyType, again.platformUnlockEnabled], ['BIOMETRIC', false])
    assert.deepEqual([again.bypassEnabled, again.allowedNetworks, again.activationCodeMinutes], [true, [], null])
    assert.match(
      (await commands.run('domain', 'list', ...org)).output,
      /^id +name .*\n(?=(.*\n){3}$).* {2}Wiki 2 +API .*\n/m,
    )
    await createDomain(server.app, await operatorOf(server.app, server.acme.id), { name: 'Wiki 2' })
    assert.match(
      (await commands.run('domain', 'delete', 'Wiki 2', ...org)).errors,
      /^Several domains are called "Wiki 2"/,
    )
    assert.deepEqual(await commands.json('domain', 'delete', changed.id, ...org), { id: changed.id, deleted: true })
    assert.match((await commands.run('domain', 'show', 'Other VPN', ...org)).errors, /^There is no domain "Other VPN"/)
  })

  it('domain image: what is set is saved again, without what is no pixel; removed it is the built-in one', async () => {
    const [drawn, saved] = [join(server.database.data, 'a.png'), join(server.database.data, 'b.png')]
    writeFileSync(drawn, PNG.sync.write(new PNG({ width: 8, height: 8, fill: true })))
    await commands.json('domain', 'image', 'Acme VPN', '--set', drawn, ...org)
    await commands.json('domain', 'image', 'Acme VPN', '--save', saved, ...org)
    assert.equal(PNG.sync.read(readFileSync(saved)).width, 8)
    await commands.json('domain', 'image', 'Acme VPN', '--remove', ...org)
    await commands.json('domain', 'image', 'Acme VPN', '--save', saved, ...org)
    assert.notEqual(PNG.sync.read(readFileSync(saved)).width, 8)
    const both = await commands.run('domain', 'image', 'Acme VPN', '--remove', '--save', saved, ...org)
    assert.deepEqual([both.code, both.errors], [1, 'Say one of --save FILE, --set FILE and --remove.\n'])
  })

  it('member: added once, listed and removed', async () => {
    await createUser(server.app, await operatorOf(server.app, server.acme.id), { username: 'carol' })
    const names = async () =>
      (await commands.json('member', 'list', 'Acme VPN', ...org)).map(({ username }: { username: string }) => username)
    await commands.json('member', 'add', 'Acme VPN', 'carol', ...org)
    await commands.json('member', 'add', server.acme.domainId, 'Carol', ...org)
    assert.deepEqual(await names(), ['alice', 'bob', 'carol'])
    assert.equal((await commands.json('member', 'remove', 'Acme VPN', 'carol', ...org)).member, false)
    assert.deepEqual(await names(), ['alice', 'bob'])
    assert.equal((await commands.run('member', 'add', 'Acme VPN', 'mallory', ...org)).code, 1)
  })

  it('token: the code is shown with a warning, a reissue ends the device’s, and a revoked one approves nothing', async () => {
    const of = ['Acme VPN', 'alice', ...org]
    const phone = await phoneOf(server, { userId: server.acme.alice, username: 'alice' })
    assert.equal((await commands.json('token', 'show', ...of)).state, 'active')
    assert.equal((await commands.json('token', 'create', ...of)).state, 'active')
    const { output, errors } = await commands.run('token', 'reissue', ...of)
    assert.match(output, /^state +pending\ncode +\w{10}\nlink +\S+\nexpiresAt +\S+\n\n[█▀▄ \n]+\n\n$/)
    assert.match(errors, /^Whoever has the code/)
    assert.equal((await phone.ask().catch((error) => error)) instanceof Error, true)
    const pending = await commands.json('token', 'list', '--user', 'alice', '--state', 'pending', ...org)
    assert.deepEqual([pending.length, 'code' in pending[0]], [1, false])
    assert.match(
      (await commands.run('token', 'list', ...org)).output,
      /^user +domain +state .*\nalice {2}Acme VPN {2}pending/,
    )
    assert.equal((await commands.json('token', 'revoke', ...of)).revoked, true)
    assert.equal((await commands.run('token', 'show', ...of)).code, 1)
  })

  it('session: listed with its user and domain, shown with its attributes, and cancelled', async () => {
    const phone = await phoneOf(server, { userId: server.acme.bob, username: 'bob' })
    const { sid } = await phone.ask()
    const listed = await commands.run('session', 'list', '--user', 'bob', '--state', 'pending', ...org)
    assert.match(listed.output, new RegExp(`^id +createdAt .*\\n${sid} .* bob {3}Acme VPN {2}push +pending .*\\n$`))
    assert.equal((await commands.json('session', 'show', sid, ...org)).state, 'pending')
    assert.equal((await commands.json('session', 'cancel', sid, ...org)).state, 'cancelled')
    assert.equal((await commands.run('session', 'show', sid, '--org', server.other.id)).code, 1)
  })

  it('bypass: created, listed with its code, and deleted', async () => {
    const made = await commands.json('bypass', 'create', 'bob', '--uses', '3', ...org)
    assert.deepEqual([made.usesAllowed, made.expiresAt], [3, null])
    assert.match(
      (await commands.run('bypass', 'list', 'bob', ...org)).output,
      new RegExp(`^${made.id} {2}${made.code} `, 'm'),
    )
    await commands.json('bypass', 'delete', made.id, ...org)
    assert.deepEqual(await commands.json('bypass', 'list', 'bob', ...org), [])
    assert.equal((await commands.run('bypass', 'create', 'bob', '--uses', '0', ...org)).code, 1)
  })

  it('hardware: found by serial number, given, renamed, resynchronized, taken back and deleted', async () => {
    const fob = await newFob(server, undefined)
    const of = [fob.serialNumber, ...org]
    assert.equal((await commands.json('hardware', 'assign', fob.serialNumber, 'bob', ...org)).user, server.acme.bob)
    assert.equal((await commands.json('hardware', 'update', ...of, '--alias', 'Spare')).alias, 'Spare')
    const step = Math.floor(Date.now() / 30_000) + 20
    const resync = ['hardware', 'resync', fob.serialNumber, fob.at(step), fob.at(step + 1)]
    assert.equal((await commands.json(...resync, ...org)).syncState, 'Synchronized')
    assert.equal((await commands.run(...resync, ...org)).code, 1)
    const serials = async (...args: string[]) =>
      (await commands.json('hardware', 'list', ...args, ...org)).map((token: { id: string }) => token.id)
    assert.deepEqual([await serials('--assigned'), await serials('--no-assigned')], [[fob.id], []])
    assert.equal((await commands.json('hardware', 'unassign', ...of)).user, null)
    assert.equal((await commands.json('hardware', 'unassign', ...of)).user, null)
    assert.equal((await commands.json('hardware', 'delete', ...of)).deleted, true)
    assert.equal((await commands.run('hardware', 'show', ...of)).code, 1)
  })

  it('settings: shown, changed and taken back, within the bounds of the server', async () => {
    const before = await commands.json('settings', 'show', ...org)
    const given = ['--pending-sessions-max', '1', '--bypass-code-minutes-max', '60']
    const changed = await commands.json('settings', 'update', ...given, ...org)
    assert.deepEqual(changed, { ...before, pendingSessionsMax: 1, bypassCodeMinutesMax: 60 })
    const { output } = await commands.run('settings', 'show', ...org)
    assert.match(output, /^bypassCodeMinutesMax +60$/m)
    const refused = await commands.run('settings', 'update', '--pending-sessions-max', '4', ...org)
    assert.match(refused.errors, /pendingSessionsMax.*from 1 to 3/)
    const back = ['--pending-sessions-max', '3', '--bypass-code-minutes-max', 'off']
    assert.deepEqual(await commands.json('settings', 'update', ...back, ...org), before)
    assert.match((await commands.run('settings', 'update', ...org)).errors, /Say what to change/)
  })

  it('audit: what the command line did is listed as its own, and exported to a new file only', async () => {
    const listed = await commands.json('audit', 'list', '--event', 'user.deleted', ...org)
    assert.deepEqual(
      listed.map(({ actor }: { actor: object }) => actor),
      [{ kind: 'operator', id: 'command-line' }],
    )
    const { output } = await commands.run('audit', 'list', '--limit', '3', ...org)
    assert.equal(output.split('\n').length, 5)
    const file = join(server.database.data, 'audit.jsonl')
    const { events } = await commands.json('audit', 'export', '--to', file, ...org)
    const lines = readFileSync(file, 'utf8').trim().split('\n')
    assert.equal(lines.length, events)
    assert.ok(lines.some((line) => JSON.parse(line).event === 'organization.updated'))
    assert.equal((await commands.run('audit', 'export', '--to', file, ...org)).code, 1)
    const piped = await commands.run('audit', 'export', ...org)
    assert.equal(piped.output.split('\n').length, events + 2)
    assert.doesNotMatch(piped.output, new RegExp(server.acme.id))
  })

  it('api-key and admin: shown and changed', async () => {
    const { apiKey, ...made } = await commands.json('api-key', 'create', '--name', 'CI', '--scope', 'auth', ...org)
    assert.deepEqual(await commands.json('api-key', 'show', made.id, ...org), made)
    const bound = ['--domain', server.acme.domainId, '--expires', '2099-12-31T23:59:59Z']
    const narrow = await commands.json('api-key', 'update', made.id, ...bound, ...org)
    assert.deepEqual([narrow.domainIds, narrow.expiresAt], [[server.acme.domainId], '2099-12-31T23:59:59.000Z'])
    const free = ['--any-domain', '--expires', 'never', '--name', 'CI 2']
    assert.deepEqual(await commands.json('api-key', 'update', made.id, ...free, ...org), { ...made, name: 'CI 2' })
    for (const name of ['olivia', 'hal'])
      await commands.json(
        'admin',
        'create',
        '--email',
        `${name}@example.org`,
        '--name',
        name,
        '--role',
        'owner',
        ...org,
      )
    const hal = 'hal@example.org'
    assert.equal((await commands.json('admin', 'update', hal, '--role', 'auditor', ...org)).role, 'auditor')
    assert.equal((await commands.json('admin', 'disable', hal, ...org)).disabled, true)
    assert.equal((await commands.json('admin', 'enable', hal, ...org)).disabled, false)
    assert.equal((await commands.json('admin', 'delete', hal, ...org)).deleted, true)
    assert.equal((await commands.run('admin', 'show', hal, ...org)).code, 1)
  })

  it('a process of its own does the same, and takes a seed from standard input only', async () => {
    const seed = createHash('sha1').update('seed').digest('hex')
    const create = ['hardware', 'create', 'FT-9', ...org, '--json', '--seed']
    const [listed, made, shown] = await Promise.all([
      runCommand(environment, 'user', 'list', '--json', ...org),
      runCommandWith(`${seed}\n`, environment, ...create, '-'),
      runCommandWith('', environment, ...create, seed),
    ])
    assert.deepEqual([listed.code, listed.errors, JSON.parse(listed.output).length], [0, '', 3])
    assert.deepEqual([made.code, JSON.parse(made.output).serialNumber], [0, 'FT-9'])
    assert.doesNotMatch(made.output, new RegExp(seed))
    assert.deepEqual([shown.code, shown.errors], [1, '--seed takes only "-": write it to standard input.\n'])
  })
})
