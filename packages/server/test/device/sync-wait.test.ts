import assert from 'node:assert/strict'
import { after, before, it } from 'node:test'
import type { SyncResult } from '@countersign/protocol/device-messages.ts'
import { onEveryEngine } from '../support/engines.ts'
import { newPhone, type Phone, phoneOf, refusal } from '../support/phones.ts'
import { startTestServer, type TestServer } from '../support/server.ts'

onEveryEngine((engine) => {
  let server: TestServer
  before(async () => {
    server = await startTestServer(engine, { settings: { COUNTERSIGN_POLLS_MAX: '3' } })
  })
  after(() => server.stop())

  it('answers at once when the device does not show exactly what waits', async () => {
    const phone = await newPhone(server)
    const request = await phone.ask()
    for (const have of [[], ['f'.repeat(40)], [request.sid, 'f'.repeat(40)]]) {
      const result = await inTime(phone.device.poll({ wait: 25, have }))
      assert.deepEqual(result.ok && result.requests.map(({ sid }) => sid), [request.sid])
    }
  })

  it('a new request ends the wait', async () => {
    const phone = await newPhone(server)
    const result = await woken(phone, [], () => create(phone))
    assert.equal(result.ok && result.requests.length, 1)
  })

  it('a request that ends in whatever way ends the wait', async () => {
    const phone = await newPhone(server)
    const endings: [state: string, end: (sid: string, ch: string) => Promise<unknown>][] = [
      ['cancelled', (sid) => server.call('DELETE', `/api/domains/${phone.domainId}/sessions/${sid}`)],
      ['approved', (sid, ch) => phone.device.approve({ sid, ch })],
      ['denied', (sid, ch) => phone.device.deny({ sid, ch })],
    ]
    for (const [state, end] of endings) {
      const { sid, ch } = await phone.ask()
      const result = await woken(phone, [sid], () => end(sid, ch))
      assert.deepEqual(result.ok && result.closed, [{ sid, state }])
    }
  })

  it('a request that times out ends the wait, though nobody rings for it', async () => {
    const phone = await newPhone(server)
    const request = await phone.ask()
    server.clock.advance(request.challenge.exp * 1_000 - server.clock.now() - 50)
    const result = await woken(phone, [request.sid], async () => server.clock.advance(50))
    assert.deepEqual(result.ok && result.closed, [{ sid: request.sid, state: 'expired' }])
  })

  it('the end of the token ends the wait, and a suspension denies what the device shows', async () => {
    const phone = await newPhone(server)
    const elsewhere = await phoneOf(server, { ...phone, pin: true, domainId: server.acme.pinDomainId })
    const [request, shown] = [await phone.ask(), await elsewhere.ask()]
    const denied = await woken(elsewhere, [shown.sid], () => phone.device.deny(request, 'not_me'))
    assert.deepEqual(denied.ok && denied.closed, [{ sid: shown.sid, state: 'denied' }])
    const revoked = await woken(phone, [], () => server.call('DELETE', phone.token))
    assert.deepEqual(revoked, { kid: phone.device.tid, ok: false, code: 'token_revoked' })
  })

  it('what concerns others does not end it', async () => {
    const [phone, other] = [await newPhone(server), await newPhone(server)]
    let over = false
    const waiting = phone.device.poll({ wait: 25, have: [] }).finally(() => {
      over = true
    })
    await untilWatching(1)
    const request = await other.ask()
    await other.device.approve(request)
    assert.equal(over, false)
    await create(phone)
    await inTime(waiting)
  })

  it('when the time is over the answer is what it was', async () => {
    const phone = await newPhone(server)
    const request = await phone.ask()
    const began = performance.now()
    const result = await phone.device.poll({ wait: 1, have: [request.sid] })
    assert.ok(performance.now() - began >= 990)
    assert.ok(result.ok)
    assert.deepEqual([result.requests, result.closed], [[{ sid: request.sid, ch: request.ch }], []])
  })

  it('a token that is not ok is news for the others of the same poll', async () => {
    const [phone, gone] = [await newPhone(server), await newPhone(server)]
    await server.call('DELETE', gone.token)
    const tokens = await Promise.all([phone, gone].map(({ device }) => device.sign('sync', device.common('sync'))))
    const { body } = await inTime(server.device('sync', { wait: 25, have: [], tokens }))
    assert.deepEqual(
      body.results.map(({ ok }: SyncResult) => ok),
      [true, false],
    )
  })

  it('a newer poll of the token ends the older, and only the newer one goes on', async () => {
    const phone = await newPhone(server)
    const older = phone.device.poll({ wait: 25, have: [] })
    await untilWatching(1)
    const newer = phone.device.poll({ wait: 25, have: [] })
    const ended = await inTime(older)
    assert.ok(ended.ok && ended.requests.length === 0)
    await untilWatching(1)
    await create(phone)
    const result = await inTime(newer)
    assert.equal(result.ok && result.requests.length, 1)
  })

  it('of three polls each ends the one before it', async () => {
    const phone = await newPhone(server)
    const polls: Promise<SyncResult>[] = []
    for (let count = 0; count < 3; count++) {
      polls.push(phone.device.poll({ wait: 25, have: [] }))
      if (count > 0) await inTime(polls[count - 1] ?? assert.fail())
      await untilWatching(1)
    }
    await create(phone)
    await inTime(Promise.all(polls))
  })

  it('a device that hangs up is not waited for', async () => {
    const phone = await newPhone(server)
    const leaving = new AbortController()
    const tokens = [await phone.device.sign('sync', phone.device.common('sync'))]
    const body = JSON.stringify({ wait: 25, have: [], tokens })
    const waiting = fetch(`${server.deviceUrl}/device/v1/sync`, { method: 'POST', body, signal: leaving.signal })
    await untilWatching(1)
    leaving.abort()
    await assert.rejects(waiting)
    await untilWatching(0)
  })

  it('a node that is full of polls says when to come again, and answers what does not wait', async () => {
    const phones = await Promise.all(Array.from({ length: 4 }, () => newPhone(server)))
    const waiting = phones.slice(0, 3).map(({ device }) => device.poll({ wait: 25, have: [] }))
    await untilWatching(3)
    const last = phones[3] ?? assert.fail()
    const message = () => last.device.sign('sync', last.device.common('sync'))
    const reply = await server.device('sync', { wait: 1, have: [], tokens: [await message()] })
    assert.deepEqual(refusal(reply), { status: 429, code: 'rate_limited' })
    assert.equal(reply.headers.get('retry-after'), '5')
    assert.equal((await server.device('sync', { wait: 0, tokens: [await message()] })).status, 200)
    for (const phone of phones.slice(0, 3)) await create(phone)
    await inTime(Promise.all(waiting))
  })

  it('clients that wait for verdicts take no phone’s place; beyond as many of them a read answers at once', async () => {
    const phone = await newPhone(server)
    const { sid } = await phone.ask()
    const read = () => server.call('GET', `/api/domains/${phone.domainId}/sessions/${sid}?wait=25`)
    const reads = [read(), read(), read()]
    await untilWatching(3)
    assert.equal((await inTime(read())).body.state, 'pending')
    const polling = phone.device.poll({ wait: 25, have: [sid] })
    await untilWatching(4)
    await server.call('DELETE', `/api/domains/${phone.domainId}/sessions/${sid}`)
    for (const { body } of await inTime(Promise.all(reads))) assert.equal(body.state, 'denied')
    assert.ok((await inTime(polling)).ok)
  })

  it('a server that stops answers those who wait', async () => {
    const phone = await newPhone(server)
    const waiting = phone.device.poll({ wait: 25, have: [] })
    await untilWatching(1)
    await server.restart()
    assert.ok((await inTime(waiting)).ok)
  })

  function create({ domainId, userId }: Phone) {
    return server.call('POST', `/api/domains/${domainId}/sessions`, { body: { user: { id: userId } } })
  }

  /** A poll that waits until something is done; it must not need its whole time. */
  async function woken(phone: Phone, have: string[], act: () => Promise<unknown>): Promise<SyncResult> {
    const waiting = phone.device.poll({ wait: 25, have })
    await untilWatching(1)
    await act()
    return inTime(waiting)
  }

  async function untilWatching(count: number): Promise<void> {
    const deadline = performance.now() + 10_000
    while (server.app.events.watching !== count) {
      assert.ok(performance.now() < deadline, `${server.app.events.watching} wait, not ${count}`)
      await new Promise((resolve) => setImmediate(resolve))
    }
  }
})

/** Fails when an answer takes so long that only the end of the wait can have brought it. */
async function inTime<T>(answer: Promise<T>): Promise<T> {
  const began = performance.now()
  const value = await answer
  assert.ok(performance.now() - began < 5_000, 'it waited to the end')
  return value
}
