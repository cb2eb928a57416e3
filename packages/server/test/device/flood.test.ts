import assert from 'node:assert/strict'
import { Agent, request } from 'node:http'
import { after, before, it } from 'node:test'
import { onEveryEngine } from '../support/engines.ts'
import { newPhone, type Phone } from '../support/phones.ts'
import { startTestServer, type TestServer } from '../support/server.ts'

const mebibyte = 1024 * 1024
/** how many requests of the flood are under way at once: client and server share a processor here */
const maxSockets = 32

onEveryEngine((engine) => {
  let server: TestServer
  let agent: Agent
  before(async () => {
    server = await startTestServer(engine, { settings: { COUNTERSIGN_TRUSTED_PROXIES: '127.0.0.1' } })
    agent = new Agent({ keepAlive: true, maxSockets })
  })
  after(async () => {
    agent.destroy()
    await server.stop()
  })

  it('T30: five thousand unsigned messages: the address is told to wait, and a phone elsewhere is heard within a second', async () => {
    const [phone, target] = [await newPhone(server), await newPhone(server)]
    const request = await phone.ask()
    const forged = (await target.device.sign('answer', target.device.common('answer'))).replace(/.{4}$/, 'AAAA')
    const bodies = ['', 'x', `${'x'.repeat(16_000)}`, forged]
    const used = process.memoryUsage().rss
    const flood = many(5_000, (index) => post('answer', bodies[index % 4] ?? '', '203.0.113.66'))
    await flood.first
    await assertHeard(phone)
    assert.equal((await phone.device.approve(request)).body.state, 'approved')
    const counts = await flood.counts
    // Those that were under way together when the limit was reached are still judged.
    assert.ok((counts.get(429) ?? 0) >= 5_000 - 120 - 2 * maxSockets, JSON.stringify([...counts]))
    assert.equal(
      [...counts.values()].reduce((sum, count) => sum + count),
      5_000,
    )
    assert.ok(
      [...counts.keys()].every((status) => [400, 401, 429].includes(status)),
      JSON.stringify([...counts]),
    )
    assert.ok(process.memoryUsage().rss - used < 256 * mebibyte)
    assert.ok((await target.device.poll()).ok, 'the token that was shot at goes on')
  })

  it('T30: three thousand polls of one phone: one of them waits, and the others do not pile up', async () => {
    const [phone, other] = [await newPhone(server), await newPhone(server)]
    const messages = await Promise.all(
      Array.from({ length: 3_000 }, () => phone.device.sign('sync', phone.device.common('sync'))),
    )
    const used = process.memoryUsage().rss
    let watching = 0
    const polls = many(3_000, async (index) => {
      watching = Math.max(watching, server.app.events.watching)
      return post('sync', JSON.stringify({ wait: 25, have: [], tokens: [messages[index]] }), '203.0.113.67')
    })
    await polls.first
    await assertHeard(other)
    // The last one to be heard waits for its twenty-five seconds unless there is something to say.
    await polls.allButOne
    await server.call('POST', `/api/domains/${phone.domainId}/sessions`, { body: { user: { id: phone.userId } } })
    assert.deepEqual([...(await polls.counts)], [[200, 3_000]])
    assert.ok(watching <= maxSockets, `${watching} waited at once`)
    assert.equal(server.app.events.watching, 0)
    assert.ok(process.memoryUsage().rss - used < 256 * mebibyte)
  })

  /** Of several polls during a flood most are answered within a second. */
  async function assertHeard({ device }: Phone): Promise<void> {
    const times: number[] = []
    for (let count = 0; count < 5; count++) {
      const began = performance.now()
      assert.ok((await device.poll()).ok)
      times.push(performance.now() - began)
    }
    const median = times.sort((a, b) => a - b)[2] ?? assert.fail()
    assert.ok(median < 1_000, `${times.map(Math.round).join(', ')} ms`)
  }

  /** fetch would be slower than what it is to flood. */
  function post(path: string, body: string, from: string): Promise<number> {
    return new Promise((resolve, reject) => {
      const headers = { 'x-forwarded-for': from, 'content-length': Buffer.byteLength(body) }
      const sending = request(
        `${server.deviceUrl}/device/v1/${path}`,
        { method: 'POST', agent, headers },
        (response) => {
          response.resume().once('end', () => resolve(response.statusCode ?? 0))
        },
      )
      sending.once('error', reject).end(body)
    })
  }
})

/** Starts them all; resolves with the first answer, with the last but one, and with how often each status came. */
function many(count: number, work: (index: number) => Promise<number>) {
  const statuses = new Map<number, number>()
  const nearlyOver = Promise.withResolvers<void>()
  let left = count
  const answers = Array.from({ length: count }, async (_, index) => {
    const status = await work(index)
    statuses.set(status, (statuses.get(status) ?? 0) + 1)
    if (--left === 1) nearlyOver.resolve()
  })
  return {
    first: Promise.race(answers),
    allButOne: nearlyOver.promise,
    counts: Promise.all(answers).then(() => statuses),
  }
}
