import assert from 'node:assert/strict'
import { after, before, it } from 'node:test'
import { auditOf } from '../support/audit.ts'
import { onEveryEngine } from '../support/engines.ts'
import { refusal } from '../support/phones.ts'
import { startTestServer, type TestServer } from '../support/server.ts'
import { sql } from '../support/sql.ts'

const badRequest = { status: 400, code: 'api.error.badrequest' }
const conflict = { status: 400, code: 'api.error.conflict.username' }

onEveryEngine((engine) => {
  let server: TestServer
  before(async () => {
    server = await startTestServer(engine)
  })
  after(() => server.stop())

  const create = (body: unknown, key = server.acme.apiKey) => server.call('POST', '/api/users', { body, key })
  const countUsers = async () => Number((await sql(server.database, 'select count(*) as count from users'))[0]?.count)

  it('a user is created, and answered byte for byte', async () => {
    const reply = await create({ username: 'Jane.Doe', name: 'Jané "J" Doe', email: 'jane@example.org' })
    const { id } = reply.body
    assert.equal(reply.status, 200)
    assert.match(id, /^[0-9a-f]{40}$/)
    const written = String.raw`"Jan\u00e9 \"J\" Doe"`
    assert.equal(
      reply.text,
      `{"id":"${id}","username":"Jane.Doe","name":${written},"email":"jane@example.org","domains":[],"bypasscodes":[],"hardware":""}`,
    )
    assert.equal((await server.call('GET', `/api/users/${id}`)).text, reply.text)
    assert.deepEqual(await auditOf(server, { user_id: id }), [
      { event: 'user.created', data: { username: 'Jane.Doe' } },
    ])
  })

  it('a name that is not given is the user name, an address that is not is empty', async () => {
    for (const [index, given] of [{}, { name: null, email: null }, { name: '', email: '' }].entries()) {
      const { body } = await create({ username: `Bare${index}`, ...given })
      assert.deepEqual([body.name, body.email], [`Bare${index}`, ''])
    }
  })

  it('what a client may not decide is not taken from it', async () => {
    const wished = {
      username: 'modest',
      id: '0'.repeat(40),
      domains: [server.acme.domainId],
      hardware: 'x',
      created_at: 0,
    }
    const { id: otherId } = server.other
    const text = JSON.stringify({ ...wished, organization_id: otherId, organizationId: otherId })
    const { body } = await create(`${text.slice(0, -1)},"__proto__":{"name":"Root"},"constructor":{"name":"Root"}}`)
    assert.notEqual(body.id, '0'.repeat(40))
    assert.deepEqual({ ...body, id: '' }, { ...body, id: '', name: 'modest', domains: [], hardware: '' })
  })

  it('user names are long enough and not too long, in code points', async () => {
    for (const username of ['x', 'x'.repeat(128), '🙂'.repeat(128), 'a b', 'a"b\\c', '-- drop', '%', '李']) {
      assert.equal((await create({ username })).body.username, username)
    }
    const before = await countUsers()
    for (const username of ['', 'x'.repeat(129), '🙂'.repeat(129)]) {
      assert.deepEqual(refusal(await create({ username })), badRequest)
    }
    assert.equal(await countUsers(), before)
  })

  it('A05: a name that could not be told from another, or not be typed, is refused', async () => {
    const before = await countUsers()
    for (const username of [
      ' x',
      'x ',
      '\tx',
      'x\n',
      '\u00a0x',
      'x\u3000',
      ' ',
      '\u2003',
      'a\u0000b',
      'a\u0007b',
      'a\u007fb',
      'a\u0085b',
      'a\u200bb',
      'a\u200db',
      'a\u202eb',
      'a\u2066b',
      '\ufeffa',
      'a\u00adb',
      'a\u{e0041}b',
      'a\ud800',
      '\udc00a',
    ]) {
      const reply = await create({ username })
      assert.deepEqual(refusal(reply), badRequest, JSON.stringify(username))
      assert.match(reply.body.errors[0].message, /^username: /)
    }
    assert.equal(await countUsers(), before)
  })

  it('a name or an address that cannot be is refused and named', async () => {
    const before = await countUsers()
    for (const [field, values] of [
      ['username', [undefined, null, 1, true, [], {}, ['x']]],
      ['name', [1, false, [], {}, 'x'.repeat(257), 'a\u0000']],
      ['email', [1, {}, 'nobody', '@', 'a@', '@b', 'a b@c', 'a@b@c', `${'a'.repeat(250)}@b.de`, 'a@\u0000b']],
    ] as const) {
      for (const value of values) {
        const reply = await create({ username: 'never', [field]: value })
        assert.deepEqual(refusal(reply), badRequest, `${field} ${JSON.stringify(value)}`)
        assert.ok(reply.body.errors[0].message.startsWith(`${field}: `), reply.text)
      }
    }
    assert.equal(
      (await create({ username: 'longest', name: '🙂'.repeat(256), email: `${'a'.repeat(252)}@b` })).status,
      200,
    )
    assert.equal(await countUsers(), before + 1)
  })

  it('a body that is no object is refused', async () => {
    const before = await countUsers()
    for (const body of [
      '',
      '{',
      '[]',
      '"x"',
      '1',
      'null',
      'true',
      '{"username":"x"}}',
      "{'username':'x'}",
      '\ufeff{}',
    ]) {
      assert.deepEqual(refusal(await create(body)), badRequest, body)
    }
    assert.equal(await countUsers(), before)
  })

  it('A05: a name that somebody has, in whatever case or width, is a conflict', async () => {
    const { body: first } = await create({ username: 'Straße.Ω' })
    for (const username of ['Straße.Ω', 'straße.ω', 'STRAßE.Ω', 'ＳＴＲＡßＥ.Ω', 'Straße.\u2126']) {
      const reply = await create({ username, name: 'Another' })
      assert.deepEqual(refusal(reply), conflict, username)
      assert.ok(reply.body.errors[0].message.startsWith('username: '))
    }
    assert.equal((await server.call('GET', `/api/users/${first.id}`)).body.name, 'Straße.Ω')
  })

  it('another organization may have the same name, and its user is another', async () => {
    const { body: own } = await create({ username: 'shared.name' })
    const theirs = await create({ username: 'shared.name' }, server.other.apiKey)
    assert.equal(theirs.status, 200)
    assert.notEqual(theirs.body.id, own.id)
    assert.equal((await create({ username: 'mallory' })).status, 200)
  })

  it('of many who create one name at once, one does', async () => {
    const spellings = ['Racer', 'racer', 'RACER', 'ｒacer']
    const replies = await Promise.all(Array.from({ length: 40 }, (_, n) => create({ username: spellings[n % 4] })))
    const [winner, ...others] = replies.filter(({ status }) => status === 200)
    assert.equal(others.length, 0)
    for (const reply of replies) if (reply !== winner) assert.deepEqual(refusal(reply), conflict)
    const found = await server.call('GET', '/api/users?username=racer')
    assert.equal(found.text, winner?.text)
    assert.equal((await auditOf(server, { user_id: found.body.id })).length, 1)
  })
})
