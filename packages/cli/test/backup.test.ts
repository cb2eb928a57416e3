// `countersign backup` and `restore` as an operator or a timer runs them, beside a server in a process of its own.
import assert from 'node:assert/strict'
import { copyFileSync, mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { it } from 'node:test'
import { onEveryEngine } from '../../server/test/support/engines.ts'
import { environmentOf, runCommand, startCluster } from '../../server/test/support/process.ts'
import { expectOk, newRacer } from '../../server/test/support/races.ts'

onEveryEngine((engine) => {
  it('a running server is backed up, and restored elsewhere by a copy of its keyring', async (t) => {
    const directory = mkdtempSync(join(tmpdir(), 'countersign-test-'))
    t.after(() => rmSync(directory, { recursive: true }))
    const cluster = await startCluster(engine)
    t.after(() => cluster.stop())
    const [node] = cluster.nodes
    assert.ok(node)
    const racer = await newRacer(node, { pin: true })
    const file = join(directory, 'one.backup')
    const backup = () => runCommand(cluster.environment, 'backup', '--to', file, '--json')

    const first = await backup()
    assert.equal(first.errors, '')
    const { rows, bytes, seconds, ...rest } = JSON.parse(first.output)
    assert.deepEqual([rest, bytes], [{ file }, statSync(file).size])
    assert.ok(rows > 30 && seconds >= 0)
    const second = await backup()
    assert.deepEqual([second.code, second.output], [1, ''])
    assert.match(second.errors, /one\.backup exists already/)

    const database = await engine.create()
    t.after(() => database.drop())
    const elsewhere = await environmentOf(database)
    const restore = (environment: Record<string, string>) =>
      runCommand(environment, 'restore', '--from', file, '--json')
    const keyless = await restore(elsewhere)
    assert.equal(keyless.code, 1)
    assert.match(keyless.errors, /^A restore needs the keyring of the installation that the backup was made of/)
    copyFileSync(join(cluster.database.data, 'keyring.json'), join(database.data, 'keyring.json'))
    const restored = await restore(elsewhere)
    assert.equal(restored.code, 0, restored.errors)
    const { auditEvents, createdAt, ...told } = JSON.parse(restored.output)
    assert.deepEqual(told, { rows, auditIntact: true })
    assert.ok(auditEvents > 0 && Date.parse(createdAt) <= Date.now())

    assert.match((await restore(cluster.environment)).errors, /server is running/)
    await expectOk(node.device('answer', await racer.approval(await racer.ask())))
  })
})
