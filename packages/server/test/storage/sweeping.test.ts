import assert from 'node:assert/strict'
import { it } from 'node:test'
import pg from 'pg'
import { sweepSessions } from '../../src/core/sweeper.ts'
import { onPostgres } from '../support/engines.ts'
import { newPhone } from '../support/phones.ts'
import { startTestServer } from '../support/server.ts'
import { sql } from '../support/sql.ts'

onPostgres((engine) => {
  it('a request that somebody holds keeps no other from being swept, and is swept once it is let go', async () => {
    const server = await startTestServer(engine)
    const holder = new pg.Client({ connectionString: server.database.url })
    await holder.connect()
    const held = await (await newPhone(server)).ask()
    const free = await (await newPhone(server)).ask()
    const stateOf = async (sid: string) =>
      (await sql(server.database, 'select state from sessions where sid = ?', sid))[0]?.state
    await holder.query('begin')
    await holder.query('select 1 from sessions where sid = $1 for update', [held.sid])
    server.clock.advance(600_000)
    await sweepSessions(server.app)
    assert.deepEqual([await stateOf(held.sid), await stateOf(free.sid)], ['pending', 'expired'])
    await holder.query('rollback')
    await sweepSessions(server.app)
    assert.equal(await stateOf(held.sid), 'expired')
    await holder.end()
    await server.stop()
  })
})
