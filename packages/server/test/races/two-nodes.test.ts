import assert from 'node:assert/strict'
import { after, before, it } from 'node:test'
import { createSession } from '../../src/core/sessions.ts'
import { operatorOf } from '../../src/main.ts'
import { TestDevice } from '../support/device.ts'
import { onEveryEngine, onPostgres } from '../support/engines.ts'
import { type Arena, expectOk, newRacer, type Racer, startArena } from '../support/races.ts'
import type { Front } from '../support/server.ts'
import { sql } from '../support/sql.ts'

/** Resolves once what was sent to this front before is being waited for: requests that follow it have been answered. */
async function settled(front: Front): Promise<void> {
  for (let number = 0; number < 3; number++) await front.call('GET', '/api/ping')
}

onEveryEngine((engine) => {
  let arena: Arena
  let phone: Racer
  before(async () => {
    arena = await startArena(engine)
    phone = await newRacer(arena.fronts[0])
  })
  after(() => arena.stop())

  it('what one node writes ends a wait on the other in less than 100 ms, at the median of 20', async (t) => {
    const [here, there] = arena.fronts
    const device = new TestDevice(there, phone.device)
    const delays = { poll: [] as number[], verdict: [] as number[] }
    for (let number = 0; number < 20; number++) {
      const polling = device.poll({ wait: 25 })
      await settled(there)
      const { body } = await expectOk(here.call('POST', phone.sessions, { body: { user: { id: phone.userId } } }))
      const created = performance.now()
      const polled = await polling
      delays.poll.push(performance.now() - created)
      assert.deepEqual(polled.ok && polled.requests.map(({ sid }) => sid), [body.id])
      const [request] = polled.ok ? polled.requests : []
      assert.ok(request)

      const waiting = here.call('GET', `${phone.sessions}/${body.id}?wait=25`)
      await settled(here)
      await expectOk(there.device('answer', await phone.approval(request)))
      const answered = performance.now()
      assert.equal((await waiting).body.state, 'approved')
      delays.verdict.push(performance.now() - answered)
    }
    for (const [wait, times] of Object.entries(delays)) {
      const [median = 0, maximum = 0] = [times.toSorted((a, b) => a - b)[10], Math.max(...times)]
      t.diagnostic(`${wait}: median ${median.toFixed(1)} ms, maximum ${maximum.toFixed(1)} ms`)
      assert.ok(median < 100, `${wait}: the median is ${median} ms`)
      assert.ok(maximum < 5_000, `${wait}: the maximum is ${maximum} ms`)
    }
  })

  it('a cancellation on one node empties the screen of a device that waits on the other', async () => {
    const [here, there] = arena.fronts
    const request = await phone.ask()
    const polling = new TestDevice(there, phone.device).poll({ wait: 25, have: [request.sid] })
    await settled(there)
    await expectOk(here.call('DELETE', `${phone.sessions}/${request.sid}`))
    const polled = await polling
    assert.deepEqual(polled.ok && [polled.requests, polled.closed], [[], [{ sid: request.sid, state: 'cancelled' }]])
  })

  // No command of today changes what a device waits for; on PostgreSQL one would have to tell the nodes.
  const onSqlite = engine.name === 'sqlite' ? it : it.skip
  onSqlite('a command beside the server wakes a device that waits on it', async () => {
    const polling = new TestDevice(arena.fronts[1], phone.device).poll({ wait: 25 })
    await settled(arena.fronts[1])
    const began = performance.now()
    const session = await arena.command(async (app) =>
      createSession(app, await operatorOf(app, arena.acme.id), {
        domainId: arena.acme.domainId,
        user: { id: phone.userId },
        attributes: [],
        clientAddress: '127.0.0.1',
      }),
    )
    const polled = await polling
    assert.deepEqual(polled.ok && polled.requests.map(({ sid }) => sid), [session.id])
    assert.ok(performance.now() - began < 10_000)
  })
})

onPostgres((engine) => {
  let arena: Arena
  before(async () => {
    arena = await startArena(engine)
  })
  after(() => arena.stop())

  /** Ends the connections on which the nodes hear of each other. */
  async function cutListeners(): Promise<number> {
    const killed = await sql(
      arena.database,
      `select pg_terminate_backend(pid) from pg_stat_activity
       where datname = current_database() and (query like 'LISTEN%' or query like '%pg_notify%') and pid <> pg_backend_pid()`,
    )
    return killed.length
  }

  for (const [when, order] of Object.entries({
    'just before the request': [cutListeners, ask],
    'just after it': [ask, cutListeners],
  })) {
    it(`a device hears of a request on another node although the nodes lose each other ${when}`, async () => {
      const phone = await newRacer(arena.fronts[0])
      const polling = new TestDevice(arena.fronts[1], phone.device).poll({ wait: 25 })
      await settled(arena.fronts[1])
      const began = performance.now()
      for (const step of order) await step(phone)
      const polled = await polling
      assert.equal(polled.ok && polled.requests.length, 1)
      assert.ok(performance.now() - began < 10_000, 'it was found only because the poll ended')
      for (const { pid } of arena.nodes) assert.ok(pid && process.kill(pid, 0))
    })
  }

  async function ask(phone: Racer): Promise<void> {
    await phone.open()
  }
})
