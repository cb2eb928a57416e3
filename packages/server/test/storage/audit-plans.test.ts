import assert from 'node:assert/strict'
import { after, before, it } from 'node:test'
import { onEveryEngine } from '../support/engines.ts'
import { writeEvents } from '../support/events.ts'
import { planOf } from '../support/plans.ts'
import { startTestServer, type TestServer } from '../support/server.ts'
import { sql } from '../support/sql.ts'
import { watchStatements } from '../support/statements.ts'

onEveryEngine((engine) => {
  let server: TestServer
  before(async () => {
    server = await startTestServer(engine)
    for (const userId of [server.acme.alice, server.acme.bob]) await writeEvents(server, 6_000, { userId })
    if (engine.name === 'postgres') await sql(server.database, 'analyze')
  })
  after(() => server.stop())

  /** The plans of what a request reads of a table. */
  async function plansOf(path: string, table: string): Promise<string[]> {
    const watched = watchStatements()
    const response = await fetch(`${server.apiUrl}/admin/v1/${path}`, {
      headers: { authorization: `Bearer ${server.acme.apiKey}` },
    })
    assert.equal(response.status, 200, await response.text())
    watched.stop()
    const texts = watched.texts.filter((text) => text.startsWith('select') && text.includes(`"${table}"`))
    return Promise.all([...new Set(texts)].map((text) => planOf(server, text)))
  }

  it('every filter of the audit log enters an index and leaves it in order: nothing is sorted, nothing is scanned', async () => {
    const { alice, domainId } = server.acme
    const after = `after=${Buffer.from(JSON.stringify([server.clock.now(), 99, 5])).toString('base64url')}`
    const cases: Record<string, RegExp> = {
      'audit?': /audit_events_order/,
      [`audit?user=${alice}`]: /audit_events_user/,
      'audit?event=test.common': /audit_events_event/,
      'audit?actor=somebody': /audit_events_actor/,
      [`audit?domain=${domainId}`]: /audit_events_domain/,
      [`audit?user=${alice}&session=${alice}&event=test.common`]: /audit_events_user/,
      [`audit?domain=${domainId}&event=test.rare`]: /audit_events_event/,
      'audit/export?': /audit_events_order/,
    }
    for (const [path, index] of Object.entries(cases)) {
      for (const time of ['', '&since=2027-01-01T00:00:00Z&until=2027-02-01T00:00:00Z']) {
        for (const place of path.includes('export') ? [''] : ['', `&${after}`]) {
          const plans = await plansOf(path + time + place, 'audit_events')
          assert.ok(plans.length > 0, path)
          for (const plan of plans) {
            assert.match(plan, index, path + time + place)
            assert.doesNotMatch(plan, /Seq Scan|Sort|SCAN|TEMP B-TREE/, plan)
          }
        }
      }
    }
  })

  it('every filter of the hardware tokens, and the bypass codes of a user, enter an index and leave it in order', async () => {
    await sql(
      server.database,
      `insert into hardware_tokens (organization_id, id, alias, serial_number, type, time_step, seed_cipher, user_id,
        last_step, drift, sync_state, created_at)
      with recursive numbers(n) as (select 1 union all select n + 1 from numbers where n < 5000)
      select ?, 'h' || n, 'x', 'S-' || n, 'TOTP6', 30, '', case when n % 2 = 0 then 'u' || n end, -1, 0, 'never', n
      from numbers`,
      server.acme.id,
    )
    if (engine.name === 'postgres') await sql(server.database, 'analyze')
    const after = Buffer.from('["S-77"]').toString('base64url')
    const cases: Record<string, RegExp> = {
      'hardware?': /hardware_tokens_serial/,
      'hardware?q=S-1': /hardware_tokens_serial/,
      'hardware?assigned=true': /hardware_tokens_assigned/,
      'hardware?assigned=false': /hardware_tokens_free/,
      'hardware?assigned=false&q=S-1': /hardware_tokens_free/,
    }
    for (const [path, index] of Object.entries(cases)) {
      for (const place of ['', `&after=${after}`]) {
        const [plan = ''] = await plansOf(path + place, 'hardware_tokens')
        assert.match(plan, index, path + place)
        assert.doesNotMatch(plan, /Seq Scan|Sort|SCAN|TEMP B-TREE/, plan)
      }
    }
    const [plan = ''] = await plansOf(`users/${server.acme.alice}/bypass-codes`, 'bypass_codes')
    if (engine.name === 'sqlite') assert.match(plan, /bypass_codes_user/)
  })
})
