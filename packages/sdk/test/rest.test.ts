import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:http'
import { suite, test } from 'node:test'
import { CountersignClient, CountersignError } from '@countersign/sdk/rest.ts'
import { type Answer, type Received, scriptedFetch } from './support.ts'

const url = 'https://api.example.org'
const apiKey = 'k'.repeat(64)
const [domainId, userId, sid] = ['d', 'a', '5'].map((digit) => digit.repeat(40)) as [string, string, string]
const lost = new TypeError('fetch failed')

suite('requests', () => {
  const calls: [string, (client: CountersignClient) => Promise<unknown>, body?: object][] = [
    ['GET /api/ping', (client) => client.ping()],
    ['GET /api/organization', (client) => client.organization()],
    ['POST /api/users', (client) => client.createUser({ username: 'jane' }), { username: 'jane' }],
    [`GET /api/users/${userId}`, (client) => client.getUser(userId)],
    [`PUT /api/users/${userId}`, (client) => client.updateUser(userId, { name: 'Jane' }), { name: 'Jane' }],
    [`DELETE /api/users/${userId}`, (client) => client.deleteUser(userId)],
    [`GET /api/domains/${domainId}`, (client) => client.getDomain(domainId)],
    [`GET /api/domains/${domainId}/users/${userId}`, (client) => client.getMember(domainId, userId)],
    [`PUT /api/domains/${domainId}/users/${userId}`, (client) => client.addMember(domainId, userId)],
    [`DELETE /api/domains/${domainId}/users/${userId}`, (client) => client.removeMember(domainId, userId)],
    [`PUT /api/domains/${domainId}/users`, (client) => client.replaceMembers(domainId, []), []],
    [`PUT /api/domains/${domainId}/users/${userId}/token`, (client) => client.createToken(domainId, userId)],
    [`GET /api/domains/${domainId}/users/${userId}/token`, (client) => client.getToken(domainId, userId)],
    [`DELETE /api/domains/${domainId}/users/${userId}/token`, (client) => client.revokeToken(domainId, userId)],
    [
      `POST /api/domains/${domainId}/sessions`,
      (client) => client.createSession(domainId, { user: { username: 'jane' }, numberMatching: true }),
      { user: { username: 'jane' }, numberMatching: true },
    ],
    [`GET /api/domains/${domainId}/sessions/${sid}`, (client) => client.getSession(domainId, sid)],
    [`DELETE /api/domains/${domainId}/sessions/${sid}`, (client) => client.cancelSession(domainId, sid)],
  ]
  for (const [line, call, body] of calls) {
    test(line, async () => {
      const { client, received } = clientOf([{ body: { ok: true } }])
      assert.deepEqual(await call(client), { ok: true })
      const [request] = received
      assert.equal(`${request?.method} ${request?.url.pathname}`, line)
      assert.equal(request?.headers.get('authorization'), `LoginTC key="${apiKey}"`)
      assert.equal(request?.body, body ? JSON.stringify(body) : '')
      const kind = /^(GET|POST).*\/sessions/.test(line) ? 'countersign' : 'logintc'
      assert.equal(request?.headers.get('accept'), `application/vnd.${kind}.v1+json`)
    })
  }

  test('an empty body is undefined', async () => {
    assert.equal(await clientOf([{ body: '' }]).client.deleteUser(userId), undefined)
  })

  test('an id that would leave its place in the path is refused', async () => {
    const { client, received } = clientOf([])
    for (const bad of ['../../x', '', `${userId}/token`, 'a'.repeat(39)])
      assert.throws(() => client.getUser(bad), TypeError)
    assert.equal(received.length, 0)
  })

  test('a user is found by the very name', async () => {
    const { client, received } = clientOf([{ body: { id: userId } }, refusal(404, 'api.error.notfound.user')])
    assert.equal((await client.findUser('j+d & \u00eb=/?#'))?.id, userId)
    assert.equal(received[0]?.url.search, '?username=j%2Bd%20%26%20%C3%AB%3D%2F%3F%23')
    assert.equal(await client.findUser('nobody'), undefined)
    await assert.rejects(clientOf([refusal(401, 'api.error.unauthorized')]).client.findUser('x'), { status: 401 })
  })
})

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

  test('pages are fetched as they are needed', async () => {
    const { client, received } = clientOf([{ body: page('a', 'b'), ...next }])
    for await (const _ of client.users()) break
    assert.equal(received.length, 1)
  })
})

suite('errors and repetition', () => {
  test('a refusal has status, code, message and Retry-After', async () => {
    const answer = { ...refusal(429, 'api.error.toomanyrequests'), headers: { 'retry-after': '30' } }
    await assert.rejects(clientOf([answer]).client.ping(), (error) => {
      assert.ok(error instanceof CountersignError)
      const { status, code, message, retryAfterSeconds } = error
      assert.deepEqual([status, code, message, retryAfterSeconds], [429, 'api.error.toomanyrequests', 'a sentence', 30])
      return true
    })
  })

  test('what is not JSON is an error, too', async () => {
    await assert.rejects(clientOf([{ status: 404, body: '<html>' }]).client.ping(), { status: 404, code: 'unknown' })
    await assert.rejects(clientOf([{ body: '<html>' }]).client.ping(), { code: 'unknown' })
  })

  test('GET, PUT and DELETE are repeated after no answer and after 503', async () => {
    const answers = [lost, refusal(503, 'api.error.unavailable'), { body: { status: 'OK' } }]
    for (const call of [
      (client: CountersignClient) => client.ping(),
      (client: CountersignClient) => client.createToken(domainId, userId),
      (client: CountersignClient) => client.revokeToken(domainId, userId),
    ]) {
      const { client, received } = clientOf(answers)
      await call(client)
      assert.equal(received.length, 3)
    }
  })

  test('after the last repetition the error is the network\u2019s', async () => {
    const { client, received } = clientOf([lost, lost, lost])
    await assert.rejects(client.ping(), { status: 0, code: 'network', cause: lost })
    assert.equal(received.length, 3)
  })

  test('a repeated DELETE that finds nothing has done its work; a first one has not', async () => {
    const gone = refusal(404, 'api.error.notfound.token')
    await clientOf([lost, gone]).client.revokeToken(domainId, userId)
    await assert.rejects(clientOf([gone]).client.revokeToken(domainId, userId), { code: 'api.error.notfound.token' })
  })

  test('POST is not repeated, so that nobody gets two requests', async () => {
    for (const answer of [lost, refusal(503, 'api.error.unavailable')]) {
      const { client, received } = clientOf([answer])
      await assert.rejects(client.createSession(domainId, { user: { id: userId } }), CountersignError)
      assert.equal(received.length, 1)
    }
  })

  test('POST is repeated when the connection was refused', async () => {
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

suite('waitForSession', () => {
  const pending = { body: { id: sid, state: 'pending' } }

  test('asks with the long poll and returns the verdict', async () => {
    const { client, received } = clientOf([{ body: { id: sid, state: 'approved' } }])
    assert.equal((await client.waitForSession(domainId, sid)).state, 'approved')
    assert.equal(received[0]?.url.search, '?wait=25')
    assert.equal(received[0]?.headers.get('accept'), 'application/vnd.countersign.v1+json')
  })

  test('a server that answers at once is asked each second', async () => {
    const times: number[] = []
    const noting = (answer: Answer) => () => {
      times.push(Date.now())
      return answer
    }
    const { client } = clientOf([noting(pending), noting(pending), noting({ body: { id: sid, state: 'denied' } })])
    assert.equal((await client.waitForSession(domainId, sid)).state, 'denied')
    const gaps = times.slice(1).map((time, index) => time - (times[index] ?? 0))
    assert.ok(
      gaps.every((gap) => gap > 900),
      `gaps: ${gaps}`,
    )
  })

  test('after the time-out the session is returned as it is', async () => {
    const { client, received } = clientOf([pending, pending, pending])
    assert.equal((await client.waitForSession(domainId, sid, { timeoutMs: 1200 })).state, 'pending')
    assert.equal(received[0]?.url.search, '?wait=2')
  })

  test('an abort ends the wait with its reason', async () => {
    const reason = new Error('enough')
    const { client } = clientOf([pending, pending])
    const wait = client.waitForSession(domainId, sid, { signal: AbortSignal.timeout(100) })
    await assert.rejects(wait, { name: 'TimeoutError' })
    const aborted = clientOf([pending]).client.waitForSession(domainId, sid, { signal: AbortSignal.abort(reason) })
    await assert.rejects(aborted, reason)
  })
})

function clientOf(answers: (Answer | ((request: Received) => Answer))[]) {
  const { fetch, received } = scriptedFetch(answers)
  return { client: new CountersignClient({ url, apiKey, fetch, retryDelaysMs: [0, 0] }), received }
}

function refusal(status: number, code: string): Answer {
  return { status, body: { errors: [{ code, message: 'a sentence' }] } }
}

async function namesOf(users: AsyncIterable<{ username: string }>): Promise<string[]> {
  const names: string[] = []
  for await (const { username } of users) names.push(username)
  return names
}
