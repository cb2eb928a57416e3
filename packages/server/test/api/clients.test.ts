import assert from 'node:assert/strict'
import { after, before, it } from 'node:test'
import { TestDevice } from '../support/device.ts'
import { onEveryEngine } from '../support/engines.ts'
import { startTestServer, type TestServer } from '../support/server.ts'
import { exchange, Wire } from '../support/wire.ts'

// Byte for byte what each client of LoginTC's API puts on the wire, as captured from its HTTP library.
onEveryEngine((engine) => {
  let server: TestServer
  let domain: string
  before(async () => {
    server = await startTestServer(engine)
    domain = `/api/domains/${server.acme.domainId}`
    await TestDevice.enrol(server, { userId: server.acme.alice })
  })
  after(() => server.stop())

  const host = () => new URL(server.apiUrl).host
  const authorization = () => `LoginTC key="${server.acme.apiKey}"`
  const send = async (request: string) => {
    const { status, body } = await exchange(server.apiUrl, request)
    return { status, body, json: body === '' ? undefined : JSON.parse(body) }
  }

  /** A new user of that name, in acme's domain. */
  async function join(username: string): Promise<string> {
    const { body } = await server.call('POST', '/api/users', { body: { username } })
    await server.call('PUT', `${domain}/users/${body.id}`)
    return body.id
  }

  /** PHP 1.2.4, libcurl 7.88: a Content-Type on everything, and the body as it is. */
  function php(method: string, path: string, body?: string) {
    const length = body === undefined ? '' : `Content-Length: ${body.length}\r\n`
    return (
      `${method} ${path} HTTP/1.1\r\nHost: ${host()}\r\nAccept: */*\r\nUser-Agent: LoginTC-PHP/1.2.4\r\n` +
      `Authorization: ${authorization()}\r\nContent-Type: application/vnd.logintc.v1+json\r\n${length}\r\n${body ?? ''}`
    )
  }

  /** Python 1.1.9, httplib2 0.20. */
  function python(method: string, path: string, body?: string) {
    const length =
      body === undefined ? (method === 'PUT' ? 'Content-Length: 0\r\n' : '') : `Content-Length: ${body.length}\r\n`
    const type = body === undefined ? '' : 'content-type: application/vnd.logintc.v1+json\r\n'
    return (
      `${method} ${path} HTTP/1.1\r\nHost: ${host()}\r\n${length}accept: application/vnd.logintc.v1+json\r\n` +
      `authorization: ${authorization()}\r\nuser-agent: LoginTC-Python/1.1.9\r\n${type}accept-encoding: gzip, deflate\r\n\r\n${body ?? ''}`
    )
  }

  /** Java 1.1.4, Apache HttpClient 4.5. */
  function java(method: string, path: string, body?: string) {
    const type = body === undefined ? '' : 'Content-Type: application/vnd.logintc.v1+json\r\n'
    const before = method === 'DELETE' ? 'Content-Length: 0\r\n' : ''
    const after = method === 'PUT' || method === 'POST' ? `Content-Length: ${body?.length ?? 0}\r\n` : ''
    return (
      `${method} ${path} HTTP/1.1\r\nAccept: application/vnd.logintc.v1+json\r\n${before}${type}Host: ${host()}\r\n` +
      `User-Agent: LoginTC-Java/1.1.4\r\nAuthorization: ${authorization()}\r\n${after}Connection: Keep-Alive\r\n\r\n${body ?? ''}`
    )
  }

  /** C 0.1.0 (and the PAM module), libcurl 7.88. */
  function c(method: string, path: string, body?: string) {
    const type = body === undefined ? '' : 'Content-Type: application/vnd.logintc.v1+json\r\n'
    const length = body === undefined ? '' : `Content-Length: ${body.length}\r\n`
    return (
      `${method} ${path} HTTP/1.1\r\nHost: ${host()}\r\nAccept: */*\r\n${type}User-Agent: LoginTC-C/0.1.0\r\n` +
      `Authorization: ${authorization()}\r\n${length}\r\n${body ?? ''}`
    )
  }

  /** curl 7.88 -d: a form, it says. */
  function curl(method: string, path: string, body?: string) {
    const entity =
      body === undefined ? '' : `Content-Length: ${body.length}\r\nContent-Type: application/x-www-form-urlencoded\r\n`
    return (
      `${method} ${path} HTTP/1.1\r\nHost: ${host()}\r\nUser-Agent: curl/7.88.1\r\nAccept: */*\r\n` +
      `Authorization: ${authorization()}\r\n${entity}\r\n${body ?? ''}`
    )
  }

  it('PHP: creates, finds, changes and removes a user, with null for what it does not know', async () => {
    const created = await send(php('POST', '/api/users', '{"username":"j\\u00fcrgen&co+1","name":null,"email":null}'))
    const user = {
      id: created.json.id,
      username: 'jürgen&co+1',
      name: 'jürgen&co+1',
      email: '',
      domains: [],
      bypasscodes: [],
      hardware: '',
    }
    assert.equal(created.body, JSON.stringify(user).replaceAll('ü', '\\u00fc'))
    assert.equal((await send(php('GET', '/api/users?username=j\xc3\xbcrgen&co+1'))).body, created.body)
    const changed = await send(php('PUT', `/api/users/${user.id}`, '{"name":null,"email":"j@example.org"}'))
    assert.deepEqual(changed.json, { ...user, email: 'j@example.org' })
    const member = `${domain}/users/${user.id}`
    assert.deepEqual(await send(php('PUT', member, '')), { status: 200, body: '', json: undefined })
    assert.match((await send(php('PUT', `${member}/token`, ''))).body, /^\{"state":"pending","code":"[0-9a-z]{10}"\}$/)
    assert.deepEqual(await send(php('DELETE', `${member}/token`)), { status: 200, body: '', json: undefined })
    assert.deepEqual((await send(php('GET', `${member}/token`))).json.errors[0].code, 'api.error.notfound.token')
    assert.deepEqual(await send(php('DELETE', member)), { status: 200, body: '', json: undefined })
    assert.deepEqual(await send(php('DELETE', `/api/users/${user.id}`)), { status: 200, body: '', json: undefined })
    assert.equal((await send(php('GET', `/api/users/${user.id}`))).status, 404)
  })

  it('PHP: its attributes are a map, a list, an empty list or null', async () => {
    const attributes = ['{"Product":"Quinoa","Amount":"1"}', '[{"key":"Product","value":"Quinoa"}]', '[]', 'null']
    for (const written of attributes) {
      const own = await join(`php-${attributes.indexOf(written)}`)
      const device = await TestDevice.enrol(server, { userId: own })
      const created = await send(php('POST', `${domain}/sessions`, `{"user":{"id":"${own}"},"attributes":${written}}`))
      assert.match(created.body, /^\{"id":"[0-9a-f]{40}","state":"pending"\}$/, written)
      const { attrs } = (await device.request()).challenge
      const expected = { 0: ['Product', 'Amount'], 1: ['Product'] }[attributes.indexOf(written)] ?? []
      assert.deepEqual(
        attrs.map(({ k }) => k),
        expected,
        written,
      )
    }
  })

  it('PHP: a list of members above 1 MB waits for 100 Continue', async () => {
    const alice = '{"username":"alice","name":null,"email":null}'
    const list = `[${`${alice},`.repeat(24_000)}{"username":"bob","name":null,"email":null}]`
    assert.ok(list.length > 1024 * 1024)
    const head = php('PUT', `${domain}/users`, '').replace(
      'Content-Length: 0',
      `Content-Length: ${list.length}\r\nExpect: 100-continue`,
    )
    const wire = (await Wire.open(server.apiUrl)).send(head)
    assert.equal((await wire.answer()).status, 100)
    const answer = await wire.send(list).answer()
    wire.close()
    assert.equal(answer.status, 200)
    assert.equal(answer.body, '')
    const members = await send(php('GET', `${domain}/users?page=1`))
    const names = members.json.map((user: { name: string }) => user.name)
    assert.deepEqual(names.sort(), ['alice', 'bob'])
  })

  it('Python: reads objects by their keys, and the first error of a refusal', async () => {
    const created = await send(
      python('POST', '/api/users', '{"username": "py", "email": "py@example.org", "name": "Zo\\u00eb"}'),
    )
    const { id } = created.json
    assert.deepEqual([created.json.name, created.json.email], ['Zoë', 'py@example.org'])
    assert.equal((await send(python('PUT', `/api/users/${id}`, '{}'))).body, created.body)
    assert.deepEqual(await send(python('PUT', `${domain}/users/${id}`)), { status: 200, body: '', json: undefined })
    const user = await send(python('GET', `${domain}/users/${id}`))
    assert.deepEqual(user.json.domains, [server.acme.domainId])
    const body = '{"user": {"username": "py"}, "attributes": [{"key": "a", "value": "b"}], "ipAddress": "203.0.113.9"}'
    const refused = await send(python('POST', `${domain}/sessions`, body))
    assert.equal(refused.status, 404)
    assert.equal(refused.json.errors[0].code, 'api.error.notfound.token')
    const nobody = await send(python('POST', `${domain}/sessions`, '{"user": {"id": null}, "attributes": []}'))
    assert.equal(nobody.json.errors[0].message, 'user: It must have a username or an id.')
    assert.equal((await send(python('DELETE', `/api/users/${id}`))).status, 200)
    assert.deepEqual((await send(python('GET', '/api/organization'))).json, { name: 'Acme' })
  })

  it('Java: sends ISO-8859-1 without saying so, and Content-Length: 0 with a DELETE', async () => {
    const created = await send(
      java('POST', '/api/users', '{"username":"zo\xeb","email":"z@example.org","name":"Zo\xeb \xdf"}'),
    )
    assert.match(created.body, /"username":"zo\\u00eb","name":"Zo\\u00eb \\u00df","email":"z@example.org"/)
    const { id } = created.json
    for (const member of ['id', 'username', 'email', 'name', 'hardware'])
      assert.equal(typeof created.json[member], 'string')
    for (const member of ['domains', 'bypasscodes']) assert.ok(Array.isArray(created.json[member]))
    assert.deepEqual(await send(java('PUT', `${domain}/users/${id}`)), { status: 200, body: '', json: undefined })
    assert.equal((await send(java('PUT', `${domain}/users/${id}/token`))).json.state, 'pending')
    assert.deepEqual(await send(java('DELETE', `${domain}/users/${id}/token`)), {
      status: 200,
      body: '',
      json: undefined,
    })
    assert.equal((await send(java('DELETE', `/api/users/${id}`))).status, 200)
    const shown = await send(java('GET', domain))
    const members = [
      'id',
      'name',
      'type',
      'keyType',
      'maxAllowedRetries',
      'requestTimeout',
      'activationCodeExpiration',
      'requestPollingEnabled',
      'bypassEnabled',
    ]
    assert.deepEqual(Object.keys(shown.json), members)
  })

  it('Java: one connection carries all of its requests', async () => {
    const wire = await Wire.open(server.apiUrl)
    for (const path of ['/api/ping', '/api/organization', '/api/ping']) {
      const answer = await wire.send(java('GET', path)).answer()
      assert.equal(answer.status, 200)
      assert.equal(answer.headers.connection, 'keep-alive')
    }
    wire.close()
  })

  it('C: percent-encodes the name inside the JSON, and cuts id and state out at fixed offsets', async () => {
    const jo = await join('DOM\\jo hn@x.y')
    const device = await TestDevice.enrol(server, { userId: jo })
    const created = await send(
      c('POST', `${domain}/sessions`, '{"user":{"username":"DOM%5Cjo%20hn%40x.y"}, "attributes":[]}'),
    )
    assert.equal(created.status, 200)
    const id = created.body.slice(7, 47)
    assert.match(id, /^[0-9a-f]{40}$/)
    assert.equal(created.body.slice(58, -2), 'pending')
    const session = `${domain}/sessions/${id}`
    assert.equal((await send(c('GET', session))).body, created.body)
    await device.approve(await device.request())
    assert.equal((await send(c('GET', session))).body.slice(58, -2), 'approved')
    assert.equal((await send(c('GET', session))).body, `{"id":"${id}","state":"approved"}`)
  })

  it('C: only the decoded name is looked up, so that nobody is asked for somebody else; others do not decode', async () => {
    const literal = await join('a%20b')
    await join('c d')
    const device = await TestDevice.enrol(server, { userId: literal })
    const body = (name: string) => `{"user":{"username":"${name}"}, "attributes":[]}`
    const codeOf = async (request: string) => (await send(request)).json.errors[0].code
    assert.equal(await codeOf(c('POST', `${domain}/sessions`, body('a%20b'))), 'api.error.notfound.user')
    assert.deepEqual(await device.requests(), [])
    assert.equal((await send(c('POST', `${domain}/sessions`, body('a%2520b')))).status, 200)
    assert.equal((await device.request()).challenge.user, 'a%20b')
    assert.equal(await codeOf(c('POST', `${domain}/sessions`, body('c%20d'))), 'api.error.notfound.token')
    assert.equal(await codeOf(php('POST', `${domain}/sessions`, body('c%20d'))), 'api.error.notfound.user')
    assert.equal((await send(c('POST', `${domain}/sessions`, body('c%00d')))).status, 400)
  })

  it('curl: what it calls a form is read as the JSON that it is', async () => {
    assert.match(
      (await send(curl('POST', '/api/users', '{"username":"curly"}'))).body,
      /^\{"id":"[0-9a-f]{40}","username":"curly",/,
    )
    assert.deepEqual(await send(curl('PUT', `${domain}/users/${server.acme.bob}`)), {
      status: 200,
      body: '',
      json: undefined,
    })
    const user = `{"user":{"username":"ALICE"},"attributes":[{"key":"Cost","value":"1 \xc3\xa9"}]}`
    assert.match(
      (await send(curl('POST', `${domain}/sessions`, user))).body,
      /^\{"id":"[0-9a-f]{40}","state":"pending"\}$/,
    )
  })
})
