import assert from 'node:assert/strict'
import { after, before, it } from 'node:test'
import { auditOf } from '../support/audit.ts'
import { onEveryEngine } from '../support/engines.ts'
import { refusal } from '../support/phones.ts'
import { startTestServer, type TestServer } from '../support/server.ts'

const badRequest = { status: 400, code: 'api.error.badrequest' }
let users = 0

onEveryEngine((engine) => {
  let server: TestServer
  before(async () => {
    server = await startTestServer(engine)
  })
  after(() => server.stop())

  const get = async (id: string) => (await server.call('GET', `/api/users/${id}`)).text
  const update = (id: string, body?: unknown) => server.call('PUT', `/api/users/${id}`, { body })
  async function newUser() {
    const username = `Changing${++users}`
    const body = { username, name: 'Before', email: 'before@example.org' }
    return (await server.call('POST', '/api/users', { body })).body
  }

  it('name and address change, the answer is the user as it is now, and nobody else changes', async () => {
    const [user, other] = [await newUser(), await newUser()]
    server.clock.advance(1)
    const reply = await update(user.id, { name: 'After ✓', email: 'after@example.org' })
    assert.equal(reply.status, 200)
    const { id, username } = user
    assert.equal(
      reply.text,
      `{"id":"${id}","username":"${username}","name":"After \\u2713","email":"after@example.org","domains":[],"bypasscodes":[],"hardware":""}`,
    )
    assert.equal(await get(id), reply.text)
    assert.equal(await get(other.id), JSON.stringify(other))
    const data = { name: true, email: true }
    assert.deepEqual((await auditOf(server, { user_id: id })).at(-1), { event: 'user.updated', data })
  })

  it('what is absent or null stays, and no body at all is allowed', async () => {
    const user = await newUser()
    for (const body of [{}, undefined, '', { name: null }, { email: null }, { name: null, email: null }]) {
      const reply = await update(user.id, body)
      assert.deepEqual([reply.status, reply.text], [200, JSON.stringify(user)], JSON.stringify(body))
    }
    assert.equal((await update(user.id, { name: 'Only' })).body.email, user.email)
    assert.equal((await update(user.id, { email: 'only@example.org', name: null })).body.name, 'Only')
    assert.equal((await update(user.id, { name: '' })).body.name, user.username)
    assert.equal((await update(user.id, { email: '' })).body.email, '')
  })

  it('the user name and whatever else is not changed by it', async () => {
    const user = await newUser()
    const wished = { username: 'alice', id: server.acme.bob, domains: [server.acme.domainId], hardware: 'x' }
    assert.equal((await update(user.id, wished)).text, JSON.stringify(user))
    assert.equal((await update(user.id, { username: 7 })).text, JSON.stringify(user))
  })

  it('what cannot be is refused, named, and changes nothing of the rest', async () => {
    const user = await newUser()
    for (const [field, values] of [
      ['name', [1, true, {}, [], 'x'.repeat(257), 'a\u0000', '\ud800']],
      ['email', [1, {}, 'nobody', 'a@', '@b', 'a b@c', `${'a'.repeat(253)}@b`]],
    ] as const) {
      for (const value of values) {
        const reply = await update(user.id, { name: 'Other', email: 'other@example.org', [field]: value })
        assert.deepEqual(refusal(reply), badRequest, `${field} ${JSON.stringify(value)}`)
        assert.ok(reply.body.errors[0].message.startsWith(`${field}: `), reply.text)
      }
    }
    for (const body of ['[]', '1', 'null x', '"x"', '{'])
      assert.deepEqual(refusal(await update(user.id, body)), badRequest)
    assert.equal(await get(user.id), JSON.stringify(user))
  })

  it('of changes at once to different members none is lost', async () => {
    for (let round = 0; round < 10; round++) {
      const { id } = await newUser()
      await Promise.all([update(id, { name: `N${round}` }), update(id, { email: `e${round}@example.org` })])
      const { name, email } = JSON.parse(await get(id))
      assert.deepEqual([name, email], [`N${round}`, `e${round}@example.org`])
    }
  })
})
