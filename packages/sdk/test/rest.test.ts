// Lists, errors and repetitions.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:http'
import { suite, test } from 'node:test'
import { CountersignClient, CountersignError } from '@countersign/sdk/rest.ts'
import { pauseMs } from '../src/retry.ts'
import { apiKey, apiUrl, clientOf, domainId, refusal, scriptedFetch, sid, userId } from './support.ts'

const lost = new TypeError('fetch failed')

suite('lists', () => {
  const page = (...names: string[]) => names.map((username) => ({ username }))
  const next = { headers: { link: '<https://api.example.org/api/users?page=2>; rel="next"' } }

  test('pages are followed by their Link', async () => {
    const { client, received } = clientOf([{ body: page('a', 'b'), ...next }, { body: page('c') }])
    assert.deepEqual(await namesOf(client.users()), ['a', 'b', 'c'])
    assert.deepEqual(
      received.map(({ url }) => url.search),
      ['?page=1', '?page=2'],
    )
  })

  test('without a Link the first empty page is the end', async () => {
    const { client, received } = clientOf([{ body: page('a') }, { body: page('b') }, { body: [] }])
    assert.deepEqual(await namesOf(client.members(domainId)), ['a', 'b'])
    assert.equal(received[2]?.url.pathname, `/api/domains/${domainId}/users`)
  })

  test('a single page can be had, too', async () => {
    const { client, received } = clientOf([{ body: page('c') }, { body: page('d') }])
    assert.deepEqual([...(await client.getUsersPage(3)), ...(await client.getMembersPage(domainId, 4))], page('c', 'd'))
    assert.deepEqual(
      received.map(({ url }) => url.pathname + url.search),
      ['/api/users?page=3', `/api/domains/${domainId}/users?page=4`],
    )
  })

  test('pages are fetched as they are needed', async () => {
    const { client, received } = clientOf([{ body: page('a', 'b'), ...next }])
    for await (const _ of client.users()) break
    assert.equal(received.length, 1)
  })
})

suite('the client', () => {
  test('an address or a key that cannot be one is refused at once, and never sent', () => {
    for (const bad of ['', 'short', `${apiKey}\n`, `${apiKey}"`])
      assert.throws(() => new CountersignClient({ url: apiUrl, apiKey: bad }), TypeError)
    assert.throws(() => new CountersignClient({ url: 'mfa.example.org', apiKey }), TypeError)
  })

  test('fetch is called as browsers want it: not as a method', async () => {
    const { fetch } = scriptedFetch([{ body: { status: 'OK' } }])
    const strict: typeof fetch = function (this: unknown, ...request) {
      assert.equal(this, undefined)
      return fetch(...request)
    }
    assert.deepEqual(await new CountersignClient({ url: apiUrl, apiKey, fetch: strict }).ping(), { status: 'OK' })
  })
})

suite('errors and repetition', () => {
  test('a refusal has status, code, message and Retry-After', async () => {
    const body = { errors: [{ code: 'api.error.toomanyrequests', message: 'a sentence' }] }
    const answer = { status: 429, body, headers: { 'retry-after': '30' } }
    await assert.rejects(clientOf([answer]).client.ping(), (error) => {
      assert.ok(error instanceof CountersignError)
      const { status, code, message, retryAfterSeconds } = error
      assert.deepEqual([status, code, message, retryAfterSeconds], [429, 'api.error.toomanyrequests', 'a sentence', 30])
      return true
    })
  })

  test('a list that is none is an error, not a short list', async () => {
    for (const body of ['', '{}', '<html>']) {
      await assert.rejects(namesOf(clientOf([{ body }]).client.users()), { code: 'unknown' })
      await assert.rejects(clientOf([{ body }]).client.getUsersPage(1), { code: 'unknown' })
    }
  })

  test('what is not JSON is an error, too', async () => {
    await assert.rejects(clientOf([{ status: 404, body: '<html>' }]).client.ping(), { status: 404, code: 'unknown' })
    await assert.rejects(clientOf([{ body: '<html>' }]).client.ping(), { code: 'unknown' })
  })

  test('GET, PUT and DELETE are repeated after no answer, after 503, and when a proxy has no server', async () => {
    const answers = [lost, refusal(503, 'api.error.unavailable'), { status: 502, body: '<html>' }, { body: {} }]
    for (const call of [
      (client: CountersignClient) => client.ping(),
      (client: CountersignClient) => client.createToken(domainId, userId),
      (client: CountersignClient) => client.revokeToken(domainId, userId),
    ]) {
      const { client, received } = clientOf(answers)
      await call(client)
      assert.equal(received.length, 4)
    }
  })

  test('no other refusal is repeated', async () => {
    for (const status of [400, 401, 403, 404, 429, 500]) {
      const { client, received } = clientOf([refusal(status, 'api.error.any')])
      await assert.rejects(client.ping(), { status })
      assert.equal(received.length, 1)
    }
  })

  test('Retry-After is waited for, in seconds or as a date, unless it asks for more patience than a call has', async () => {
    const inSeconds = (value: string) => ({
      ...refusal(503, 'api.error.unavailable'),
      headers: { 'retry-after': value },
    })
    const soon = clientOf([inSeconds('1'), { body: {} }])
    const start = performance.now()
    await soon.client.ping()
    assert.ok(performance.now() - start >= 990)
    for (const late of ['11', new Date(Date.now() + 3_600_000).toUTCString()]) {
      const { client, received } = clientOf([inSeconds(late)])
      await assert.rejects(client.ping(), (error: CountersignError) => (error.retryAfterSeconds ?? 0) > 10)
      assert.equal(received.length, 1)
    }
    const senseless = clientOf([inSeconds('soon'), { body: {} }])
    await senseless.client.ping()
  })

  test('clients that were refused together do not come back together', () => {
    const pauses = Array.from({ length: 200 }, () => pauseMs(1000, 2))
    assert.ok(Math.min(...pauses) >= 2500 && Math.max(...pauses) <= 3000)
    assert.ok(Math.max(...pauses) - Math.min(...pauses) > 100)
  })

  test('after the last repetition the error is the network\u2019s', async () => {
    const { client, received } = clientOf([lost, lost, lost, lost])
    await assert.rejects(client.ping(), { status: 0, code: 'network', cause: lost })
    assert.equal(received.length, 4)
  })

  test('a repeated DELETE that finds nothing has done its work; a first one has not', async () => {
    const gone = refusal(404, 'api.error.notfound.token')
    await clientOf([lost, gone]).client.revokeToken(domainId, userId)
    await assert.rejects(clientOf([gone]).client.revokeToken(domainId, userId), { code: 'api.error.notfound.token' })
  })

  test('POST is not repeated after an answer, or after a connection that was lost, so that nobody gets two requests', async () => {
    for (const answer of [lost, refusal(503, 'api.error.unavailable'), coded('ECONNRESET'), coded('ETIMEDOUT')]) {
      const { client, received } = clientOf([answer])
      await assert.rejects(client.createSession(domainId, { user: { id: userId } }), CountersignError)
      assert.equal(received.length, 1)
    }
  })

  test('POST is repeated where it was never sent', async () => {
    for (const code of ['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'UND_ERR_CONNECT_TIMEOUT']) {
      const { client, received } = clientOf([coded(code), { body: { id: sid } }])
      await client.createSession(domainId, { user: { id: userId } })
      assert.equal(received.length, 2)
    }
    const mixed = clientOf([new AggregateError([coded('ECONNREFUSED'), coded('ECONNRESET')])])
    await assert.rejects(mixed.client.createUser({ username: 'jane' }), { code: 'network' })
    assert.equal(mixed.received.length, 1)
  })

  test('POST is repeated when a server is there again', async () => {
    const server = createServer((_, response) => response.end('{"id":"x"}'))
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    const port = (server.address() as { port: number }).port
    await new Promise((closed) => server.close(closed))
    const client = new CountersignClient({ url: `http://127.0.0.1:${port}`, apiKey, retryDelaysMs: [200, 200, 200] })
    setTimeout(() => server.listen(port, '127.0.0.1'), 100)
    assert.deepEqual(await client.createUser({ username: 'jane' }), { id: 'x' })
    server.closeAllConnections()
    server.close()
  })
})

async function namesOf(users: AsyncIterable<{ username: string }>): Promise<string[]> {
  const names: string[] = []
  for await (const { username } of users) names.push(username)
  return names
}

function coded(code: string): Error {
  return new TypeError('fetch failed', { cause: Object.assign(new Error(code), { code }) })
}
