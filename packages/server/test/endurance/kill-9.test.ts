import assert from 'node:assert/strict'
import { it } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { createDomain, operatorOf } from '../../src/main.ts'
import { onEveryEngine } from '../support/engines.ts'
import { type Cluster, type Node, runCommand, startCluster } from '../support/process.ts'
import { sql } from '../support/sql.ts'
import { Witness } from '../support/witness.ts'

const kills = 50
const witnessCount = 8

onEveryEngine((engine) => {
  it(`A12, A20: after ${kills} kills at random moments everything that was answered is so, and was done once`, async (t) => {
    const cluster = await startCluster(engine, { nodes: engine.name === 'postgres' ? 2 : 1 })
    t.after(() => cluster.stop())
    const witnesses = await summon(cluster)

    for (let kill = 1; kill <= kills; kill++) {
      const running = witnesses.map((witness) => witness.run())
      await answersOf(witnesses, 10 + Math.random() * 190)
      const victims = victimsAmong(cluster.nodes)
      await Promise.all(victims.map((node) => node.kill('SIGKILL')))
      for (const witness of witnesses) witness.stop()
      await Promise.all(running)
      await Promise.all(victims.map((node) => node.start()))
      await Promise.all(witnesses.map((witness) => witness.verify(3)))
      if (kill % 10 === 0) t.diagnostic(`${kill} kills, ${summary(witnesses)}`)
    }

    await Promise.all(witnesses.map((witness) => witness.verify(Number.POSITIVE_INFINITY)))
    await assertAudited(cluster, witnesses)
    const verified = await runCommand(cluster.environment, 'audit', 'verify')
    assert.equal(verified.code, 0, verified.errors)
    for (const { errors } of cluster.nodes) assert.doesNotMatch(errors, /api\.error\.internal/)
  })
})

/** Until so many more are given, however fast the machine is; a moment that is as good as any. */
async function answersOf(witnesses: Witness[], more: number): Promise<void> {
  const given = () => witnesses.reduce((total, { answers }) => total + answers, 0)
  const enough = given() + more
  for (const latest = Date.now() + 2_500; given() < enough && Date.now() < latest; ) await delay(1 + Math.random() * 10)
}

async function summon(cluster: Cluster): Promise<Witness[]> {
  // Requests that live long: that they time out is not what is tested here.
  const rules = { name: 'Witnessed', keyType: 'PIN', requestTimeout: 600 }
  const { id } = await cluster.command(async (app) => createDomain(app, await operatorOf(app, cluster.acme.id), rules))
  return Array.from({ length: witnessCount }, (_, number) => new Witness(cluster.nodes, id, `witness${number}`))
}

/** One node, and now and then all of them. */
function victimsAmong(nodes: Node[]): Node[] {
  if (Math.random() < 0.2) return nodes
  return nodes.filter((_, index) => index === Math.floor(Math.random() * nodes.length)).slice(0, 1)
}

function summary(witnesses: Witness[]): string {
  const sum = (count: (witness: Witness) => number) => witnesses.reduce((total, witness) => total + count(witness), 0)
  return `${sum(({ subjects }) => subjects.length)} users, ${sum(({ answers }) => answers)} answers, ${sum(({ doubts }) => doubts)} without one`
}

/** What happened stands in the log once, and nothing stands there that did not happen. */
async function assertAudited({ database }: Cluster, witnesses: Witness[]): Promise<void> {
  const rows = await sql(
    database,
    `select event, coalesce(sid, tid) as id, count(*) as times from audit_events
     where event in ('session.approved', 'token.activated') group by event, coalesce(sid, tid)`,
  )
  const times = (event: string) =>
    new Map(rows.filter((row) => row.event === event).map(({ id, times }) => [String(id), Number(times)]))
  const subjects = witnesses.flatMap((witness) => witness.subjects)
  const approved = subjects.flatMap(({ sessions }) => sessions.filter((session) => session.approved))
  const activated = subjects.flatMap(({ device }) => device ?? [])
  assert.deepEqual(times('session.approved'), new Map(approved.map(({ sid }) => [sid, 1])))
  assert.deepEqual(times('token.activated'), new Map(activated.map(({ tid }) => [tid, 1])))
  const happened = `${approved.length} approvals, ${activated.length} activations`
  // How many depends on the machine; none would mean that nothing was tested.
  assert.ok(approved.length > 10 && activated.length > 10, happened)
}
