import assert from 'node:assert/strict'
import { after, before, it } from 'node:test'
import { judged, newBypassCode, newFob, type Presented, usesLeft } from '../support/codes.ts'
import { onEveryEngine } from '../support/engines.ts'
import { type Arena, expectOk, newMember, newRacer, soon, startArena, Tally } from '../support/races.ts'
import { sql } from '../support/sql.ts'

onEveryEngine((engine) => {
  let arena: Arena
  before(async () => {
    arena = await startArena(engine)
  })
  after(() => arena.stop())

  /** The same code so many times at once, by turns over both nodes and both domains. */
  async function presentAll(userId: string, codes: Presented[]): Promise<Record<string, number>> {
    const { domainId, pinDomainId } = arena.acme
    const outcomes = await Promise.all(
      codes.map((code, index) => {
        const front = arena.fronts[index % 2 ? 1 : 0]
        return judged(front, { id: userId }, code, index % 3 ? domainId : pinDomainId)
      }),
    )
    const tally = new Tally()
    for (const outcome of outcomes) tally.add(outcome)
    return tally.counts
  }
  const copies = <Code extends Presented>(code: Code, count = 100): Code[] => Array(count).fill(code)
  const approvals = async (userId: string) => {
    const text = `select count(*) as times from sessions where user_id = ? and state = 'approved'`
    return Number((await sql(arena.database, text, userId))[0]?.times)
  }

  it('A20: one password sent a hundred times at once is approved once, and its owner is not locked out', async () => {
    const { userId } = await newMember(arena.fronts[0])
    const fob = await newFob(arena.fronts[0], userId)
    const step = fob.step()
    assert.deepEqual(await presentAll(userId, copies({ otp: fob.at(step) })), { approved: 1, code_spent: 99 })
    assert.equal(await approvals(userId), 1)
    assert.equal(await judged(arena.fronts[1], { id: userId }, { otp: fob.at(step + 1) }), 'approved')
  })

  it('A20 A22: a bypass code is approved as often as it may be used, and no use is lost', async () => {
    for (const usesAllowed of [1, 50]) {
      const { userId } = await newMember(arena.fronts[0])
      const { id, code } = await newBypassCode(arena.fronts[0], userId, { usesAllowed })
      const counts = await presentAll(userId, copies({ bypasscode: code }))
      assert.deepEqual(counts, { approved: usesAllowed, code_spent: 100 - usesAllowed })
      assert.equal(await approvals(userId), usesAllowed)
      assert.equal(await usesLeft(arena.fronts[1], id), 0)
    }
  })

  it('A22: the last use is one of fifty clients’', async () => {
    const { userId } = await newMember(arena.fronts[0])
    const { code } = await newBypassCode(arena.fronts[0], userId, { usesAllowed: 2 })
    assert.equal(await judged(arena.fronts[1], { id: userId }, { bypasscode: code }), 'approved')
    const counts = await presentAll(userId, copies({ bypasscode: code }, 50))
    assert.deepEqual(counts, { approved: 1, code_spent: 49 })
  })

  it('A08 A09: of a hundred wrong codes over both nodes five are looked at, and ten passwords', async () => {
    for (const [wrong, wrongMax] of [
      [{ bypasscode: '' }, 5],
      [{ otp: '' }, 10],
    ] as const) {
      const { userId } = await newMember(arena.fronts[0])
      const counts = await presentAll(userId, copies(wrong, 100))
      assert.deepEqual(counts, { wrong_code: wrongMax, codes_locked: 100 - wrongMax })
    }
  })

  it('A20 A12: a server that is killed in the middle has taken a use for each approval, and forgotten no failure', async () => {
    const [node = assert.fail()] = arena.nodes
    const { userId } = await newMember(node)
    const { userId: guesser } = await newMember(node)
    const uses = 1_000
    const { id, code } = await newBypassCode(node, userId, { usesAllowed: uses })
    const wrong = () => judged(node, { id: guesser }, { bypasscode: '' })
    for (let count = 0; count < 3; count++) assert.equal(await wrong(), 'wrong_code')
    let answered = 0
    const enough = Promise.withResolvers<void>()
    // Each asks again and again, so that something is under way whenever the server dies.
    const asking = Array.from({ length: 20 }, async () => {
      for (;;) {
        assert.equal(await judged(node, { id: userId }, { bypasscode: code }), 'approved')
        if (++answered === 10) enough.resolve()
      }
    })
    const ended = Promise.allSettled(asking)
    await Promise.race([enough.promise, ended])
    await node.kill('SIGKILL')
    await ended
    await node.start()
    const approved = await approvals(userId)
    assert.ok(answered >= 10 && approved >= answered)
    assert.equal(await usesLeft(node, id), uses - approved)
    assert.deepEqual([await wrong(), await wrong(), await wrong()], ['wrong_code', 'wrong_code', 'codes_locked'])
  })

  it('twenty requests at once over both nodes make five codes', async () => {
    const { userId } = await newMember(arena.fronts[0])
    const make = (_: unknown, index: number) =>
      arena.fronts[index % 2 ? 1 : 0].call('POST', `/api/users/${userId}/bypasscodes`, { body: {} })
    const replies = await Promise.all(Array.from({ length: 20 }, make))
    assert.equal(replies.filter(({ status }) => status === 200).length, 5)
  })

  it('A30: a member who is removed while codes are accepted has no approval afterwards', async () => {
    const { domainId } = arena.acme
    const tally = new Tally()
    for (let round = 0; round < 20; round++) {
      const { userId } = await newRacer(arena.fronts[0])
      const { code } = await newBypassCode(arena.fronts[0], userId, { usesAllowed: 20 })
      const path = `/api/domains/${domainId}/sessions`
      const front = (index: number) => arena.fronts[index % 2 ? 1 : 0]
      const body = { user: { id: userId }, bypasscode: code }
      const asked = Array.from({ length: 20 }, (_, index) => soon(() => front(index).call('POST', path, { body }), 20))
      await soon(() => expectOk(front(round).call('DELETE', `/api/domains/${domainId}/users/${userId}`)), 20)
      for (const { status, body } of await Promise.all(asked)) {
        tally.add(status === 200 ? body.state : String(status))
        assert.ok(status === 200 || status === 404, `${status}`)
        if (status !== 200) continue
        const { body: read } = await arena.fronts[1].call('GET', `${path}/${body.id}`)
        assert.equal(read.state, 'denied')
      }
      assert.equal(await approvals(userId), 0)
    }
    tally.assertOnly('approved', '404')
  })
})
