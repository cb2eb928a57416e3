import assert from 'node:assert/strict'
import { after, before, it } from 'node:test'
import { thumbprint } from '@countersign/protocol/jws.ts'
import { publicJwk, TestDevice } from '../support/device.ts'
import { onEveryEngine } from '../support/engines.ts'
import {
  type Arena,
  auditedOf,
  Duel,
  expectOk,
  newMember,
  outcomeOf,
  rounds,
  startArena,
  Tally,
} from '../support/races.ts'
import { sql } from '../support/sql.ts'

onEveryEngine((engine) => {
  let arena: Arena
  before(async () => {
    arena = await startArena(engine, { COUNTERSIGN_TRUSTED_PROXIES: '127.0.0.1' })
  })
  after(() => arena.stop())

  /** A pending token, and activations of it that have begun: by each node in turn. */
  async function begun(activations: number) {
    const { userId, username } = await newMember(arena.fronts[0])
    const token = `/api/domains/${arena.acme.domainId}/users/${userId}/token`
    const { code } = (await expectOk(arena.fronts[0].call('PUT', token))).body
    const begins = []
    for (let number = 0; number < activations; number++) {
      const front = arena.fronts[number % 2 ? 1 : 0]
      begins.push((await expectOk(front.device('activation/begin', { v: 1, code, username }))).body)
    }
    return { token, username, begins }
  }

  it('T05: of twenty devices that finish one code at once exactly one gets the token', async () => {
    for (let round = 0; round < 5; round++) {
      const { token, username, begins } = await begun(5)
      const finishing = Array.from({ length: 20 }, async (_, number) => {
        const front = arena.fronts[number % 2 ? 1 : 0]
        const begin = begins[number % begins.length]
        const device = await TestDevice.prepare(front, begin.tid, { username, pin: false })
        return { device, message: await device.finishMessage(begin) }
      })
      const devices = await Promise.all(finishing)
      const replies = await Promise.all(
        devices.map(({ device, message }) => {
          // From an address of each round: an address may fail 120 times a minute.
          const from = { 'x-forwarded-for': `10.0.0.${round}` }
          return device.server.device('activation/finish', message, from)
        }),
      )

      const tally = new Tally()
      for (const reply of replies) tally.add(outcomeOf(reply))
      assert.deepEqual(tally.counts, { ok: 1, '400 activation_failed': 19 })
      const winner = devices[replies.findIndex(({ status }) => status === 200)]?.device
      assert.ok(winner)
      const stored = await sql(arena.database, 'select state, thumbprint from tokens where tid = ?', winner.tid)
      const own = await thumbprint(await publicJwk(winner.keys))
      assert.deepEqual(
        stored.map((row) => ({ ...row })),
        [{ state: 'active', thumbprint: own }],
      )
      assert.deepEqual(await auditedOf(arena.database, { tid: winner.tid }), {
        'token.created': 1,
        'token.activation_begun': 5,
        'token.activated': 1,
      })

      assert.equal((await winner.poll()).ok, true)
      for (const { device } of devices.filter((other) => other.device !== winner).slice(0, 3)) {
        assert.deepEqual(await device.poll(), { kid: device.tid, ok: false, code: 'bad_signature' })
      }
      assert.equal((await expectOk(arena.fronts[1].call('GET', token))).text, '{"state":"active"}')
    }
  })

  it('one finish sent many times at once activates once and always gets the same answer', async () => {
    const { username, begins } = await begun(1)
    const device = await TestDevice.prepare(arena.fronts[0], begins[0].tid, { username, pin: false })
    const message = await device.finishMessage(begins[0])
    const replies = await Promise.all(
      Array.from({ length: 40 }, (_, number) => arena.fronts[number % 2 ? 1 : 0].device('activation/finish', message)),
    )
    assert.deepEqual([...new Set(replies.map(outcomeOf))], ['ok'])
    assert.equal(new Set(replies.map(({ text }) => text)).size, 1)
    assert.equal((await auditedOf(arena.database, { tid: device.tid }))['token.activated'], 1)
  })

  it('a device that finishes while its code is annulled has no token, or one that is revoked', async () => {
    const [duel, tally] = [new Duel(), new Tally()]
    await rounds({ count: 60, lanes: 4 }, async () => {
      const { token, username, begins } = await begun(1)
      const device = await TestDevice.prepare(arena.fronts[1], begins[0].tid, { username, pin: false })
      const message = await device.finishMessage(begins[0])
      const [finished] = await duel.run(
        () => arena.fronts[1].device('activation/finish', message),
        () => expectOk(arena.fronts[0].call('DELETE', token)),
        ({ status }) => status === 200,
      )
      tally.add(outcomeOf(finished))
      assert.deepEqual(await device.poll(), { kid: device.tid, ok: false, code: 'token_revoked' })
      assert.equal((await arena.fronts[1].call('GET', token)).status, 404)
    })
    tally.assertOnly('ok', '400 activation_failed')
  })
})
