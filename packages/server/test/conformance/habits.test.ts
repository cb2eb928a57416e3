import assert from 'node:assert/strict'
import { after, before, it } from 'node:test'
import { TestDevice } from '../support/device.ts'
import { onEveryEngine } from '../support/engines.ts'
import { startTestServer, type TestServer } from '../support/server.ts'
import { exchange, Wire } from '../support/wire.ts'
import { c } from './c.ts'
import { type Client, hostOf, type Target } from './client.ts'
import { php } from './php.ts'
import { python } from './python.ts'

/** curl 7.88 -d, as in LoginTC's documentation: a form, it says. */
const curl: Pick<Client, 'write'> = {
  write(target, { method, path, body }) {
    const entity =
      body === undefined ? '' : `Content-Length: ${body.length}\r\nContent-Type: application/x-www-form-urlencoded\r\n`
    return (
      `${method} ${path} HTTP/1.1\r\nHost: ${hostOf(target)}\r\nUser-Agent: curl/7.88.1\r\nAccept: */*\r\n` +
      `Authorization: LoginTC key="${target.apiKey}"\r\n${entity}\r\n${body ?? ''}`
    )
  },
}

// What only some clients do, beyond what the table of endpoints asks.
onEveryEngine((engine) => {
  let server: TestServer
  let target: Target
  let domain: string
  before(async () => {
    server = await startTestServer(engine)
    target = { origin: server.apiUrl, apiKey: server.acme.apiKey }
    domain = `/api/domains/${server.acme.domainId}`
    await TestDevice.enrol(server, { userId: server.acme.alice })
  })
  after(() => server.stop())

  async function send(client: Pick<Client, 'write'>, call: string, body?: string) {
    const [method = '', path = ''] = call.split(' ')
    const { status, body: text } = await exchange(
      target.origin,
      client.write(target, { method, path, body, returns: 'session' }),
    )
    return { status, body: text, json: text === '' ? undefined : JSON.parse(text) }
  }

  /** A new user of that name, in acme's domain. */
  async function join(username: string): Promise<string> {
    const { body } = await server.call('POST', '/api/users', { body: { username } })
    await server.call('PUT', `${domain}/users/${body.id}`)
    return body.id
  }

  it('PHP: its attributes are a map, a list, an empty list or null', async () => {
    for (const [username, attributes, keys] of [
      ['map', '{"Product":"Quinoa","Amount":"1"}', ['Product', 'Amount']],
      ['list', '[{"key":"Product","value":"Quinoa"}]', ['Product']],
      ['empty', '[]', []],
      ['none', 'null', []],
    ] as const) {
      const own = await join(username)
      const device = await TestDevice.enrol(server, { userId: own })
      const created = await send(php, `POST ${domain}/sessions`, `{"user":{"id":"${own}"},"attributes":${attributes}}`)
      assert.match(created.body, /^\{"id":"[0-9a-f]{40}","state":"pending"\}$/, username)
      const { attrs } = (await device.request()).challenge
      assert.deepEqual(
        attrs.map(({ k }) => k),
        keys,
        username,
      )
    }
  })

  it('PHP: a list of members above 1 MB waits for 100 Continue', async () => {
    const alice = '{"username":"alice","name":null,"email":null}'
    const list = `[${`${alice},`.repeat(24_000)}{"username":"bob","name":null,"email":null}]`
    assert.ok(list.length > 1024 * 1024)
    const request = php.write(target, { method: 'PUT', path: `${domain}/users`, body: list, returns: 'void' })
    const head = request.slice(0, -list.length).replace(/\r\n$/, 'Expect: 100-continue\r\n\r\n')
    const wire = (await Wire.open(server.apiUrl)).send(head)
    assert.equal((await wire.answer()).status, 100)
    const answer = await wire.send(list).answer()
    wire.close()
    assert.deepEqual([answer.status, answer.body], [200, ''])
    const members = await send(php, `GET ${domain}/users?page=1`)
    const names = members.json.map((user: { name: string }) => user.name)
    assert.deepEqual(names.sort(), ['alice', 'bob'])
  })

  it('Python: whoever names no user is told so', async () => {
    const nobody = await send(python, `POST ${domain}/sessions`, '{"user": {"id": null}, "attributes": []}')
    assert.equal(nobody.status, 400)
    assert.equal(nobody.json.errors[0].message, 'user: It must have a username or an id.')
  })

  it('C: only the decoded name is looked up, so that nobody is asked for somebody else; others do not decode', async () => {
    const literal = await join('a%20b')
    await join('c d')
    const device = await TestDevice.enrol(server, { userId: literal })
    const create = (client: Client, name: string) =>
      send(client, `POST ${domain}/sessions`, `{"user":{"username":"${name}"}, "attributes":[]}`)
    const codeOf = async (client: Client, name: string) => (await create(client, name)).json.errors[0].code
    assert.equal(await codeOf(c, 'a%20b'), 'api.error.notfound.user')
    assert.deepEqual(await device.requests(), [])
    assert.equal((await create(c, 'a%2520b')).status, 200)
    assert.equal((await device.request()).challenge.user, 'a%20b')
    assert.equal(await codeOf(c, 'c%20d'), 'api.error.notfound.token')
    assert.equal(await codeOf(php, 'c%20d'), 'api.error.notfound.user')
    assert.equal((await create(c, 'c%00d')).status, 400)
  })

  it('C: a Windows name, escaped as libcurl does, reaches its owner', async () => {
    const device = await TestDevice.enrol(server, { userId: await join('DOM\\jo hn@x.y') })
    const body = '{"user":{"username":"DOM%5Cjo%20hn%40x.y"}, "attributes":[]}'
    assert.equal((await send(c, `POST ${domain}/sessions`, body)).status, 200)
    assert.equal((await device.request()).challenge.user, 'DOM\\jo hn@x.y')
  })

  it('curl: what it calls a form is read as the JSON that it is', async () => {
    const created = await send(curl, 'POST /api/users', '{"username":"curly"}')
    assert.match(created.body, /^\{"id":"[0-9a-f]{40}","username":"curly",/)
    const joined = await send(curl, `PUT ${domain}/users/${server.acme.bob}`)
    assert.deepEqual(joined, { status: 200, body: '', json: undefined })
    const user = `{"user":{"username":"ALICE"},"attributes":[{"key":"Cost","value":"1 \xc3\xa9"}]}`
    const session = await send(curl, `POST ${domain}/sessions`, user)
    assert.match(session.body, /^\{"id":"[0-9a-f]{40}","state":"pending"\}$/)
  })
})
