// What a command draws for people: an activation link to scan, a number to type.
import assert from 'node:assert/strict'
import { after, before, it } from 'node:test'
import { auditOf } from '../../server/test/support/audit.ts'
import { onSqlite } from '../../server/test/support/engines.ts'
import { phoneOf } from '../../server/test/support/phones.ts'
import { environmentOf } from '../../server/test/support/process.ts'
import { startTestServer, type TestServer } from '../../server/test/support/server.ts'
import { Commands } from './commands.ts'
import { readDigits, readQrCode } from './drawings.ts'

onSqlite((engine) => {
  let server: TestServer
  let commands: Commands
  let org: string[]
  before(async () => {
    server = await startTestServer(engine)
    // The clock of a command is the machine's.
    server.clock.advance(Date.now() - server.clock.now())
    commands = new Commands(await environmentOf(server.database))
    org = ['--org', server.acme.id]
  })
  after(async () => {
    await commands.end()
    await server.stop()
  })

  it('token: what is drawn is the link, which activates; --json has the link alone, and each showing is recorded', async () => {
    const of = [server.acme.domainId, 'alice', ...org]
    const { link, ...created } = await commands.json('token', 'create', ...of)
    assert.deepEqual(Object.keys(created), ['state', 'code', 'expiresAt'])
    const shown = await commands.json('token', 'show', ...of)
    assert.deepEqual([shown.state, shown.link, shown.code], ['pending', link, created.code])
    for (const verb of ['create', 'show']) {
      const { output, errors } = await commands.run('token', verb, ...of)
      assert.equal(await readQrCode(output), link)
      assert.match(errors, /^Whoever has the code/)
    }
    const revealed = await auditOf(server, { user_id: server.acme.alice, event: 'token.code_revealed' })
    assert.equal(revealed.length, 3)
    const [, secret = ''] = /&s=([\w-]{22})&/.exec(link) ?? []
    const { body } = await server.device('activation/begin', { v: 1, code: created.code, secret })
    assert.equal(body.user, 'alice')
    await commands.json('token', 'revoke', ...of)
  })

  it('session create asks the user; the number is shown large, once, and approves', async () => {
    const phone = await phoneOf(server, { userId: server.acme.bob, username: 'bob' })
    const of = [server.acme.domainId, 'bob', ...org]
    const asked = ['--number', '--ip', '192.0.2.7', '--attribute', 'Reason=a=b', 'Host=db1']
    const { output } = await commands.run('session', 'create', ...of, ...asked)
    const [, number = '', drawn = ''] = /^number +(\d{6})$[\s\S]*?\n\n([█ \n]+)\n\n$/m.exec(output) ?? []
    assert.equal(readDigits(drawn), number)
    const request = await phone.device.request()
    assert.deepEqual(request.challenge.attrs, [
      { k: 'Reason', v: 'a=b' },
      { k: 'Host', v: 'db1' },
    ])
    assert.deepEqual([request.challenge.ip, request.challenge.match], ['192.0.2.7', { type: 'enter', len: 6 }])
    assert.equal((await phone.device.approve(request, { num: number })).body.state, 'approved')
    assert.doesNotMatch((await commands.run('session', 'show', request.sid, ...org)).output, new RegExp(number))
    const plain = await commands.json('session', 'create', ...of)
    assert.deepEqual([plain.state, 'number' in plain], ['pending', false])
    await phone.device.deny(await phone.device.request())
    const wrong = await commands.run('session', 'create', ...of, '--attribute', 'Reason')
    assert.deepEqual([wrong.code, wrong.errors], [1, '"Reason" is not KEY=VALUE.\n'])
    await server.call('DELETE', phone.token)
  })
})
