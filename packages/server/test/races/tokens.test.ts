import assert from 'node:assert/strict'
import { after, before, it } from 'node:test'
import { onEveryEngine } from '../support/engines.ts'
import { type Arena, Duel, expectOk, newMember, outcomeOf, rounds, soon, startArena, Tally } from '../support/races.ts'
import { sql } from '../support/sql.ts'

onEveryEngine((engine) => {
  let arena: Arena
  before(async () => {
    arena = await startArena(engine)
  })
  after(() => arena.stop())

  const liveTokens = (userId: string) =>
    sql(arena.database, `select tid from tokens where user_id = ? and state in ('pending', 'active')`, userId)

  it('however many create the same token at once, all get one code', async () => {
    await rounds({ count: 20, lanes: 2 }, async () => {
      const { userId } = await newMember(arena.fronts[0])
      const token = `/api/domains/${arena.acme.domainId}/users/${userId}/token`
      const replies = await Promise.all(
        Array.from({ length: 20 }, (_, number) => arena.fronts[number % 2 ? 1 : 0].call('PUT', token)),
      )
      assert.deepEqual([...new Set(replies.map(outcomeOf))], ['ok'])
      assert.equal(new Set(replies.map(({ text }) => text)).size, 1)
      assert.equal((await liveTokens(userId)).length, 1)
    })
  })

  it('a token that is created, read and deleted at once answers each with a state that it had', async () => {
    const [duel, tally] = [new Duel(), new Tally()]
    const [here, there] = arena.fronts
    const users = await Promise.all([1, 2, 3, 4].map(() => newMember(here)))
    await rounds({ count: 200, lanes: 4 }, async (lane) => {
      const token = `/api/domains/${arena.acme.domainId}/users/${users[lane]?.userId}/token`
      const before = await expectOk(here.call('PUT', token))
      const reading = soon(() => here.call('GET', token))
      const [put, deleted] = await duel.run(
        () => there.call('PUT', token),
        () => here.call('DELETE', token),
        ({ text }) => text === before.text,
      )
      const got = await reading
      assert.match(put.text, /^\{"state":"pending","code":"[0-9a-hjkmnp-tv-z]{10}"\}$/)
      assert.match(outcomeOf(got), /^(ok|404 api\.error\.notfound\.token)$/)
      assert.equal(deleted.status, 200)
      const now = await there.call('GET', token)
      if (now.status === 200) assert.equal(now.text, put.text)
      tally.add(outcomeOf(now))
    })
    tally.assertOnly('ok', '404 api.error.notfound.token')
  })

  it('two that delete a token at once: one did, the other finds none', async () => {
    const { userId } = await newMember(arena.fronts[0])
    const token = `/api/domains/${arena.acme.domainId}/users/${userId}/token`
    await rounds({ count: 40, lanes: 1 }, async () => {
      await expectOk(arena.fronts[0].call('PUT', token))
      const replies = await Promise.all(arena.fronts.map((front) => soon(() => front.call('DELETE', token), 1)))
      assert.deepEqual(replies.map(outcomeOf).sort(), ['404 api.error.notfound.token', 'ok'])
    })
  })
})
