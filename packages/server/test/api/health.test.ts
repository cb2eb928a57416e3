import assert from 'node:assert/strict'
import { after, before, beforeEach, it } from 'node:test'
import { StorageUnavailable } from '../../src/storage/engines/engine.ts'
import { onEveryEngine } from '../support/engines.ts'
import { freePort, startTestServer, type TestServer } from '../support/server.ts'
import { allAtOnce, type Spy, spyOnStorage } from '../support/spied-storage.ts'
import { exchange, Wire } from '../support/wire.ts'

const ok = '{"status":"OK"}'

onEveryEngine((engine) => {
  let server: TestServer
  let spy: Spy
  let origins: Record<string, string>
  const start = async () => {
    spy = spyOnStorage()
    const metrics = `127.0.0.1:${await freePort()}`
    server = await startTestServer(engine, { storage: spy.storage, settings: { COUNTERSIGN_METRICS_LISTEN: metrics } })
    origins = { api: server.apiUrl, device: server.deviceUrl, metrics: `http://${metrics}` }
  }
  before(start)
  beforeEach(() => {
    spy.failing = undefined
    server.logged.length = 0
  })
  after(() => server.stop())

  const get = (path: string) => `GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`

  it('every listener says without a key that it lives and that it is ready', async () => {
    for (const origin of Object.values(origins)) {
      for (const path of ['/healthz', '/readyz']) {
        const answer = await exchange(origin, get(path))
        assert.deepEqual([answer.status, answer.body], [200, ok], `${origin}${path}`)
        const head = await (await Wire.open(origin)).send(get(path).replace('GET', 'HEAD')).answer({ bodiless: true })
        assert.equal(head.status, 200)
        const post = await exchange(origin, `POST ${path} HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n`)
        assert.deepEqual([post.status, post.headers.allow], [405, 'GET, HEAD'])
      }
    }
  })

  it('without its database the server lives and is not ready, which is told to the log once', async () => {
    spy.failing = { call: 'organizations.list', error: new StorageUnavailable('the cable is cut') }
    for (const [listener, origin] of Object.entries(origins)) {
      const answer = await exchange(origin, get('/readyz'))
      assert.equal(answer.status, 503, listener)
      assert.ok(Number(answer.headers['retry-after']) >= 1)
      const [{ code, message }] = JSON.parse(answer.body).errors
      assert.equal(code, listener === 'device' ? 'unavailable' : 'api.error.unavailable')
      assert.ok(!message.includes('cable'))
      assert.equal((await exchange(origin, get('/healthz'))).status, 200)
    }
    const warnings = server.logged.filter(({ level }) => Number(level) >= 40)
    assert.deepEqual(
      warnings.map(({ level }) => level),
      [40],
      JSON.stringify(warnings),
    )
    spy.failing = undefined
    assert.equal((await exchange(server.apiUrl, get('/readyz'))).status, 200)
    assert.match(JSON.stringify(server.logged.at(-2)), /ready again/)
  })

  it('however many ask whether it is ready, the database is asked one question at a time', async () => {
    const wires = await Promise.all(Array.from({ length: 21 }, () => Wire.open(server.deviceUrl)))
    const answers = await allAtOnce(spy, 'organizations.list', () =>
      Promise.all(wires.map((wire) => wire.send(get('/readyz')).answer())),
    )
    for (const wire of wires) wire.close()
    assert.deepEqual(new Set(answers.map(({ status }) => status)), new Set([200]))
    assert.deepEqual(spy.calls, ['organizations.list'])
  })

  it('a server that is going down is not ready, still answers, and ends each connection with its next answer', async () => {
    const key = `Authorization: LoginTC key="${server.acme.apiKey}"\r\n`
    const ping = get('/api/ping').replace('\r\n\r\n', `\r\n${key}\r\n`)
    const api = await Wire.open(server.apiUrl)
    assert.equal((await api.send(ping).answer()).headers.connection, 'keep-alive')
    await server.server.drain()
    for (const origin of Object.values(origins)) {
      const answer = await exchange(origin, get('/readyz'))
      assert.equal(answer.status, 503)
      assert.match(answer.body, /This server is going down/)
      assert.equal((await exchange(origin, get('/healthz'))).body, ok)
    }
    const answer = await api.send(ping).answer()
    assert.deepEqual([answer.status, answer.body, answer.headers.connection], [200, ok, 'close'])
    assert.equal(await api.closed(), '')
    const refused = await exchange(
      server.deviceUrl,
      'POST /device/v1/sync HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n',
    )
    assert.equal(refused.headers.connection, 'close')
    assert.ok(!server.logged.some(({ level }) => Number(level) >= 50))
  })
})
