import assert from 'node:assert/strict'
import { after, before, it } from 'node:test'
import { newApiKey } from '../support/api-keys.ts'
import { auditOf } from '../support/audit.ts'
import { onEveryEngine } from '../support/engines.ts'
import { newPhone, newUser, refusal } from '../support/phones.ts'
import { startTestServer, type TestServer } from '../support/server.ts'
import { dump } from '../support/sql.ts'

const noSuchToken = { status: 404, code: 'api.error.notfound.token' }

onEveryEngine((engine) => {
  let server: TestServer
  before(async () => {
    server = await startTestServer(engine)
  })
  after(() => server.stop())

  const pathOf = (userId: string) => `/api/domains/${server.acme.domainId}/users/${userId}/token`

  it('none, pending, active, none: each said byte for byte', async () => {
    const { userId } = await newUser(server)
    const token = pathOf(userId)
    assert.deepEqual(refusal(await server.call('GET', token)), noSuchToken)
    const created = await server.call('PUT', token)
    const pending = await server.call('GET', token)
    assert.deepEqual([pending.status, pending.text], [200, created.text])
    const phone = await newPhone(server)
    assert.equal((await server.call('GET', phone.token)).text, '{"state":"active"}')
    for (const path of [token, phone.token]) {
      await server.call('DELETE', path)
      assert.deepEqual(refusal(await server.call('GET', path)), noSuchToken)
    }
  })

  it('T38: reading a code is written down with the key that read it; reading that there is none left is not', async () => {
    const { userId } = await newUser(server)
    await server.call('PUT', pathOf(userId))
    const key = await newApiKey(server, 'enroll')
    for (let reads = 1; reads <= 2; reads++) {
      await server.call('GET', pathOf(userId), { key })
      assert.equal((await auditOf(server, { user_id: userId, event: 'token.code_revealed' })).length, reads)
    }
    await server.call('PUT', pathOf(userId), { key })
    assert.equal((await auditOf(server, { user_id: userId, event: 'token.code_revealed' })).length, 3)
    const phone = await newPhone(server)
    const before = await dump(server.database)
    await server.call('GET', phone.token)
    assert.deepEqual(await dump(server.database), before)
  })

  it('T38: a key that may not read tokens learns no code, not even whether there is one', async () => {
    const { userId } = await newUser(server)
    const { code } = (await server.call('PUT', pathOf(userId))).body
    const phone = await newPhone(server)
    for (const scope of ['auth', 'read'] as const) {
      const key = await newApiKey(server, scope)
      const texts = new Set<string>()
      for (const path of [pathOf(userId), phone.token, pathOf('0'.repeat(40))]) {
        const reply = await server.call('GET', path, { key })
        assert.deepEqual(refusal(reply), { status: 403, code: 'api.error.forbidden' })
        texts.add(reply.text)
      }
      assert.equal(texts.size, 1)
      assert.ok(![...texts].join().includes(code))
    }
  })

  it('T04: a code whose time is over is none, and nothing of it is left in the row', async () => {
    const { userId } = await newUser(server)
    await server.call('PUT', pathOf(userId))
    server.clock.advance(7 * 86_400_000)
    assert.deepEqual(refusal(await server.call('GET', pathOf(userId))), noSuchToken)
    const rows = (await dump(server.database)).tokens?.filter(({ user_id }) => user_id === userId) ?? []
    assert.equal(rows.length, 1)
    const [{ state, code_index, code_cipher, secret_index, secret_cipher } = {}] = rows
    assert.deepEqual([state, code_index, code_cipher, secret_index, secret_cipher], ['expired', null, null, null, null])
  })
})
