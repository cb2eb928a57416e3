import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { after, before, it } from 'node:test'
import { startFronts } from '../../src/http/fronts.ts'
import { onEveryEngine } from '../support/engines.ts'
import { type Sample, sampleValue, scrape } from '../support/metrics.ts'
import { newPhone } from '../support/phones.ts'
import { freePort, startTestServer, type TestServer } from '../support/server.ts'
import { exchange } from '../support/wire.ts'

onEveryEngine((engine) => {
  let server: TestServer
  let address: string
  before(async () => {
    address = `127.0.0.1:${await freePort()}`
    server = await startTestServer(engine, { settings: { COUNTERSIGN_METRICS_LISTEN: address } })
  })
  after(() => server.stop())

  const sessions = (samples: Sample[], outcome: string, method = 'push') =>
    sampleValue(samples, 'countersign_sessions_total', { outcome, method })

  /** What the work adds to a session's outcomes. */
  async function outcomesOf(work: () => Promise<unknown>): Promise<Record<string, number>> {
    const before = await scrape(address)
    await work()
    const after = await scrape(address)
    const outcomes = ['created', 'approved', 'denied', 'cancelled', 'expired', 'refused'].map((outcome) => {
      const added = sessions(after, outcome) - sessions(before, outcome)
      return [outcome, added] as const
    })
    return Object.fromEntries(outcomes.filter(([, added]) => added > 0))
  }

  it('every session is counted by what becomes of it', async () => {
    const phone = await newPhone(server)
    const ask = () => phone.ask()
    const path = `/api/domains/${phone.domainId}/sessions`
    assert.deepEqual(await outcomesOf(async () => phone.device.approve(await ask())), { created: 1, approved: 1 })
    assert.deepEqual(await outcomesOf(async () => phone.device.deny(await ask())), { created: 1, denied: 1 })
    const cancel = async () => server.call('DELETE', `${path}/${(await ask()).sid}`)
    assert.deepEqual(await outcomesOf(cancel), { created: 1, cancelled: 1 })
    const flood = async () => {
      for (let count = 0; count < 4; count++) await server.call('POST', path, { body: { user: { id: phone.userId } } })
    }
    assert.deepEqual(await outcomesOf(flood), { created: 3, refused: 1 })
    const revoke = () => server.call('DELETE', phone.token)
    // The approved one, too: nothing of a revoked token counts any more.
    assert.deepEqual(await outcomesOf(revoke), { denied: 4 })
  })

  it('a code is counted by its kind', async () => {
    const before = await scrape(address)
    const { domainId, bob } = server.acme
    const path = `/api/domains/${domainId}/sessions`
    for (const code of [{ otp: '123456' }, { bypasscode: '123456789' }])
      await server.call('POST', path, { body: { user: { id: bob }, ...code } })
    const after = await scrape(address)
    for (const method of ['otp', 'bypasscode'])
      assert.equal(sessions(after, 'refused', method) - sessions(before, 'refused', method), 1)
  })

  it('requests are timed by listener, method, pattern of the route and class of the status', async () => {
    const count = (samples: Sample[], labels: Record<string, string>) =>
      sampleValue(samples, 'countersign_http_request_duration_seconds_count', labels)
    const wanted = [
      { listener: 'api', method: 'GET', route: '/api/users/:userId', status: '2xx' },
      { listener: 'api', method: 'GET', route: '/api/users/:userId', status: '4xx' },
      { listener: 'api', method: 'GET', route: '(none)', status: '4xx' },
      { listener: 'device', method: 'POST', route: '/device/v1/sync', status: '4xx' },
    ]
    const before = await scrape(address)
    await server.call('GET', `/api/users/${server.acme.alice}`)
    await server.call('GET', '/api/users/nobody')
    await server.call('GET', '/nowhere/canary')
    await server.device('sync', 'canary')
    const after = await scrape(address)
    for (const labels of wanted) assert.equal(count(after, labels) - count(before, labels), 1, JSON.stringify(labels))
  })

  it('who waits is a gauge, polls of devices apart from reads of sessions', async () => {
    const phone = await newPhone(server)
    const request = await phone.ask()
    const read = server.call('GET', `/api/domains/${phone.domainId}/sessions/${request.sid}?wait=25`)
    const poll = phone.device.poll({ wait: 25, have: [request.sid] })
    const waiting = async () => {
      const samples = await scrape(address)
      const polls = sampleValue(samples, 'countersign_polls_pending')
      return [polls, sampleValue(samples, 'countersign_session_reads_waiting')].join()
    }
    while ((await waiting()) !== '1,1') {
      // both have not arrived yet
    }
    await phone.device.approve(request)
    await Promise.all([read, poll])
    assert.equal(await waiting(), '0,0')
  })

  it('what was refused for asking too often is counted by the limit', async () => {
    const rejections = async (limit: string) =>
      sampleValue(await scrape(address), 'countersign_limit_rejections_total', { limit })
    while ((await server.device('sync', 'nonsense')).status !== 429) {
      // the limit is 120 a minute
    }
    assert.equal(await rejections('failures_of_address'), 1)
    assert.equal(await rejections('requests_of_token'), 1)
    server.clock.advance(60_000)
  })

  it('units of work, their commits and the audit log are measured', async () => {
    const before = await scrape(address)
    await server.call('POST', '/api/users', { body: { username: 'carol' } })
    const after = await scrape(address)
    const added = (name: string, labels = {}) => sampleValue(after, name, labels) - sampleValue(before, name, labels)
    assert.equal(added('countersign_audit_events_total', { event: 'user.created' }), 1)
    assert.equal(added('countersign_transaction_duration_seconds_count', { result: 'committed' }), 1)
    const embedded = engine.name === 'sqlite' ? 1 : 0
    assert.equal(added('countersign_commit_units_count'), embedded)
    assert.equal(added('countersign_commit_units_sum'), embedded)
  })

  it('there is what runs, what the process uses, and nothing of who uses it', async () => {
    const samples = await scrape(address)
    assert.equal(sampleValue(samples, 'countersign_build_info', { node: process.versions.node }), 1)
    assert.ok(sampleValue(samples, 'process_resident_memory_bytes') > 0)
    for (const { name, labels } of samples) {
      if (!name.startsWith('countersign_')) continue
      for (const [label, value] of Object.entries(labels)) {
        const known = label === 'le' || label === 'node' || /^[a-z_A-Z0-9:./()-]{0,60}$/.test(value)
        assert.ok(known && !/[0-9a-f]{20}|canary|carol|alice/.test(value), `${name} ${label}=${value}`)
      }
    }
  })

  it('the listener knows three addresses and two methods', async () => {
    for (const [request, status] of [
      ['GET /', 404],
      ['GET /api/ping', 404],
      ['GET /metrics/', 404],
      ['POST /metrics', 405],
      ['DELETE /readyz', 405],
      ['GET /metrics?x=y', 200],
    ] as const) {
      const answer = await exchange(`http://${address}`, `${request} HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n`)
      assert.equal(answer.status, status, request)
      if (status === 405) assert.equal(answer.headers.allow, 'GET, HEAD')
      if (status !== 200) assert.equal(JSON.parse(answer.body).errors.length, 1)
    }
  })

  it('a taken port ends the start if it was asked for, and is a warning if it is only the default', async (t) => {
    t.after(() => holder.close())
    const holder = createServer().listen(0, '127.0.0.1')
    await once(holder, 'listening')
    const taken = holder.address()
    assert.ok(typeof taken === 'object' && taken)
    const start = async (asked: boolean) => {
      const [api, device] = [await freePort(), await freePort()]
      const config = {
        ...server.config,
        apiListen: { host: '127.0.0.1', port: api },
        deviceListen: { host: '127.0.0.1', port: device },
        metrics: { listen: { host: '127.0.0.1', port: taken.port }, asked },
      }
      return { api, fronts: await startFronts({ ...server.app, config }) }
    }
    await assert.rejects(start(true), { code: 'EADDRINUSE' })
    server.logged.length = 0
    const { api, fronts } = await start(false)
    assert.equal((await fetch(`http://127.0.0.1:${api}/healthz`)).status, 200)
    assert.ok(server.logged.some(({ level, port }) => level === 40 && port === taken.port))
    await fronts.close()
    await assert.rejects(fetch(`http://127.0.0.1:${api}/healthz`))
  })
})
