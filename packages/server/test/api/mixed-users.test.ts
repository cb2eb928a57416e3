import assert from 'node:assert/strict'
import { after, before, it } from 'node:test'
import { onEveryEngine } from '../support/engines.ts'
import { startTestServer, type TestServer } from '../support/server.ts'
import { Wire } from '../support/wire.ts'

const crowd = 500

onEveryEngine((engine) => {
  let server: TestServer
  before(async () => {
    server = await startTestServer(engine)
  })
  after(() => server.stop())

  it('A42 500 users at once, on a connection each, are answered with what is theirs', async () => {
    const everyone = Array.from({ length: crowd }, (_, index) => `one-of-many-${index}`)
    const seen = await Promise.all(everyone.map(live))
    assert.equal(new Set(seen.map(({ id }) => id)).size, crowd)
    assert.equal(new Set(seen.map(({ code }) => code)).size, crowd)
  })

  /** What one user is answered, each time sending several requests before reading: all of it must be about that user. */
  async function live(username: string): Promise<{ id: string; code: string }> {
    const wire = await Wire.open(server.apiUrl)
    const { apiKey, domainId } = server.acme
    const send = (method: string, path: string, { body = '', key = apiKey } = {}) =>
      wire.send(
        `${method} ${path} HTTP/1.1\r\nAuthorization: LoginTC key="${key}"\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
      )
    const read = async () => {
      const { status, body } = await wire.answer()
      return { status, json: body === '' ? {} : JSON.parse(body) }
    }
    const email = `${username}@example.org`
    send('POST', '/api/users', { body: JSON.stringify({ username, email }) })
    const { json: user } = await read()
    assert.deepEqual([user.username, user.email], [username, email])

    const path = `/api/domains/${domainId}/users/${user.id}`
    send('GET', `/api/users?username=${username.toUpperCase()}`)
    send('GET', `/api/users/${user.id}`, { key: server.other.apiKey })
    send('PUT', path)
    send('GET', `/api/users/${user.id}`)
    assert.equal((await read()).json.id, user.id)
    assert.equal((await read()).status, 404)
    assert.equal((await read()).status, 200)
    assert.equal((await read()).json.username, username)

    send('PUT', `${path}/token`)
    const { json: token } = await read()
    send('GET', path)
    send('GET', `${path}/token`)
    assert.deepEqual((await read()).json, { ...user, domains: [domainId] })
    assert.deepEqual((await read()).json, token)
    wire.close()
    return { id: user.id, code: token.code }
  }
})
