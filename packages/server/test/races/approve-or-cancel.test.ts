import assert from 'node:assert/strict'
import { after, before, it } from 'node:test'
import { onEveryEngine } from '../support/engines.ts'
import { type Arena, Duel, expectOk, newRacer, outcomeOf, rounds, startArena, Tally } from '../support/races.ts'
import { sql } from '../support/sql.ts'

onEveryEngine((engine) => {
  let arena: Arena
  before(async () => {
    arena = await startArena(engine)
  })
  after(() => arena.stop())

  it('T18: a cancelled session reads denied and the device is told, whoever came first, in 1,000 rounds', async () => {
    const lanes = 8
    const [here, there] = arena.fronts
    // So many that none meets a limit: 20 answers a minute, 15 requests in a row without an approval.
    const phones = await Promise.all(Array.from({ length: 80 }, () => newRacer(here)))
    const [duel, tally] = [new Duel(), new Tally()]
    await rounds({ count: 1_000, lanes }, async () => {
      const phone = phones.shift()
      assert.ok(phone)
      const request = await phone.ask()
      const message = await phone.approval(request)
      const session = `${phone.sessions}/${request.sid}`

      const [answer] = await duel.run(
        () => there.device('answer', message),
        async () => {
          await expectOk(here.call('DELETE', session))
          assert.equal((await expectOk(there.call('GET', session))).body.state, 'denied')
        },
        ({ status }) => status === 200,
      )
      tally.add(outcomeOf(answer))
      assert.equal(answer.body.state, answer.status === 200 ? 'approved' : 'cancelled')
      assert.equal((await expectOk(here.call('GET', session))).body.state, 'denied')

      const polled = await phone.device.poll({ have: [request.sid] })
      assert.deepEqual(polled.ok && polled.closed, [{ sid: request.sid, state: 'cancelled' }])
      assert.deepEqual(polled.ok && polled.requests, [])
      phones.push(phone)
    })
    tally.assertOnly('ok', '409 session_closed')

    const states = await sql(arena.database, 'select state, count(*) as times from sessions group by state')
    assert.deepEqual({ ...states[0], times: Number(states[0]?.times) }, { state: 'cancelled', times: 1_000 })
    assert.equal(states.length, 1)
    const audited = await sql(
      arena.database,
      `select event, count(*) as times, count(distinct sid) as sessions from audit_events
       where event in ('session.approved', 'session.cancelled') group by event order by event`,
    )
    const times = audited.map(({ event, times, sessions }) => [event, Number(times), Number(sessions)])
    assert.deepEqual(times, [
      ['session.approved', tally.counts.ok, tally.counts.ok],
      ['session.cancelled', 1_000, 1_000],
    ])
  })
})
