import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { describe, it } from 'node:test'
import { StorageUnavailable } from '../../src/storage/engines/engine.ts'
import { onSqlite } from '../support/engines.ts'
import { runCommand, startCluster } from '../support/process.ts'
import { openRawEngine, raw } from '../support/raw-engine.ts'
import { startTestServer } from '../support/server.ts'

/** Somebody else who is writing to the embedded database. */
function writeFromTheSide(data: string) {
  const db = new DatabaseSync(join(data, 'countersign.sqlite'))
  db.exec('BEGIN IMMEDIATE')
  return { end: () => db.close() }
}

onSqlite((engine) => {
  describe('while another process writes', () => {
    it('reads go on and a write waits until the other is done', async (t) => {
      const server = await startTestServer(engine)
      t.after(() => server.stop())
      const token = `/api/domains/${server.acme.domainId}/users/${server.acme.alice}/token`
      const other = writeFromTheSide(server.database.data)
      const writing = server.call('PUT', token)
      // Read after read, the loop turns: nothing is blocked by the one that waits.
      for (let number = 0; number < 10; number++) assert.equal((await server.call('GET', '/api/users')).status, 200)
      assert.equal((await server.call('GET', token)).status, 404)
      other.end()
      assert.equal((await writing).body.state, 'pending')
    })

    it('a write that has waited long enough is refused with 503 and has not happened', async (t) => {
      const server = await startTestServer(engine, { busyWaitMs: 30 })
      t.after(() => server.stop())
      const token = `/api/domains/${server.acme.domainId}/users/${server.acme.alice}/token`
      const other = writeFromTheSide(server.database.data)
      const refused = await server.call('PUT', token)
      assert.equal(refused.status, 503)
      assert.equal(refused.body.errors[0].code, 'api.error.unavailable')
      assert.ok(Number(refused.headers.get('retry-after')) >= 1)
      other.end()
      assert.equal((await server.call('GET', token)).status, 404)
      assert.equal((await server.call('PUT', token)).status, 200)
    })
  })

  it('a full disk undoes everything that shared the commit, and what comes later works', async () => {
    const store = await openRawEngine(engine)
    await store.engine.unit(({ run }) => run(raw('PRAGMA max_page_count = 20')))
    const note = (id: string) => store.engine.unit(({ run }) => run(raw(`insert into notes (id) values (${id})`)))
    const [before, big] = await Promise.allSettled([note(`'before'`), note('hex(zeroblob(100000))')])
    for (const end of [before, big]) assert.ok(end.status === 'rejected' && end.reason instanceof StorageUnavailable)
    await note(`'later'`)
    assert.deepEqual(await store.notes(), ['later'])
    await store.close()
  })

  it('a second server on the same directory is refused and touches nothing, until the first has ended however', async (t) => {
    const cluster = await startCluster(engine)
    t.after(() => cluster.stop())
    const [first] = cluster.nodes
    assert.ok(first)
    const second = {
      ...cluster.environment,
      COUNTERSIGN_API_LISTEN: '127.0.0.1:1',
      COUNTERSIGN_KEYRING: join(cluster.database.data, 'other-keyring.json'),
    }
    const refused = await runCommand(second, 'serve')
    assert.equal(refused.code, 1)
    assert.ok(refused.errors.startsWith(`Another server is running on ${cluster.database.data}.`), refused.errors)
    assert.equal(existsSync(second.COUNTERSIGN_KEYRING), false)
    assert.equal((await first.call('GET', '/api/ping')).status, 200)

    await first.kill('SIGKILL')
    await first.start()
    assert.equal((await first.call('GET', '/api/ping')).status, 200)
  })
})
