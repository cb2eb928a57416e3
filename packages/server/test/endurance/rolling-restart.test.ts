import assert from 'node:assert/strict'
import { request } from 'node:http'
import { it } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { startBalancer } from '../support/balancer.ts'
import { onPostgres } from '../support/engines.ts'
import { startCluster } from '../support/process.ts'
import { newRacer } from '../support/races.ts'

const drainSeconds = 3
const pollMs = 50

onPostgres((engine) => {
  it('a client that polls on fresh connections notices nothing while two nodes restart in turn', async (t) => {
    const settings = { COUNTERSIGN_DRAIN_SECONDS: String(drainSeconds) }
    const cluster = await startCluster(engine, { nodes: 2, settings })
    t.after(() => cluster.stop())
    const balancer = await startBalancer(cluster.nodes.map(({ apiUrl }) => apiUrl))
    t.after(() => balancer.close())
    await balancer.untilReady(2)
    const [first, second] = cluster.nodes
    assert.ok(first && second)
    const phone = await newRacer(first)
    const request = await phone.ask()
    const session = `${balancer.url}${phone.sessions}/${request.sid}`
    const client = new Client(session, cluster.acme.apiKey)
    const clients = [client, new Client(`${session}?wait=25`, cluster.acme.apiKey)]
    t.after(() => Promise.all(clients.map((client) => client.stop())))

    for (const node of [first, second]) {
      const { pid } = node
      const answered = client.answers
      await node.kill('SIGTERM')
      await node.start()
      await balancer.untilReady(2)
      assert.notEqual(node.pid, pid)
      assert.ok(client.answers > answered + (drainSeconds * 1_000) / pollMs / 4, 'it hardly polled')
    }
    const stopped = clients.map((client) => client.stop())
    await first.call('DELETE', `${phone.sessions}/${request.sid}`) // whoever waits for a verdict has it
    await Promise.all(stopped)

    t.diagnostic(clients.map(({ answers }) => `${answers} answers`).join(', '))
    for (const { failures } of clients) assert.deepEqual(failures, [])
    for (const { errors } of cluster.nodes) assert.equal(errors, '')
  })
})

/** Reads a session again and again, each time on a connection of its own, as LoginTC's C client does. */
class Client {
  answers = 0
  readonly failures: string[] = []
  readonly #url: string
  readonly #key: string
  readonly #running: Promise<void>
  #stopped = false

  constructor(url: string, key: string) {
    this.#url = url
    this.#key = key
    this.#running = this.#run()
  }

  /** Resolves after the answer that is under way. */
  stop(): Promise<void> {
    this.#stopped = true
    return this.#running
  }

  async #run(): Promise<void> {
    for (; !this.#stopped; await delay(pollMs)) {
      const outcome = await this.#read().catch((error) => String(error))
      if (outcome === '200') this.answers++
      else this.failures.push(outcome)
    }
  }

  #read(): Promise<string> {
    const headers = { authorization: `LoginTC key="${this.#key}"` }
    return new Promise((resolve, reject) => {
      const reading = request(this.#url, { agent: false, headers }, (response) => {
        response.on('error', reject)
        response.on('end', () => resolve(String(response.statusCode)))
        response.resume()
      })
      reading.on('error', reject)
      reading.end()
    })
  }
}
