import assert from 'node:assert/strict'
import { after, before, it } from 'node:test'
import { newJti } from '../support/device.ts'
import { onEveryEngine } from '../support/engines.ts'
import { type Arena, auditedOf, newRacer, outcomeOf, type Racer, startArena, Tally } from '../support/races.ts'
import type { Reply } from '../support/server.ts'

onEveryEngine((engine) => {
  // A token may send 60 messages a minute to a node; the poll that fetched the request is one of them.
  const copies = engine.name === 'postgres' ? 100 : 55
  let arena: Arena
  before(async () => {
    arena = await startArena(engine)
  })
  after(() => arena.stop())

  const sendAll = (messages: string[]): Promise<Reply[]> =>
    Promise.all(messages.map((message, index) => arena.fronts[index % 2 ? 1 : 0].device('answer', message)))
  const stateOf = async ({ sessions }: Racer, sid: string) =>
    (await arena.fronts[1].call('GET', `${sessions}/${sid}`)).body.state

  it('A20: one approval sent a hundred times at once is judged once and always gets the same answer', async () => {
    const phone = await newRacer(arena.fronts[0], { pin: true })
    const request = await phone.ask()
    const message = await phone.approval(request)
    const replies = await sendAll(Array(copies).fill(message))
    for (const { status, text } of replies) {
      assert.equal(status, 200, text)
      assert.equal(text, `{"sid":"${request.sid}","state":"approved"}`)
    }
    assert.equal(await stateOf(phone, request.sid), 'approved')
    assert.deepEqual(await auditedOf(arena.database, request), { 'session.created': 1, 'session.approved': 1 })
  })

  it('A20: of many different approvals of one session at once exactly one is accepted', async () => {
    const phone = await newRacer(arena.fronts[0], { pin: true })
    const request = await phone.ask()
    const messages = await Promise.all(Array.from({ length: copies }, () => phone.approval(request, { jti: newJti() })))
    const tally = new Tally()
    for (const reply of await sendAll(messages)) tally.add(outcomeOf(reply))
    // Ten answers a session are judged; the others are too many.
    assert.deepEqual(tally.counts, { ok: 1, '409 session_closed': 9, '429 rate_limited': copies - 10 })
    assert.equal((await auditedOf(arena.database, request))['session.approved'], 1)
  })

  it('A20: one wrong PIN sent a hundred times at once counts once', async () => {
    const phone = await newRacer(arena.fronts[0], { pin: true })
    const request = await phone.ask()
    const wrong = { uv: { m: 'pin', p: 'A'.repeat(43) } }
    const replies = await sendAll(Array(copies).fill(await phone.approval(request, wrong)))
    for (const reply of replies) {
      assert.equal(outcomeOf(reply), '403 factor_failed')
      assert.equal(reply.body.remaining, 4)
    }
    const again = await arena.fronts[1].device('answer', await phone.approval(request, wrong))
    assert.equal(again.body.remaining, 3)
    assert.equal(await stateOf(phone, request.sid), 'pending')
  })

  it('A08: however many wrong PINs come at once, five are judged and the token is gone', async () => {
    const phone = await newRacer(arena.fronts[0], { pin: true })
    const requests = [await phone.ask(), await phone.ask(), await phone.ask()]
    const wrong = { uv: { m: 'pin', p: 'A'.repeat(43) } }
    const messages = await Promise.all(
      Array.from({ length: 50 }, (_, index) => phone.approval(requests[index % 3] ?? { sid: '', ch: '' }, wrong)),
    )
    const tally = new Tally()
    const remaining: number[] = []
    for (const reply of await sendAll(messages)) {
      tally.add(outcomeOf(reply))
      if (reply.status === 403) remaining.push(reply.body.remaining)
    }
    assert.deepEqual(tally.counts, { '403 factor_failed': 5, '410 token_revoked': 45 })
    assert.deepEqual(remaining.sort(), [0, 1, 2, 3, 4])
    for (const { sid } of requests) assert.equal(await stateOf(phone, sid), 'denied')
    assert.equal((await arena.fronts[0].call('GET', phone.token)).status, 404)
  })
})
