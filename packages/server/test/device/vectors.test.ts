import assert from 'node:assert/strict'
import { after, before, it } from 'node:test'
import type { Operation } from '@countersign/protocol/device-messages.ts'
import { onEveryEngine } from '../support/engines.ts'
import type { Reply, TestServer } from '../support/server.ts'
import { sql } from '../support/sql.ts'
import { post, readVectors, resetWorld, startVectorServer } from '../support/vector-world.ts'

interface Vector {
  name: string
  jws: string
  payload: { factor?: { m: string } }
}
interface Hostile extends Vector {
  attack: string
  op: Operation
  expect: string
}

const { cases: hostile } = readVectors<{ cases: Hostile[] }>('hostile')
const operations: Operation[] = ['activate', 'sync', 'answer', 'push', 'factor', 'rotate', 'remove']

onEveryEngine((engine) => {
  let server: TestServer
  before(async () => {
    server = await startVectorServer(engine)
    await resetWorld(server)
  })
  after(() => server.stop())

  it('T11 T12 T13 T14 T26: every hostile vector is refused with its code, and none of them changes a thing', async () => {
    const before = await everything()
    for (const { name, op, jws, expect } of hostile.filter((vector) => vector.expect !== 'accepted')) {
      assert.equal(codeOf(await post(server, op, jws)), expect, name)
    }
    assert.deepEqual(await everything(), before)
    const thrown = server.logged.filter(({ level, alarm }) => Number(level) >= 50 && !alarm)
    assert.deepEqual(thrown, [], 'no exception in the log')
  })

  it('T14 T26: what only looks hostile is accepted', async () => {
    for (const { name, op, jws } of hostile.filter((vector) => vector.expect === 'accepted')) {
      await resetWorld(server)
      assert.equal(codeOf(await post(server, op, jws)), 'accepted', name)
    }
  })

  for (const op of operations) {
    it(`the vectors of ${op} are accepted here, and by no other operation`, async () => {
      for (const { name, jws, payload } of readVectors<{ cases: Vector[] }>(op).cases) {
        await resetWorld(server, { pendingWithPin: payload.factor?.m !== 'none' })
        for (const other of operations.filter((operation) => operation !== op)) {
          assert.equal(codeOf(await post(server, other, jws)), 'malformed', `${name} as ${other}`)
        }
        assert.equal(codeOf(await post(server, op, jws)), 'accepted', name)
      }
    })
  }

  /** All that a message could have changed. */
  async function everything() {
    const tables = ['tokens', 'sessions', 'activations', 'replies', 'audit_events']
    return Promise.all(tables.map((table) => sql(server.database, `select * from ${table} order by 1, 2, 3`)))
  }
})

/** 'accepted', or the code of the refusal. */
function codeOf({ status, body }: Reply): string {
  const [result] = body.results ?? []
  if (result) return result.ok ? 'accepted' : result.code
  return status === 200 ? 'accepted' : body.errors[0].code
}
