// The management client against a server.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { text } from 'node:stream/consumers'
import { after, before, it } from 'node:test'
import { CountersignError, ManagementClient } from '@countersign/sdk/management.ts'
import { management } from '../../server/src/http/openapi/management.ts'
import { onEveryEngine, onSqlite } from '../../server/test/support/engines.ts'
import { startTestServer, type TestServer } from '../../server/test/support/server.ts'
import { newWorld, type World } from '../../server/test/support/worlds.ts'
import { type Named, operationCalls } from './management-calls.ts'
import { apiKey, apiUrl, refusal, scriptedFetch, userId } from './support.ts'

onEveryEngine((engine) => {
  let server: TestServer
  let world: World
  before(async () => {
    server = await startTestServer(engine)
    world = await newWorld(server)
  })
  after(() => server.stop())

  it('there is a method for every operation of /openapi.json, which calls that and gets a good answer', async () => {
    const { body } = await server.call('GET', '/openapi.json')
    const methods = Object.entries<Record<string, { operationId: string }>>(body.paths)
      .filter(([path]) => path.startsWith('/admin/v1/'))
      .flatMap(([, operations]) => Object.values(operations).map(({ operationId }) => operationId))
    assert.deepEqual(Object.keys(operationCalls).sort(), methods.sort())
    for (const [name, { call, reply }] of Object.entries(operationCalls)) {
      const asked: string[] = []
      const named = { ...world.named } as Named
      const answer = await call(clientOf(named, name.endsWith('OwnSession'), asked), named).catch((error) =>
        assert.fail(`${name}: ${error.message}`),
      )
      const { method, path } = management.operations.find(({ id }) => id === name) ?? assert.fail(name)
      const address = path.replace(/:(\w+)/g, (_, parameter: string) => named[parameter] ?? '')
      assert.ok(asked.length > 0)
      for (const line of asked) assert.equal(line, `${method} ${address}`)
      if (reply?.startsWith('M.Part<')) assert.ok(Array.isArray(answer) && answer.length > 0, name)
      else if (reply) assert.equal(typeof answer, 'object', name)
    }
  })

  it('lists are followed part by part, and one part can be had', async () => {
    const { domains } = new ManagementClient({ url: server.apiUrl, apiKey: server.acme.apiKey })
    const listed = (await Array.fromAsync(domains.list({ limit: 1 }))).map(({ id }) => id)
    assert.deepEqual(listed.toSorted(), [server.acme.domainId, server.acme.pinDomainId].sort())
    const { items, next = '' } = await domains.part({ limit: 1 })
    const rest = await domains.part({ limit: 1, after: next })
    assert.deepEqual([items[0]?.id, rest.items[0]?.id, rest.next], [...listed, undefined])
  })

  it('an edit with the revision of what somebody changed meanwhile is refused, and one with the new revision is not', async () => {
    const { users } = new ManagementClient({ url: server.apiUrl, apiKey: server.acme.apiKey })
    const { revision: ifMatch } = await users.show(server.acme.alice)
    const { revision } = await users.update(server.acme.alice, { name: 'Alice' }, { ifMatch })
    await assert.rejects(users.update(server.acme.alice, { name: 'Eve' }, { ifMatch }), {
      status: 412,
      code: 'api.error.preconditionfailed',
    })
    const { name } = await users.update(server.acme.alice, { name: 'Alice A.' }, { ifMatch: revision })
    assert.equal(name, 'Alice A.')
    await assert.rejects(users.delete(server.acme.alice, { ifMatch: '' }), { status: 412 })
  })

  it('another organization’s objects are not found', async () => {
    const { users } = new ManagementClient({ url: server.apiUrl, apiKey: server.other.apiKey })
    await assert.rejects(users.show(server.acme.bob), (error) => {
      assert.ok(error instanceof CountersignError)
      return error.code === 'api.error.notfound.user'
    })
  })

  /** With acme's key, or with the cookie of a browser. It notes what it asked. */
  function clientOf(named: Named, browser: boolean, asked: string[]): ManagementClient {
    const noting: typeof fetch = (input, init) => {
      asked.push(`${init?.method} ${new URL(String(input)).pathname}`)
      const headers = new Headers(init?.headers)
      if (browser) headers.set('cookie', named.cookie ?? '')
      if (browser) headers.set('sec-fetch-site', 'same-origin')
      return fetch(input, { ...init, headers })
    }
    return new ManagementClient({ url: server.apiUrl, fetch: noting, ...(!browser && { apiKey: world.key }) })
  }
})

onSqlite(() => {
  const clientOf = (answers: Parameters<typeof scriptedFetch>[0]) => {
    const { fetch, received } = scriptedFetch(answers)
    return { client: new ManagementClient({ url: apiUrl, apiKey, fetch, retryDelaysMs: [0, 0] }), received }
  }

  it('GET, PUT and DELETE are repeated after no answer; POST and PATCH are not', async () => {
    const lost = new TypeError('fetch failed')
    const repeated = clientOf([lost, lost, { body: '' }])
    await repeated.client.users.delete(userId)
    assert.equal(repeated.received.length, 3)
    for (const call of [
      (client: ManagementClient) => client.users.create({ username: 'jane' }),
      (client: ManagementClient) => client.users.update(userId, { name: 'Jane' }),
    ]) {
      const { client, received } = clientOf([lost])
      await assert.rejects(call(client), { code: 'network' })
      assert.equal(received.length, 1)
    }
  })

  it('a revision is read from an ETag that a proxy has weakened, and goes out in quotes; * goes out bare', async () => {
    const { client, received } = clientOf([{ body: {}, headers: { etag: 'W/"abc"' } }, { body: {} }, { body: {} }])
    const { revision } = await client.users.show(userId)
    await client.users.update(userId, {}, { ifMatch: revision })
    await client.users.update(userId, {}, { ifMatch: '*' })
    assert.deepEqual(
      received.map(({ headers }) => headers.get('if-match')),
      [null, '"abc"', '*'],
    )
  })

  it('its methods are those that the README lists', () => {
    const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8')
    const listed = readme.matchAll(/^\| `(\w+)` \| ((?:`\w+` ?)+)\|$/gm)
    const told = [...listed].map(([, noun, names = '']) => [noun, [...names.matchAll(/\w+/g)].map(String)])
    const client = Object.entries(new ManagementClient({ url: apiUrl, apiKey }))
    const methods = (calls: object) => Object.getOwnPropertyNames(Object.getPrototypeOf(calls)).slice(1)
    assert.deepEqual(
      told,
      client.map(([noun, calls]) => [noun, methods(calls)]),
    )
  })

  it('a list that is none is an error, not a short list', async () => {
    for (const body of ['', '{}', '[]'])
      await assert.rejects(clientOf([{ body }]).client.users.part(), { code: 'unknown' })
  })

  it('an export that begins is not cut off by the time that an answer may take; one that breaks off is no export', async (context) => {
    const server = createServer((request, response) => {
      response.writeHead(200, { 'content-type': 'application/jsonl' })
      response.write('{"id":"0-1"}\n')
      setTimeout(() => (request.url?.includes('csv') ? response.destroy() : response.end('{"id":"0-2"}\n')), 150)
    })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    context.after(() => server.close())
    const { port } = server.address() as { port: number }
    const { audit } = new ManagementClient({ url: `http://127.0.0.1:${port}`, apiKey, timeoutMs: 100 })
    assert.equal(await text(await audit.export()), '{"id":"0-1"}\n{"id":"0-2"}\n')
    await assert.rejects(text(await audit.export({ format: 'csv' })))
  })

  it('an export that is refused is a CountersignError; without a key there is no authorization', async () => {
    await assert.rejects(clientOf([refusal(403, 'api.error.forbidden')]).client.audit.export(), {
      code: 'api.error.forbidden',
    })
    const { fetch, received } = scriptedFetch([{ body: { administrator: {} } }])
    await new ManagementClient({ url: apiUrl, fetch }).signIn.create('secret')
    assert.equal(received[0]?.headers.get('authorization'), null)
  })
})
