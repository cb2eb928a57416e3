import assert from 'node:assert/strict'
import { after, before, it } from 'node:test'
import type { ApiRoute } from '../../src/http/route.ts'
import { startListener } from '../../src/http/server.ts'
import { TestDevice } from '../support/device.ts'
import { onEveryEngine } from '../support/engines.ts'
import { startTestServer, type TestServer } from '../support/server.ts'
import { Wire } from '../support/wire.ts'

onEveryEngine((engine) => {
  let server: TestServer
  let key: string
  before(async () => {
    server = await startTestServer(engine)
    key = `Authorization: LoginTC key="${server.acme.apiKey}"\r\n`
  })
  after(() => server.stop())

  /** A listener of its own, whose one slow route answers when the test says so. */
  async function startSlowly() {
    const entered = Promise.withResolvers<void>()
    const released = Promise.withResolvers<void>()
    const slow: ApiRoute = {
      method: 'GET',
      path: '/slow',
      async handle() {
        entered.resolve()
        await released.promise
        return { answered: true }
      },
    }
    const quick: ApiRoute = { method: 'GET', path: '/quick', handle: async () => ({ quick: true }) }
    const listen = { host: '127.0.0.1', port: 0 }
    const listener = await startListener({ kind: 'api', app: server.app, listen, routes: [slow, quick] })
    const open = () => Wire.open(`http://127.0.0.1:${listener.port}`)
    return { listener, open, entered: entered.promise, release: released.resolve }
  }

  const get = (path: string) => `GET ${path} HTTP/1.1\r\nHost: x\r\n${key}\r\n`

  it('an idle connection is ended at once, and nobody is let in any more', async () => {
    const { listener, open } = await startSlowly()
    const idle = await open()
    assert.equal((await idle.send(get('/quick')).answer()).headers.connection, 'keep-alive')
    const begun = performance.now()
    const closed = listener.close()
    assert.equal(await idle.closed(), '')
    await closed
    assert.ok(performance.now() - begun < 5_000)
    await assert.rejects(open())
  })

  it('what is under way is answered, and the answer says that it is the last', async () => {
    const { listener, open, entered, release } = await startSlowly()
    const busy = (await open()).send(get('/slow'))
    await entered
    const closed = listener.close()
    release()
    const answer = await busy.answer()
    assert.equal(answer.status, 200)
    assert.equal(answer.headers.connection, 'close')
    assert.equal(await busy.closed(), '')
    await closed
  })

  it('a request that was half sent when the server began to stop is still answered', async () => {
    const { listener, open } = await startSlowly()
    const half = await open()
    await half.send(get('/quick')).answer()
    const [begin, end] = [get('/quick').slice(0, 20), get('/quick').slice(20)]
    half.send(begin)
    // What was written first arrives first: when this is answered, the half request is in.
    const idle = await open()
    await idle.send(get('/quick')).answer()
    const closed = listener.close()
    await idle.closed()
    const answer = await half.send(end).answer()
    assert.equal(answer.body, '{"quick":true}')
    assert.equal(answer.headers.connection, 'close')
    await closed
  })

  it('a route that waits is told to come to an end', async () => {
    const waiting: ApiRoute = {
      method: 'GET',
      path: '/wait',
      async handle(_app, _actor, { signal }) {
        entered.resolve()
        await new Promise((resolve) => signal.addEventListener('abort', resolve))
        return { ended: true }
      },
    }
    const entered = Promise.withResolvers<void>()
    const listen = { host: '127.0.0.1', port: 0 }
    const listener = await startListener({ kind: 'api', app: server.app, listen, routes: [waiting] })
    const wire = (await Wire.open(`http://127.0.0.1:${listener.port}`)).send(get('/wait'))
    await entered.promise
    const closed = listener.close()
    assert.equal((await wire.answer()).body, '{"ended":true}')
    await closed
  })

  it('a client that waits for a verdict is told how things stand', async () => {
    const own = await startTestServer(engine)
    const { domainId, alice } = own.acme
    await TestDevice.enrol(own, { userId: alice })
    const session = await own.call('POST', `/api/domains/${domainId}/sessions`, { body: { user: { id: alice } } })
    const wire = await Wire.open(own.apiUrl)
    const header = `Authorization: LoginTC key="${own.acme.apiKey}"\r\n`
    wire.send(`GET /api/domains/${domainId}/sessions/${session.body.id}?wait=25 HTTP/1.1\r\n${header}\r\n`)
    // Answered on the same loop after the wait has begun.
    await own.call('GET', '/api/ping')
    const stopped = own.stop()
    const answer = await wire.answer()
    assert.equal(answer.body, session.text)
    assert.equal(answer.headers.connection, 'close')
    await stopped
  })
})
