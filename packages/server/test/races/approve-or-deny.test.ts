import assert from 'node:assert/strict'
import { after, before, it } from 'node:test'
import { onEveryEngine } from '../support/engines.ts'
import {
  type Arena,
  auditedOf,
  Duel,
  expectOk,
  newRacer,
  outcomeOf,
  rounds,
  startArena,
  Tally,
} from '../support/races.ts'

onEveryEngine((engine) => {
  let arena: Arena
  before(async () => {
    arena = await startArena(engine)
  })
  after(() => arena.stop())

  async function race(duel: Duel, why: string) {
    const [here, there] = arena.fronts
    const phone = await newRacer(here)
    const request = await phone.ask()
    const approval = await phone.approval(request)
    const denial = await phone.approval(request, { ans: 'deny', why })
    const [approved, denied] = await duel.run(
      () => there.device('answer', approval),
      () => here.device('answer', denial),
      ({ status }) => status === 200,
    )
    const { body: session } = await expectOk(there.call('GET', `${phone.sessions}/${request.sid}`))
    const audited = await auditedOf(arena.database, { sid: request.sid })
    return { phone, request, approved, denied, verdict: session.state, audited }
  }

  it('T20: of an approval and a denial one wins, the other hears that the session is closed, and both are audited', async () => {
    const [duel, tally] = [new Duel(), new Tally()]
    await rounds({ count: 60, lanes: 4 }, async () => {
      const { approved, denied, verdict, audited } = await race(duel, 'mistake')
      const [winner, loser] = approved.status === 200 ? [approved, denied] : [denied, approved]
      assert.equal(winner.status, 200, winner.text)
      assert.equal(outcomeOf(loser), '409 session_closed')
      assert.equal(loser.body.state, winner.body.state)
      assert.equal(verdict, winner.body.state)
      assert.deepEqual(audited, {
        'session.created': 1,
        [`session.${verdict}`]: 1,
        'session.answer_refused': 1,
      })
      tally.add(verdict)
    })
    tally.assertOnly('approved', 'denied')
  })

  it('a "not me" wins over an approval, whichever comes first', async () => {
    const [duel, tally] = [new Duel(), new Tally()]
    await rounds({ count: 60, lanes: 4 }, async () => {
      const { phone, request, approved, denied, verdict, audited } = await race(duel, 'not_me')
      assert.deepEqual([denied.status, denied.body], [200, { sid: request.sid, state: 'denied' }])
      assert.equal(verdict, 'denied')
      assert.equal(audited['session.fraud_reported'], 1)
      assert.equal(audited['session.approved'] ?? 0, approved.status === 200 ? 1 : 0)
      // Suspended: the next request is refused without reaching the phone.
      const next = await expectOk(
        phone.device.server.call('POST', phone.sessions, { body: { user: { id: phone.userId } } }),
      )
      assert.equal(next.body.state, 'denied')
      tally.add(outcomeOf(approved))
    })
    tally.assertOnly('ok', '409 session_closed')
  })
})
