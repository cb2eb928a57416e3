import assert from 'node:assert/strict'
import { after, before, it } from 'node:test'
import { onEveryEngine } from '../support/engines.ts'
import { startTestServer, type TestServer } from '../support/server.ts'
import { exchange, Wire } from '../support/wire.ts'

onEveryEngine((engine) => {
  let server: TestServer
  let key: string
  before(async () => {
    server = await startTestServer(engine)
    key = `Authorization: LoginTC key="${server.acme.apiKey}"\r\n`
  })
  after(() => server.stop())

  const send = (...request: (string | Uint8Array)[]) => exchange(server.apiUrl, ...request)

  it('an answer is 200, compact JSON in LoginTC’s type without a charset, and never to be stored', async () => {
    const answer = await send(`GET /api/ping HTTP/1.1\r\nHost: x\r\n${key}\r\n`)
    assert.equal(answer.status, 200)
    assert.equal(answer.body, '{"status":"OK"}')
    assert.equal(answer.headers['content-type'], 'application/vnd.logintc.v1+json')
    assert.equal(answer.headers['content-length'], '15')
    assert.equal(answer.headers['cache-control'], 'no-store')
    assert.equal(answer.headers['x-content-type-options'], 'nosniff')
    assert.equal(answer.headers['strict-transport-security'], undefined)
  })

  it('an answer without content is 200 with Content-Length: 0 and no type', async () => {
    const { domainId, bob } = server.acme
    const answer = await send(`PUT /api/domains/${domainId}/users/${bob} HTTP/1.1\r\nHost: x\r\n${key}\r\n`)
    assert.equal(answer.status, 200)
    assert.equal(answer.headers['content-length'], '0')
    assert.equal(answer.headers['content-type'], undefined)
  })

  it('every character above U+007F leaves as an escape', async () => {
    const body = Buffer.from('{"username":"zoë","name":"Zoë 𝔷 \u007f"}')
    const answer = await send(
      `POST /api/users HTTP/1.1\r\nHost: x\r\n${key}Content-Length: ${body.length}\r\n\r\n`,
      body,
    )
    assert.match(
      answer.body,
      /^\{"id":"[0-9a-f]{40}","username":"zo\\u00eb","name":"Zo\\u00eb \\ud835\\udd37 \x7f","email":"",/,
    )
    assert.doesNotMatch(answer.body, /[^\0-\x7f]/)
  })

  it('a request without a Host, or of HTTP/1.0, is answered', async () => {
    assert.equal((await send(`GET /api/ping HTTP/1.1\r\n${key}\r\n`)).status, 200)
    assert.equal((await send(`GET /api/ping HTTP/1.0\r\n${key}\r\n`)).status, 200)
  })

  it('any Accept is answered', async () => {
    const types = [
      'application/vnd.logintc.v1+json',
      'application/vnd.logintc.v1.3+json',
      'application/json',
      '*/*',
      'image/png',
      '',
    ]
    for (const type of types) {
      const answer = await send(`GET /api/ping HTTP/1.1\r\nHost: x\r\nAccept: ${type}\r\n${key}\r\n`)
      assert.equal(answer.status, 200, type)
      assert.equal(answer.headers['content-type'], 'application/vnd.logintc.v1+json')
    }
  })

  it('what a body is, the body decides: no Content-Type is refused', async () => {
    const types = [
      'application/x-www-form-urlencoded',
      'text/plain; charset=ISO-8859-1',
      'no type at all;;',
      '',
      'multipart/form-data',
    ]
    for (const [index, type] of types.entries()) {
      const body = `{"username":"typed${index}"}`
      const head = `POST /api/users HTTP/1.1\r\nHost: x\r\n${key}Content-Type: ${type}\r\nContent-Length: ${body.length}\r\n\r\n`
      const answer = await send(head, body)
      assert.equal(answer.status, 200, type)
    }
  })

  it('bytes that are no UTF-8 are read as ISO-8859-1', async () => {
    const body = '{"username":"jos\xe9"}'
    const answer = await send(
      `POST /api/users HTTP/1.1\r\nHost: x\r\n${key}Content-Length: ${body.length}\r\n\r\n`,
      body,
    )
    assert.match(answer.body, /"username":"jos\\u00e9"/)
  })

  it('a chunked body is read like any other', async () => {
    const head = `POST /api/users HTTP/1.1\r\nHost: x\r\n${key}Transfer-Encoding: chunked\r\n\r\n`
    const answer = await send(head, '10\r\n{"username":"chu\r\n', '6\r\nnked"}\r\n', '0\r\n\r\n')
    assert.match(answer.body, /"username":"chunked"/)
  })

  it('requests sent in one go are answered in their order, on a connection that stays open', async () => {
    const wire = await Wire.open(server.apiUrl)
    const get = (path: string) => `GET /api/${path} HTTP/1.1\r\nHost: x\r\n${key}\r\n`
    wire.send(get('organization') + get('ping') + get('nothing') + get('ping'))
    assert.equal((await wire.answer()).body, '{"name":"Acme"}')
    assert.equal((await wire.answer()).body, '{"status":"OK"}')
    assert.equal((await wire.answer()).status, 404)
    assert.equal((await wire.answer()).body, '{"status":"OK"}')
    assert.equal((await wire.send(get('ping')).answer()).headers.connection, 'keep-alive')
    wire.close()
  })

  it('CONNECT is refused in the envelope, after what was asked before it; a client that is gone does no harm', async () => {
    const connect = 'CONNECT example.org:443 HTTP/1.1\r\nHost: example.org:443\r\n\r\n'
    const words = [
      [server.apiUrl, 'api.error.methodnotallowed'],
      [server.deviceUrl, 'method_not_allowed'],
    ] as const
    for (const [origin, code] of words) {
      const gone = await Wire.open(origin)
      gone.send(connect).socket.resetAndDestroy()
      const wire = await Wire.open(origin)
      wire.send(`GET /nothing HTTP/1.1\r\nHost: x\r\n\r\n${connect}`, 'GET / HTTP/1.1\r\n\r\n')
      assert.equal((await wire.answer()).status, 404)
      const answer = await wire.answer()
      assert.equal(answer.status, 405)
      assert.equal(JSON.parse(answer.body).errors[0].code, code)
      assert.match(answer.headers.allow ?? '', /^GET, HEAD, .*POST/)
      assert.equal(answer.headers.connection, 'close')
      assert.equal(await wire.closed(), '')
    }
  })

  it('HEAD says what GET would say, without the body', async () => {
    const wire = await Wire.open(server.apiUrl)
    wire.send(`HEAD /api/ping HTTP/1.1\r\nHost: x\r\n${key}\r\n`)
    const answer = await wire.answer({ bodiless: true })
    assert.equal(answer.status, 200)
    assert.equal(answer.headers['content-length'], '15')
    assert.equal((await wire.send(`GET /api/ping HTTP/1.1\r\n${key}\r\n`).answer()).body, '{"status":"OK"}')
    wire.close()
  })

  it('an address with bytes above 0x7F is answered, after what was asked before it', async () => {
    await server.call('POST', '/api/users', { body: { username: 'jürgen' } })
    const wire = await Wire.open(server.apiUrl)
    const ping = `GET /api/ping HTTP/1.1\r\nHost: x\r\n${key}\r\n`
    const find = (name: string) => `GET /api/users?username=${name} HTTP/1.1\r\nHost: x\r\n${key}\r\n`
    wire.send(ping + find('J\xc3\x9cRGEN'))
    assert.equal((await wire.answer()).body, '{"status":"OK"}')
    const answer = await wire.answer()
    assert.match(answer.body, /"username":"j\\u00fcrgen"/)
    assert.equal(answer.headers.connection, 'close')
    assert.equal(answer.headers['content-type'], 'application/vnd.logintc.v1+json')
    assert.equal(await wire.closed(), '')
    assert.equal((await send(find('j\xfcrgen'))).status, 200)
    assert.equal((await send(find('j\xfcrgen').replace(/Authorization.*\r\n/, ''))).status, 401)
    assert.equal((await send('GET /api/us\xc3\xa9rs HTTP/1.1\r\nHost: x\r\n\r\n')).status, 404)
  })

  it('such an address with a body, or half of its headers, is refused', async () => {
    const withBody = 'GET /api/users?username=\xe9 HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc'
    for (const request of [
      withBody,
      'DELETE /api/users?username=\xe9 HTTP/1.1\r\n\r\n',
      'GET /api/users?username=\xe9 HTTP/1.1\r\n',
    ]) {
      const answer = await send(request)
      assert.equal(answer.status, 400)
      assert.equal(JSON.parse(answer.body).errors[0].code, 'api.error.badrequest')
    }
  })
})
