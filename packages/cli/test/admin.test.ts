// Administrators and API keys as an operator makes them, beside a running server.
import assert from 'node:assert/strict'
import { after, before, it } from 'node:test'
import { asPanel, cookieOf, useLink } from '../../server/test/support/administrators.ts'
import { onSqlite } from '../../server/test/support/engines.ts'
import { environmentOf, runCommand } from '../../server/test/support/process.ts'
import { startTestServer, type TestServer } from '../../server/test/support/server.ts'

onSqlite((engine) => {
  let server: TestServer
  let environment: Record<string, string>
  before(async () => {
    server = await startTestServer(engine)
    // The clock of a command is the machine's.
    server.clock.advance(Date.now() - server.clock.now())
    environment = await environmentOf(server.database)
  })
  after(() => server.stop())

  const run = async (noun: string, verb: string, ...args: string[]) =>
    runCommand(environment, noun, verb, '--org', server.acme.id, ...args)
  const json = async (noun: string, verb: string, ...args: string[]) => {
    const { code, output, errors } = await run(noun, verb, ...args, '--json')
    assert.equal(code, 0, errors)
    return JSON.parse(output)
  }

  it('admin create prints a link that signs in; disable ends the session', async () => {
    const olivia = ['--email', 'olivia@example.org', '--name', 'Olivia', '--role', 'owner']
    const { code, output, errors } = await run('admin', 'create', ...olivia)
    assert.deepEqual([code, /signs in once/.test(errors)], [0, true])
    const secret = /#sign-in=(\S+)/.exec(output)?.[1] ?? ''
    const headers = { cookie: cookieOf(await useLink(server, secret)) }
    const me = async () => (await asPanel(server, headers)('GET', 'session')).status
    assert.equal(await me(), 200)
    const [twice, helper] = await Promise.all([
      run('admin', 'create', ...olivia),
      json('admin', 'create', '--email', 'hal@example.org', '--name', 'Hal', '--role', 'owner'),
    ])
    assert.deepEqual([twice.code, twice.output], [1, ''])
    assert.match(twice.errors, /olivia@example.org/)
    assert.equal(helper.role, 'owner')
    const { link } = await json('admin', 'link', 'HAL@example.org')
    assert.equal((await useLink(server, helper.link.split('=')[1])).status, 401)
    assert.equal((await useLink(server, link.split('=')[1])).status, 201)
    const [listed, disabled] = await Promise.all([run('admin', 'list'), json('admin', 'disable', 'olivia@example.org')])
    assert.match(listed.output, /^id +email +name +role .*\n[0-9a-f]{40} {2}hal@example.org +Hal +owner .*\n.*olivia/)
    assert.deepEqual([disabled.disabled, await me()], [true, 401])
    const last = await run('admin', 'disable', 'hal@example.org')
    assert.match(last.errors, /^This is the last owner/)
  })

  it('api-key create prints a key that works, rotate another one, and revoke ends it', async () => {
    const works = async (key: string) => (await server.call('GET', '/api/ping', { key })).status
    const plain = await run('api-key', 'create', '--name', 'Mail', '--scope', 'auth')
    assert.match(plain.errors, /shown this once/)
    const key = /apiKey +(\w{64})\n/.exec(plain.output)?.[1] ?? ''
    assert.equal(await works(key), 200)
    const bound = await json(
      ...(['api-key', 'create', '--name', 'Bound', '--scope', 'auth'] as const),
      ...['--domain', server.acme.domainId, server.acme.pinDomainId, '--expires', '2099-12-31T23:59:59Z'],
    )
    assert.deepEqual(bound.domainIds, [server.acme.domainId, server.acme.pinDomainId])
    assert.equal(bound.expiresAt, '2099-12-31T23:59:59.000Z')
    const rotated = await json('api-key', 'rotate', bound.id, '--overlap-hours', '0')
    server.clock.advance(Date.now() - server.clock.now())
    assert.deepEqual([await works(bound.apiKey), await works(rotated.apiKey)], [401, 200])
    await json('api-key', 'revoke', rotated.id)
    assert.equal(await works(rotated.apiKey), 401)
    const [listed, wrong] = await Promise.all([
      run('api-key', 'list'),
      run('api-key', 'create', '--name', 'Wrong', '--scope', 'root'),
    ])
    assert.match(listed.output, /^id +name +prefix +scope .*\n/)
    assert.equal(listed.output.split('\n').length, 6)
    assert.ok(!listed.output.includes(key))
    assert.deepEqual([wrong.code, wrong.output], [1, ''])
    assert.match(wrong.errors, /^scope: /)
  })
})
