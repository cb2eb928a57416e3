import assert from 'node:assert/strict'
import { after, before, it } from 'node:test'
import { apiRoutes } from '../../src/http/api/routes.ts'
import type { ApiRoute } from '../../src/http/route.ts'
import { type Listener, type ListenerOptions, startListener } from '../../src/http/server.ts'
import { onEveryEngine } from '../support/engines.ts'
import { startTestServer, type TestServer } from '../support/server.ts'
import { exchange, Wire, type WireAnswer } from '../support/wire.ts'

onEveryEngine((engine) => {
  let server: TestServer
  let key: string
  before(async () => {
    server = await startTestServer(engine)
    key = `Authorization: LoginTC key="${server.acme.apiKey}"\r\n`
  })
  after(() => server.stop())

  const send = (...request: (string | Uint8Array)[]) => exchange(server.apiUrl, ...request)
  const post = (body: string) =>
    send(`POST /api/users HTTP/1.1\r\n${key}Content-Length: ${Buffer.byteLength(body)}\r\n\r\n`, Buffer.from(body))

  it('everything but a success has the envelope, from before the first route on', async () => {
    const long = 'a'.repeat(9000)
    const refusals: [string, number, string][] = [
      ['GET /api/nothing HTTP/1.1\r\n\r\n', 404, 'api.error.notfound'],
      ['GET / HTTP/1.1\r\n\r\n', 404, 'api.error.notfound'],
      ['OPTIONS * HTTP/1.1\r\n\r\n', 404, 'api.error.notfound'],
      [`GET /api/bypasscodes/x HTTP/1.1\r\n${key}\r\n`, 404, 'api.error.notfound.bypasscode'],
      [`GET /api/bypass HTTP/1.1\r\n${key}\r\n`, 404, 'api.error.notfound'],
      ['POST /nothing HTTP/1.1\r\nContent-Type: %\r\nContent-Length: 2\r\n\r\n{}', 404, 'api.error.notfound'],
      ['GET /api/ping HTTP/1.1\r\n\r\n', 401, 'api.error.unauthorized'],
      ['GET /api/users/%zz HTTP/1.1\r\n\r\n', 400, 'api.error.badrequest'],
      [`GET /api/users/${'a'.repeat(1025)} HTTP/1.1\r\n\r\n`, 414, 'api.error.uritoolong'],
      [`GET /api/ping?${long} HTTP/1.1\r\n\r\n`, 414, 'api.error.uritoolong'],
      [`GET /${long.repeat(3)} HTTP/1.1\r\n\r\n`, 414, 'api.error.uritoolong'],
      [`GET /api/ping HTTP/1.1\r\nX: ${long.repeat(3)}\r\n\r\n`, 431, 'api.error.headerstoolarge'],
      ['PATCH /api/users HTTP/1.1\r\n\r\n', 405, 'api.error.methodnotallowed'],
      ['PROPFIND /api/users HTTP/1.1\r\n\r\n', 405, 'api.error.methodnotallowed'],
      ['QUERY /api/users HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}', 405, 'api.error.methodnotallowed'],
      ['GET /api/ping HTTP/1.1\r\nExpect: cake\r\n\r\n', 417, 'api.error.expectation'],
      ['BREW /api/ping HTTP/1.1\r\n\r\n', 400, 'api.error.badrequest'],
      ['GET /api/ping HTTP/3.1\r\n\r\n', 400, 'api.error.badrequest'],
      ['PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 400, 'api.error.badrequest'],
      ['\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03', 400, 'api.error.badrequest'],
      [
        'POST /api/users HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n',
        400,
        'api.error.badrequest',
      ],
      [`POST /api/users HTTP/1.1\r\n${key}Transfer-Encoding: chunked\r\n\r\nxyz\r\n`, 400, 'api.error.badrequest'],
    ]
    for (const [request, status, code] of refusals) {
      const answer = await send(request)
      assertRefused(answer, status, code, request.slice(0, 60))
      assert.equal(answer.headers['content-type'], 'application/vnd.logintc.v1+json', request.slice(0, 60))
      assert.equal(answer.headers['cache-control'], 'no-store', request.slice(0, 60))
    }
  })

  it('405 names the methods that the address knows', async () => {
    const allow = async (request: string) => (await send(`${request} HTTP/1.1\r\n\r\n`)).headers.allow
    assert.equal(await allow('DELETE /api/users?page=1'), 'GET, HEAD, POST')
    assert.equal(await allow('POST /api/users/x'), 'GET, HEAD, PUT, DELETE')
    assert.equal(await allow('OPTIONS /api/domains/x/users/y/token'), 'GET, HEAD, PUT, DELETE')
    const wire = (await Wire.open(server.apiUrl)).send('HEAD /api/domains/x/sessions HTTP/1.1\r\n\r\n')
    assert.equal((await wire.answer({ bodiless: true })).headers.allow, 'POST')
    wire.close()
  })

  it('an unknown device path and a known one with another method speak the device protocol’s words', async () => {
    const ask = (request: string) => exchange(server.deviceUrl, `${request}\r\n\r\n`)
    assertRefused(await ask('GET /nothing HTTP/1.1'), 404, 'not_found')
    assertRefused(await ask('GET /api/ping HTTP/1.1'), 404, 'not_found')
    const method = await ask('GET /device/v1/sync HTTP/1.1')
    assertRefused(method, 405, 'method_not_allowed')
    assert.equal(method.headers.allow, 'POST')
    assertRefused(await ask('GET /device/v1/server HTTP/1.1\r\nExpect: x'), 417, 'expectation_failed')
    assertRefused(await ask('nonsense'), 400, 'malformed')
    assertRefused(await ask(`GET /device/v1/server?${'a'.repeat(9000)} HTTP/1.1`), 414, 'uri_too_long')
    assertRefused(await ask(`GET /device/v1/server HTTP/1.1\r\nX: ${'a'.repeat(20_000)}`), 431, 'headers_too_large')
  })

  it('what the device listener answers cannot be framed, sniffed, cached or scripted', async () => {
    for (const path of ['/device/v1/server', '/nothing']) {
      const { headers } = await exchange(
        server.deviceUrl,
        `GET ${path} HTTP/1.1\r\nOrigin: https://evil.example\r\n\r\n`,
      )
      assert.equal(headers['content-type'], 'application/json')
      assert.match(
        headers['content-security-policy'] ?? '',
        /^default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; .*frame-ancestors 'none'; require-trusted-types-for 'script';/,
      )
      assert.equal(headers['referrer-policy'], 'no-referrer')
      assert.equal(headers['cross-origin-opener-policy'], 'same-origin')
      assert.match(headers['permissions-policy'] ?? '', /^camera=\(self\), publickey-credentials-get=\(self\)/)
      assert.equal(headers['x-content-type-options'], 'nosniff')
      assert.equal(headers['cache-control'], 'no-store')
      assert.equal(
        Object.keys(headers).find((name) => name.startsWith('access-control')),
        undefined,
      )
    }
  })

  it('no key but a live one opens the API, and its scheme and quotes are taken as they come', async () => {
    const { apiKey } = server.acme
    const ask = async (value: string) =>
      (await send(`GET /api/ping HTTP/1.1\r\nAuthorization: ${value}\r\n\r\n`)).status
    for (const value of [`LoginTC key="${apiKey}"`, `logintc key=${apiKey}`, `LOGINTC  KEY = "${apiKey}" `]) {
      assert.equal(await ask(value), 200, value)
    }
    const wrong = [
      '',
      apiKey,
      `Bearer ${apiKey}`,
      `LoginTC key="${apiKey}`,
      `LoginTC key="${apiKey.slice(1)}"`,
      `LoginTC key="${apiKey}a"`,
      `LoginTC key="${'a'.repeat(64)}"`,
      `LoginTC key="${apiKey}", key="${apiKey}"`,
      `LoginTC key="${apiKey.slice(0, -1)}\xe9"`,
    ]
    for (const value of wrong) {
      const answer = await send(`GET /api/ping HTTP/1.1\r\nAuthorization: ${value}\r\n\r\n`)
      assertRefused(answer, 401, 'api.error.unauthorized', value)
      assert.equal(answer.headers['www-authenticate'], 'LoginTC realm="countersign"')
    }
  })

  it('without a key, a known path tells nothing of what is behind it', async () => {
    const { domainId, alice } = server.acme
    const known = await send(`GET /api/domains/${domainId}/users/${alice} HTTP/1.1\r\n\r\n`)
    const unknown = await send(`GET /api/domains/${'0'.repeat(40)}/users/${alice} HTTP/1.1\r\n\r\n`)
    assert.equal(known.status, 401)
    assert.equal(unknown.body, known.body)
  })

  it('mallory is answered as if what is acme’s did not exist', async () => {
    const { domainId, alice } = server.acme
    const { apiKey } = server.other
    const call = (path: string) => server.call('GET', path, { key: apiKey })
    const pairs = [
      [`/api/domains/${domainId}`, `/api/domains/${'0'.repeat(40)}`],
      [`/api/users/${alice}`, `/api/users/${'0'.repeat(40)}`],
      [`/api/domains/${domainId}/users/${alice}/token`, `/api/domains/${'0'.repeat(40)}/users/${alice}/token`],
    ]
    for (const [foreign = '', missing = ''] of pairs) {
      const answer = await call(foreign)
      assert.equal(answer.status, 404)
      assert.equal(answer.text, (await call(missing)).text)
    }
  })

  it('a body that is not JSON, or not of the right kind, is refused naming what is wrong', async () => {
    const bodies: [string, string][] = [
      ['name=jo', 'body: It is not valid JSON.'],
      ['{"username":"jo"', 'body: It is not valid JSON.'],
      ['\ufeff{"username":"jo"}', 'body: It is not valid JSON.'],
      ['[]', 'body: It must be an object.'],
      ['"jo"', 'body: It must be an object.'],
      ['{}', 'username: It is required.'],
      ['', 'username: It is required.'],
      ['{"username":null}', 'username: It is required.'],
      ['{"username":7}', 'username: It must be a string.'],
      ['{"username":{"toString":"x"}}', 'username: It must be a string.'],
      ['{"username":"jo","name":["x"]}', 'name: It must be a string.'],
      ['{"username":"jo","email":true}', 'email: It must be a string.'],
      ['{"username":"a\\u0000b"}', 'username: It has the character U+0000.'],
      ['{"username":"a\\ud800"}', 'username: It has half of a surrogate pair.'],
      ['{"username":"a","more":[{"deep":"\\udfff"}]}', 'more[0].deep: It has half of a surrogate pair.'],
      ['{"__proto__":{"username":"jo"}}', 'username: It is required.'],
      [`{"x":${'['.repeat(100_000)}${']'.repeat(100_000)}}`, 'body: It is nested deeper than 32 levels.'],
    ]
    for (const [body, message] of bodies) {
      const answer = await post(body)
      assertRefused(answer, 400, 'api.error.badrequest', body.slice(0, 60))
      assert.equal(JSON.parse(answer.body).errors[0].message, message, body.slice(0, 60))
    }
  })

  it('a body above the limit is refused unread, and the connection closed', async () => {
    const head = `POST /api/users HTTP/1.1\r\n${key}Content-Length: 1048577\r\n\r\n`
    const wire = (await Wire.open(server.apiUrl)).send(head)
    const answer = await wire.answer()
    assertRefused(answer, 413, 'api.error.toolarge')
    assert.equal(answer.headers.connection, 'close')
    await wire.closed()
    const chunked = `POST /api/users HTTP/1.1\r\n${key}Transfer-Encoding: chunked\r\n\r\n`
    assertRefused(await send(chunked, '100001\r\n', 'x'.repeat(0x100001)), 413, 'api.error.toolarge')
    assert.equal(
      (await send(`POST /api/users HTTP/1.1\r\n${key}Content-Length: 1048576\r\n\r\n`, ' '.repeat(1048576))).status,
      400,
    )
  })

  it('a client that writes its whole body before it reads still gets the refusal', async () => {
    const size = 8 * 1024 * 1024
    const wire = await Wire.open(server.apiUrl)
    wire.socket.pause()
    wire.send(`POST /api/users HTTP/1.1\r\n${key}Content-Length: ${size}\r\n\r\n`)
    await new Promise((resolve) => wire.socket.write(new Uint8Array(size), resolve))
    wire.socket.resume()
    assertRefused(await wire.answer(), 413, 'api.error.toolarge')
    await wire.closed()
  })

  it('what comes after a request and cannot be read is refused after that request’s answer', async () => {
    const released = Promise.withResolvers<void>()
    const slow: ApiRoute = { method: 'GET', path: '/slow', handle: () => released.promise.then(() => ({ slow: true })) }
    const listener = await startApi({}, [slow])
    const wire = await Wire.open(`http://127.0.0.1:${listener.port}`)
    wire.send(`GET /slow HTTP/1.1\r\n${key}\r\nnonsense\r\n\r\n`)
    // By the time that this is answered, the other connection's bytes are read.
    await send('GET /api/ping HTTP/1.1\r\n\r\n')
    released.resolve()
    assert.equal((await wire.answer()).body, '{"slow":true}')
    assertRefused(await wire.answer(), 400, 'api.error.badrequest')
    wire.close()
    await listener.close()
  })

  it('a list of members may be as long as 64 MiB, and only with a key', async () => {
    const { domainId } = server.acme
    const user = JSON.stringify({ username: 'bob', name: 'Bob', email: '' })
    const body = `[${Array.from({ length: 40_000 }, () => user).join(',')}]`
    assert.ok(body.length > 1_600_000)
    const put = `PUT /api/domains/${domainId}/users HTTP/1.1\r\n`
    assert.equal((await send(`${put}${key}Content-Length: ${body.length}\r\n\r\n`, body)).status, 200)
    const head = `${put}Content-Length: ${64 * 1024 * 1024}\r\n\r\n`
    const unread = await send(head)
    assertRefused(unread, 401, 'api.error.unauthorized')
    assert.equal(unread.headers.connection, 'close')
    assertRefused(await send(`${put}${key}Content-Length: ${64 * 1024 * 1024 + 1}\r\n\r\n`), 413, 'api.error.toolarge')
  })

  it('no body is not an empty list of members: nobody is removed', async () => {
    const { domainId } = server.acme
    for (const body of ['', 'null', '{}']) {
      const put = `PUT /api/domains/${domainId}/users HTTP/1.1\r\n${key}Content-Length: ${body.length}\r\n\r\n`
      const answer = await send(put, body)
      assertRefused(answer, 400, 'api.error.badrequest')
      assert.equal(JSON.parse(answer.body).errors[0].message, 'body: It must be an array of users.')
    }
    assert.notDeepEqual((await server.call('GET', `/api/domains/${domainId}/users`)).body, [])
  })

  it('T30 T14 a device body above 16 KiB is refused after 16 KiB, whether it says its length or not', async () => {
    const ask = async (...request: string[]) => {
      const wire = (await Wire.open(server.deviceUrl)).send(...request)
      const answer = await wire.answer()
      await wire.closed()
      return answer
    }
    const post = 'POST /device/v1/answer HTTP/1.1\r\n'
    assertRefused(await ask(`${post}Content-Length: 262144\r\n\r\n`), 413, 'too_large')
    assertRefused(await ask(`${post}Content-Length: 262144\r\n\r\n`, 'x'.repeat(262144)), 413, 'too_large')
    assertRefused(await ask(`${post}Transfer-Encoding: chunked\r\n\r\n40000\r\n`, 'x'.repeat(16_385)), 413, 'too_large')
    const fits = await exchange(server.deviceUrl, `${post}Content-Length: 16384\r\n\r\n`, 'x'.repeat(16_384))
    assertRefused(fits, 400, 'malformed')
  })

  it('a device body that is not UTF-8 is malformed', async () => {
    const body = '{"v":1,"code":"\xe9","username":"jo"}'
    const head = `POST /device/v1/activation/begin HTTP/1.1\r\nContent-Length: ${body.length}\r\n\r\n`
    assertRefused(await exchange(server.deviceUrl, head, body), 400, 'malformed')
  })

  it('100-continue is said when the body is wanted, and only then', async () => {
    const body = '{"username":"patient"}'
    const expect = `Content-Length: ${body.length}\r\nExpect: 100-continue\r\n\r\n`
    const wire = await Wire.open(server.apiUrl)
    wire.send(`POST /api/users HTTP/1.1\r\n${key}${expect}`)
    assert.equal((await wire.answer()).status, 100)
    assert.match((await wire.send(body).answer()).body, /"username":"patient"/)
    wire.close()
    assertRefused(await send(`POST /api/users HTTP/1.1\r\n${expect}`), 401, 'api.error.unauthorized')
    assertRefused(await send(`POST /api/nothing HTTP/1.1\r\n${key}${expect}`), 404, 'api.error.notfound')
    const tooLong = expect.replace(String(body.length), '1048577')
    assertRefused(await send(`POST /api/users HTTP/1.1\r\n${key}${tooLong}`), 413, 'api.error.toolarge')
  })

  it('T30 a request that does not arrive in time is answered 408, and the others meanwhile at once', async () => {
    const limits = { headersTimeoutMs: 100, requestTimeoutMs: 200, timeoutCheckMs: 20 }
    const listener = await startApi(limits)
    const origin = `http://127.0.0.1:${listener.port}`
    const slow = ['', 'GET /api/ping HT', `POST /api/users HTTP/1.1\r\n${key}Content-Length: 9\r\n\r\n{"user`]
    const answers = slow.map(async (begin) => {
      const wire = (await Wire.open(origin)).send(begin)
      const answer = await wire.answer()
      await wire.closed()
      return answer
    })
    assert.equal((await exchange(origin, `GET /api/ping HTTP/1.1\r\n${key}\r\n`)).status, 200)
    for (const answer of answers) assertRefused(await answer, 408, 'api.error.timeout')
    await listener.close()
  })

  it('T30 connections above the cap are dropped, those below it are served', async () => {
    const listener = await startApi({ connectionsMax: 3 })
    const origin = `http://127.0.0.1:${listener.port}`
    const wires = [await Wire.open(origin), await Wire.open(origin), await Wire.open(origin)]
    const fourth = await Wire.open(origin)
    assert.equal(await fourth.closed(), '')
    for (const wire of wires) {
      assert.equal((await wire.send(`GET /api/ping HTTP/1.1\r\n${key}\r\n`).answer()).status, 200)
      wire.close()
    }
    await listener.close()
  })

  function startApi(limits: ListenerOptions['limits'], routes: ApiRoute[] = apiRoutes): Promise<Listener> {
    const listen = { host: '127.0.0.1', port: 0 }
    return startListener({ kind: 'api', app: server.app, listen, routes, ...(limits && { limits }) })
  }
})

function assertRefused(answer: WireAnswer, status: number, code: string, about?: string): void {
  assert.equal(answer.status, status, about)
  const { errors } = JSON.parse(answer.body)
  assert.equal(errors.length, 1, about)
  assert.equal(errors[0].code, code, about)
  assert.match(errors[0].message, /^\S.*\.$/, about)
}
