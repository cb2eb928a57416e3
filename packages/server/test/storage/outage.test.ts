import assert from 'node:assert/strict'
import { it } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { onPostgres, type TestEngine } from '../support/engines.ts'
import { runCommand, startCluster } from '../support/process.ts'
import { type Detour, startProxy } from '../support/proxy.ts'
import { expectOk, newMember, newRacer, outcomeOf, Tally } from '../support/races.ts'
import type { Front } from '../support/server.ts'
import { sql } from '../support/sql.ts'

const unavailable = '503 api.error.unavailable'

onPostgres((engine) => {
  it('backends that are ended under load cost 503s, and nothing that was answered is lost', async (t) => {
    const cluster = await startCluster(engine)
    t.after(() => cluster.stop())
    const [node] = cluster.nodes
    assert.ok(node)
    const { pid } = node
    const load = new Load(node)
    await load.start(8)
    for (let number = 0; number < 15; number++) {
      await delay(30 + Math.random() * 60)
      const backends = `select pg_terminate_backend(pid) from pg_stat_activity
        where datname = current_database() and pid <> pg_backend_pid()`
      await sql(cluster.database, backends)
    }
    await load.stop()

    t.diagnostic(JSON.stringify(load.tally.counts))
    load.tally.assertOnly('ok', unavailable)
    assert.equal(node.pid, pid)
    await untilOk(node)
    await load.assertNothingLost()
    assert.equal((await runCommand(cluster.environment, 'audit', 'verify')).code, 0)
  })

  it('while the database is away everything is 503, no storm of connections comes, and all goes on once it is back', async (t) => {
    let proxy: Detour | undefined
    const behindProxy: TestEngine = {
      name: 'postgres',
      async create() {
        const database = await engine.create()
        proxy = await startProxy(database.url)
        return { ...database, url: proxy.url }
      },
    }
    const cluster = await startCluster(behindProxy)
    t.after(async () => {
      await cluster.stop()
      await proxy?.close()
    })
    const [node] = cluster.nodes
    assert.ok(node && proxy)
    const { pid } = node
    const phone = await newRacer(node)
    const polling = phone.device.poll({ wait: 25 }).catch(() => undefined)

    await proxy.cut()
    const began = performance.now()
    for (let number = 0; number < 40; number++) {
      const refused = await node.call('POST', phone.sessions, { body: { user: { id: phone.userId } } })
      assert.equal(outcomeOf(refused), unavailable)
      assert.ok(Number(refused.headers.get('retry-after')) >= 1)
      await delay(25)
    }
    const device = await node.device('sync', {
      wait: 0,
      tokens: [await phone.device.sign('sync', phone.device.common('sync'))],
    })
    assert.equal(outcomeOf(device), '503 unavailable')
    // One for each request, and a few to hear of other nodes.
    const seconds = (performance.now() - began) / 1000
    assert.ok(proxy.knocks < 41 + 10 * (seconds + 1), `${proxy.knocks} connections in ${seconds} s`)

    await proxy.mend()
    await untilOk(node)
    await polling
    assert.equal(node.pid, pid)
    const request = await phone.ask()
    const waiting = node.call('GET', `${phone.sessions}/${request.sid}?wait=25`)
    await expectOk(node.device('answer', await phone.approval(request)))
    assert.equal((await waiting).body.state, 'approved')
    assert.ok(/"errorCode":"api.error.unavailable"/.test(node.errors), 'the operator was not told')
  })
})

async function untilOk(front: Front): Promise<void> {
  const deadline = Date.now() + 20_000
  while ((await front.call('GET', '/api/organization')).status !== 200) {
    assert.ok(Date.now() < deadline, 'the server did not recover')
    await delay(50)
  }
}

/** Members who get and lose tokens, each in a lane of its own, and what was answered last. */
class Load {
  readonly tally = new Tally()
  readonly #front: Front
  readonly #known = new Map<string, string>()
  #stopped = false
  #lanes: Promise<void>[] = []

  constructor(front: Front) {
    this.#front = front
  }

  async start(lanes: number): Promise<void> {
    for (let lane = 0; lane < lanes; lane++) {
      const { userId } = await newMember(this.#front)
      this.#lanes.push(this.#run(`/api/domains/${this.#front.acme.domainId}/users/${userId}/token`))
    }
  }

  async stop(): Promise<void> {
    this.#stopped = true
    await Promise.all(this.#lanes)
  }

  async assertNothingLost(): Promise<void> {
    for (const [token, text] of this.#known) {
      const now = await this.#front.call('GET', token)
      assert.equal(now.status === 200 ? now.text : 'none', text)
    }
  }

  async #run(token: string): Promise<void> {
    while (!this.#stopped) {
      const created = await this.#front.call('PUT', token)
      this.tally.add(outcomeOf(created))
      this.#note(token, created.status, created.text)
      if (Math.random() < 0.5) continue
      const deleted = await this.#front.call('DELETE', token)
      // A deletion whose commit was answered to nobody may have happened.
      this.tally.add(deleted.status === 404 ? 'ok' : outcomeOf(deleted))
      this.#note(token, deleted.status, 'none')
    }
  }

  /** What a 503 left behind is not known until the next answer. */
  #note(token: string, status: number, text: string): void {
    if (status === 503) this.#known.delete(token)
    else this.#known.set(token, text)
  }
}
