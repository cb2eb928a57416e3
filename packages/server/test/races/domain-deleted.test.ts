import assert from 'node:assert/strict'
import { after, before, it } from 'node:test'
import { onEveryEngine } from '../support/engines.ts'
import { newDomain, newUser } from '../support/phones.ts'
import { startTestServer, type TestServer } from '../support/server.ts'
import { sql } from '../support/sql.ts'

const rounds = 20

onEveryEngine((engine) => {
  let server: TestServer
  before(async () => {
    server = await startTestServer(engine)
  })
  after(() => server.stop())

  it('nobody becomes a member of a domain that is being deleted, alone or by a list', async () => {
    const { userId, username } = await newUser(server)
    for (let round = 0; round < rounds; round++) {
      const domainId = await newDomain(server, {})
      const users = `/api/domains/${domainId}/users`
      await server.call('PUT', users, { body: Array.from({ length: 50 }, (_, n) => ({ username: `crowd${n}` })) })
      const [gone, ...joined] = await Promise.all([
        server.call('DELETE', `/admin/v1/domains/${domainId}`),
        server.call('PUT', users, { body: [{ username }, { username: 'crowd1' }] }),
        server.call('PUT', `${users}/${userId}`),
      ])
      assert.equal(gone.status, 204)
      for (const { status } of joined) assert.ok([200, 404].includes(status))
      assert.deepEqual(await sql(server.database, 'select user_id from members where domain_id = ?', domainId), [])
    }
  })
})
