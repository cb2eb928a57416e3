import assert from 'node:assert/strict'
import { after, before, it } from 'node:test'
import { onEveryEngine } from '../support/engines.ts'
import {
  type Arena,
  Duel,
  enrol,
  expectOk,
  newMember,
  outcomeOf,
  rounds,
  soon,
  startArena,
  Tally,
} from '../support/races.ts'

onEveryEngine((engine) => {
  let arena: Arena
  before(async () => {
    arena = await startArena(engine)
  })
  after(() => arena.stop())

  it('T16: no read that begins after the answer to the revocation says approved, in 1,000 rounds', async () => {
    const lanes = 8
    const [here, there] = arena.fronts
    const users = await Promise.all(Array.from({ length: lanes }, () => newMember(here)))
    const [duel, tally] = [new Duel(), new Tally()]
    await rounds({ count: 1_000, lanes }, async (lane) => {
      const user = users[lane]
      assert.ok(user)
      const { open, ask, approval, sessions, token } = await enrol(here, user)
      const bystander = await open()
      const request = await ask()
      const message = await approval(request)
      const stateOf = async (sid: string) => (await expectOk(there.call('GET', `${sessions}/${sid}`))).body.state

      const early = soon(() => stateOf(request.sid), 8)
      const [approved] = await duel.run(
        () => there.device('answer', message),
        async () => {
          await expectOk(here.call('DELETE', token))
          assert.equal(await stateOf(request.sid), 'denied')
        },
        ({ status }) => status === 200,
      )
      tally.add(outcomeOf(approved))
      assert.match(await early, /^(pending|approved|denied)$/)
      assert.equal(await stateOf(request.sid), 'denied')
      assert.equal(await stateOf(bystander), 'denied')
    })
    tally.assertOnly('ok', '410 token_revoked')
  })

  it('a session that is created while its token is revoked is not there or denied', async () => {
    const [here, there] = arena.fronts
    const user = await newMember(here)
    const [duel, tally] = [new Duel(), new Tally()]
    await rounds({ count: 100, lanes: 1 }, async () => {
      const { sessions, token } = await enrol(here, user)
      const [created] = await duel.run(
        () => there.call('POST', sessions, { body: { user: { id: user.userId } } }),
        () => expectOk(here.call('DELETE', token)),
        ({ status }) => status === 200,
      )
      tally.add(outcomeOf(created))
      if (created.status !== 200) return
      assert.equal((await expectOk(there.call('GET', `${sessions}/${created.body.id}`))).body.state, 'denied')
    })
    tally.assertOnly('ok', '404 api.error.notfound.token')
  })
})
