import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { CountersignClient } from '@countersign/sdk/rest.ts'
import { type Answer, apiKey, apiUrl, clientOf, domainId, refusal, sid } from './support.ts'

suite('waitForSession', () => {
  const pending = { body: { id: sid, state: 'pending' } }

  test('asks with the long poll and returns the verdict', async () => {
    const { client, received } = clientOf([{ body: { id: sid, state: 'approved' } }])
    assert.equal((await client.waitForSession(domainId, sid)).state, 'approved')
    assert.equal(received[0]?.url.search, '?wait=25')
    assert.equal(received[0]?.headers.get('accept'), 'application/vnd.countersign.v1+json')
  })

  test('a server that answers at once is asked each second', async () => {
    const times: number[] = []
    const noting = (answer: Answer) => () => {
      times.push(Date.now())
      return answer
    }
    const { client } = clientOf([noting(pending), noting(pending), noting({ body: { id: sid, state: 'denied' } })])
    assert.equal((await client.waitForSession(domainId, sid)).state, 'denied')
    const gaps = times.slice(1).map((time, index) => time - (times[index] ?? 0))
    assert.ok(
      gaps.every((gap) => gap > 900),
      `gaps: ${gaps}`,
    )
  })

  test('after the time-out the session is returned as it is', async () => {
    const { client, received } = clientOf([pending, pending, pending])
    assert.equal((await client.waitForSession(domainId, sid, { timeoutMs: 1200 })).state, 'pending')
    assert.equal(received[0]?.url.search, '?wait=2')
  })

  test('an abort ends the wait with its reason', async () => {
    const reason = new Error('enough')
    const { client } = clientOf([pending, pending])
    const wait = client.waitForSession(domainId, sid, { signal: AbortSignal.timeout(100) })
    await assert.rejects(wait, { name: 'TimeoutError' })
    const aborted = clientOf([pending]).client.waitForSession(domainId, sid, { signal: AbortSignal.abort(reason) })
    await assert.rejects(aborted, reason)
  })

  test('a long poll that is cut off is asked for plainly, and then again', async () => {
    for (const cut of [new TypeError('fetch failed'), { status: 504, body: '<html>' }, refusal(503, 'x')]) {
      const answers = [cut, pending, { body: { id: sid, state: 'approved' } }]
      const { client, received } = clientOf(answers)
      assert.equal((await client.waitForSession(domainId, sid)).state, 'approved')
      assert.deepEqual(
        received.map(({ url }) => url.search),
        ['?wait=25', '', '?wait=25'],
      )
    }
  })

  test('a server that is gone is an error, and so is any refusal', async () => {
    const lost = new TypeError('fetch failed')
    const gone = clientOf([lost, lost, lost, lost, lost])
    await assert.rejects(gone.client.waitForSession(domainId, sid), { status: 0, code: 'network' })
    assert.equal(gone.received.length, 5)
    const { client, received } = clientOf([refusal(404, 'api.error.notfound.session')])
    await assert.rejects(client.waitForSession(domainId, sid), { code: 'api.error.notfound.session' })
    assert.equal(received.length, 1)
  })

  test('a server that says nothing is given up soon after the time is over', async () => {
    const silent: typeof fetch = (_, init) =>
      new Promise((_, reject) => {
        init?.signal?.addEventListener('abort', () => reject(init.signal?.reason), { once: true })
      })
    const client = new CountersignClient({ url: apiUrl, apiKey, fetch: silent, timeoutMs: 200 })
    const start = performance.now()
    await assert.rejects(client.waitForSession(domainId, sid, { timeoutMs: 100 }), { status: 0, code: 'network' })
    assert.ok(performance.now() - start < 1000)
    const signal = AbortSignal.timeout(50)
    await assert.rejects(client.waitForSession(domainId, sid, { signal }), (reason) => reason === signal.reason)
  })
})
