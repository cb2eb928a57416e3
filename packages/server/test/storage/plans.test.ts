import assert from 'node:assert/strict'
import { it } from 'node:test'
import { sweepOld, sweepSessions } from '../../src/core/sweeper.ts'
import { onSqlite } from '../support/engines.ts'
import { newPhone } from '../support/phones.ts'
import { startTestServer } from '../support/server.ts'
import { sql } from '../support/sql.ts'
import { watchStatements } from '../support/statements.ts'

onSqlite((engine) => {
  it('no statement of a login, an activation or a sweep walks all the rows of a table or of an organization', async (t) => {
    const server = await startTestServer(engine)
    t.after(() => server.stop())
    const watched = watchStatements()
    const phone = await newPhone(server, { pin: true })
    const sessions = `/api/domains/${phone.domainId}/sessions`
    const created = await server.call('POST', sessions, { body: { user: { username: phone.username } } })
    await phone.device.poll({ have: [created.body.id] })
    const several = [phone, await newPhone(server)].map(({ device }) => device.sign('sync', device.common('sync')))
    assert.equal((await server.device('sync', { wait: 0, tokens: await Promise.all(several) })).status, 200)
    await phone.device.deny(await phone.ask(), 'not_me')
    server.clock.advance(86_400_000)
    await server.call('POST', sessions, { body: { user: { username: phone.username } } })
    await phone.device.approve(await phone.device.request())
    await server.call('GET', `${sessions}/${created.body.id}`)
    await server.call('DELETE', `${sessions}/${created.body.id}`)
    await sweepSessions(server.app)
    await sweepOld(server.app)
    await server.call('DELETE', `/api/users/${phone.userId}`)
    watched.stop()

    const texts = [...new Set(watched.texts)].filter((text) => /^(select|update|delete|with)/.test(text))
    assert.ok(texts.length > 20)
    for (const text of texts) {
      for (const { detail } of await sql(server.database, `explain query plan ${text.replaceAll('?', 'null')}`)) {
        assert.doesNotMatch(String(detail), walk, `${text}\n${detail}`)
      }
    }
  })
})

// A whole table, or everything that an organization has, in a state or in any. A batch is small.
const walk =
  /^SCAN (?!\(|batch)|^SEARCH (tokens|sessions|users|members|replies|activations) .*\(organization_id=\?( AND state=\?)?\)$/
