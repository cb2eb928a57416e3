import assert from 'node:assert/strict'
import { after, before, it } from 'node:test'
import type { Storage } from '../../src/storage/storage.ts'
import { TestDevice } from '../support/device.ts'
import { onEveryEngine } from '../support/engines.ts'
import { countersign, newDomain, newUser, refusal } from '../support/phones.ts'
import { type Reply, startTestServer, type TestServer } from '../support/server.ts'
import { sql } from '../support/sql.ts'

const failed = { status: 400, code: 'activation_failed' }
const malformed = { status: 400, code: 'malformed' }

onEveryEngine((engine) => {
  let server: TestServer
  let afterLookUp: (() => Promise<unknown>) | undefined
  before(async () => {
    server = await startTestServer(engine, { storage: interrupted })
  })
  after(() => server.stop())

  it('shows what the code would activate, to whoever knows the user name', async () => {
    const { code, username, token } = await issue()
    const { status, body } = await begin({ code, username })
    assert.equal(status, 200)
    const { aid, nonce, tid, ...rest } = body
    assert.equal(Buffer.from(aid, 'base64url').length, 16)
    assert.equal(Buffer.from(nonce, 'base64url').length, 32)
    assert.match(tid, /^[0-9a-f]{40}$/)
    const time = server.clock.now() / 1000
    assert.deepEqual(rest, {
      expires: time + 600,
      time,
      server: { name: 'Countersign' },
      domain: { id: server.acme.domainId, name: 'Acme VPN' },
      user: username,
      policy: { unlock: ['none'], minLength: 4, maxAllowedRetries: 5, poll: true, rev: 1 },
    })
    assert.equal((await server.call('GET', token)).body.code, code, 'the code is not consumed')
  })

  it('tells the device what the domain asks of it', async () => {
    const domainId = await newDomain(server, {
      keyType: 'PASSCODE',
      maxAllowedRetries: 3,
      requestPollingEnabled: false,
    })
    const { code, username } = await issue(domainId)
    const { body } = await begin({ code, username })
    const expected = { unlock: ['pin'], kind: 'passcode', minLength: 8, maxAllowedRetries: 3, poll: false, rev: 1 }
    assert.deepEqual(body.policy, expected)
  })

  it('reads codes and names as people type them', async () => {
    const { code, username } = await issue()
    const typed = [
      { code: code.toUpperCase(), username },
      { code: `${code.slice(0, 5)}-${code.slice(5)}`, username },
      { code: ` ${[...code].join(' ')} `, username },
      { code: code.replaceAll('0', 'O').replaceAll('1', 'l'), username },
      { code: code.replaceAll('0', 'o').replaceAll('1', 'I'), username },
      { code, username: username.toUpperCase() },
      { code, username: `${username}@example.org` },
      { code, username: `${username}@EXAMPLE.org`.toUpperCase() },
      { code, username: username.replace('user', 'ｕｓｅｒ') },
    ]
    for (const entry of typed) assert.equal((await begin(entry)).status, 200, JSON.stringify(entry))
  })

  it('compares e-mail addresses without case, however they were written down', async () => {
    const { body: user } = await server.call('POST', '/api/users', {
      body: { username: 'zoe', email: 'Zoe.Doe@Example.org' },
    })
    await server.call('PUT', `/api/domains/${server.acme.domainId}/users/${user.id}`)
    const { body } = await server.call('PUT', `/api/domains/${server.acme.domainId}/users/${user.id}/token`)
    for (const username of ['Zoe.Doe@Example.org', 'zoe.doe@example.ORG']) {
      assert.equal((await begin({ code: body.code, username })).status, 200, username)
    }
  })

  it('takes the secret of the link instead of a name', async () => {
    const { code, secret, username } = await issue()
    assert.equal((await begin({ code, secret })).body.user, username)
    assert.equal((await begin({ code, secret, username: 'somebody else' })).body.user, username)
  })

  it('a code says nothing to whoever knows neither name nor secret', async () => {
    const { code, username, secret } = await issue()
    const other = await issue()
    const wrong = [
      { code, username: other.username },
      { code, username: '' },
      { code, username: `${username} ` },
      { code, username: 'mallory' },
      { code, secret: other.secret },
      { code, secret: '' },
      { code, secret: secret.toUpperCase() },
      { code: other.code, secret, username },
      { code: code.slice(0, 9), username },
      { code: `${code}0`, username },
      { code: '', username },
      { code, username: `${username}\u200b` },
    ]
    for (const entry of wrong) assert.deepEqual(refusal(await begin(entry)), failed, JSON.stringify(entry))
    assert.equal((await open(username)).length, 0)
    assert.equal((await open(other.username)).length, 0)
  })

  it('a secret counts even where the name beside it is right', async () => {
    const { code, username } = await issue()
    assert.deepEqual(refusal(await begin({ code, username, secret: 'A'.repeat(22) })), failed)
  })

  it('an empty name is nobody’s, also where a user has no e-mail address', async () => {
    const { body: user } = await server.call('POST', '/api/users', { body: { username: 'no.mail' } })
    await server.call('PUT', `/api/domains/${server.acme.domainId}/users/${user.id}`)
    const { body } = await server.call('PUT', `/api/domains/${server.acme.domainId}/users/${user.id}/token`)
    assert.deepEqual(refusal(await begin({ code: body.code, username: '' })), failed)
  })

  it('a code of one organization is not begun with a name of another', async () => {
    const path = `/api/domains/${server.other.domainId}/users/${server.other.mallory}/token`
    const { body } = await server.call('PUT', path, { key: server.other.apiKey })
    assert.deepEqual(refusal(await begin({ code: body.code, username: 'alice' })), failed)
    assert.equal((await begin({ code: body.code, username: 'mallory' })).status, 200)
  })

  it('keeps the five newest activations of a token: a sixth drops the oldest', async () => {
    const { code, username } = await issue()
    const begun: Reply[] = []
    for (let count = 0; count < 6; count++) {
      begun.push(await begin({ code, username }))
      server.clock.advance(1_000)
    }
    assert.equal((await open(username)).length, 5)
    assert.deepEqual(refusal(await finish(begun[0])), failed)
    assert.equal((await finish(begun[1])).status, 200)
    assert.equal((await open(username)).length, 0, 'the others die with the code')
    assert.deepEqual(refusal(await finish(begun[5])), failed)
  })

  it('an activation is open for ten minutes, to the millisecond', async () => {
    const { code, username } = await issue()
    const first = await begin({ code, username })
    const second = await begin({ code, username })
    server.clock.advance(600_000)
    assert.deepEqual(refusal(await finish(first)), failed)
    server.clock.advance(-1)
    assert.equal((await finish(second)).status, 200)
    server.clock.advance(1)
  })

  it('a code that is annulled while it is being looked up begins nothing', async () => {
    const { code, username, token } = await issue()
    afterLookUp = () => server.call('DELETE', token)
    assert.deepEqual(refusal(await begin({ code, username })), failed)
    afterLookUp = undefined
    assert.equal((await open(username)).length, 0)
  })

  it('nonces and activations are stored as hashes', async () => {
    const { code, username } = await issue()
    const { body } = await begin({ code, username })
    const text = JSON.stringify(await open(username))
    assert.ok(!text.includes(body.aid) && !text.includes(body.nonce))
  })

  it('refuses bodies that are not the request of version 1', async () => {
    const { code, username } = await issue()
    const bodies: [body: string | object, refusal: object][] = [
      [
        { v: 2, code, username },
        { status: 400, code: 'unsupported_version', versions: [1] },
      ],
      [{ code, username }, malformed],
      [{ v: '1', code, username }, malformed],
      [{ v: 1, code }, malformed],
      [{ v: 1, username }, malformed],
      [{ v: 1, code: 1, username }, malformed],
      [{ v: 1, code, username: null }, malformed],
      [{ v: 1, code, username, secret: null }, malformed],
      [{ v: 1, code, username, more: 1 }, malformed],
      [[1], malformed],
      ['null', malformed],
      ['', malformed],
      [`{"v":1,"code":"${code}","username":"${username}\\ud800"}`, malformed],
      [`\ufeff{"v":1,"code":"${code}","username":"${username}"}`, malformed],
      [`${'['.repeat(10_000)}`, malformed],
      [`${'['.repeat(8_000)}${']'.repeat(8_000)}`, malformed],
    ]
    for (const [body, expected] of bodies) {
      assert.deepEqual(
        refusal(await server.device('activation/begin', body)),
        expected,
        JSON.stringify(body).slice(0, 80),
      )
    }
  })

  /** A storage in which something else happens between the look-up of a code and what is done with it. */
  function interrupted(storage: Storage): Storage {
    const findByCode: Storage['tokens']['findByCode'] = async (index) => {
      const token = await storage.tokens.findByCode(index)
      await afterLookUp?.()
      return token
    }
    return { ...storage, tokens: { ...storage.tokens, findByCode } }
  }

  /** A user with a pending token. */
  async function issue(domainId = server.acme.domainId) {
    const { userId, username } = await newUser(server)
    await server.call('PUT', `/api/domains/${domainId}/users/${userId}`)
    const token = `/api/domains/${domainId}/users/${userId}/token`
    const { body } = await server.call('PUT', token, { headers: countersign })
    const link = new URLSearchParams(new URL(body.link).hash.slice(1))
    assert.equal(link.get('c'), body.code)
    assert.equal(link.get('u'), username)
    return { code: String(body.code), secret: link.get('s') ?? '', username, token }
  }

  function begin(body: object): Promise<Reply> {
    return server.device('activation/begin', { v: 1, ...body })
  }

  async function finish(begun: Reply | undefined): Promise<Reply> {
    const device = await TestDevice.prepare(server, begun?.body.tid, { username: '', pin: false })
    return server.device('activation/finish', await device.finishMessage(begun?.body))
  }

  function open(username: string) {
    const ofUser = `select t.tid from tokens t join users u on u.id = t.user_id where u.username = ?`
    return sql(server.database, `select * from activations where tid in (${ofUser})`, username)
  }
})
