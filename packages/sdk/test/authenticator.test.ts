// The authenticator against a real server.
import assert from 'node:assert/strict'
import { after, before, beforeEach, test } from 'node:test'
import { Authenticator, type SignInRequest, type StoredToken, type Unlock } from '@countersign/sdk/device.ts'
import { CountersignClient, type NewSession } from '@countersign/sdk/rest.ts'
import { onEveryEngine } from '../../server/test/support/engines.ts'
import { startTestServer, type TestServer } from '../../server/test/support/server.ts'
import { openStore } from './support.ts'

const device = { name: 'Phone', platform: 'test', app: 'test/1', persisted: true }

onEveryEngine((engine) => {
  let server: TestServer
  let client: CountersignClient
  before(async () => {
    server = await startTestServer(engine)
    client = new CountersignClient({ url: server.apiUrl, apiKey: server.acme.apiKey })
  })
  after(() => server.stop())
  beforeEach(() => server.clock.advance(3_600_000))

  test('a token is activated, and approves a request that says who asks for what', async () => {
    const { authenticator, token } = await enrol('none')
    const { sid, verdict } = await ask(token, {
      attributes: [{ key: 'Application', value: 'Zoe\u0308\u202e' }],
      ipAddress: '203.0.113.7',
    })
    const request = await requestOf(authenticator)
    const { domain, user, ip, attrs, unlock, match } = request.challenge
    assert.deepEqual([request.sid, domain.name, user, ip], [sid, 'Acme VPN', 'alice', '203.0.113.7'])
    assert.deepEqual([attrs, unlock, match], [[{ k: 'Application', v: 'Zo\u00eb' }], 'none', { type: 'none' }])
    assert.deepEqual(await authenticator.approve(request), { sid, state: 'approved' })
    assert.equal(await verdict(), 'approved')
    assert.deepEqual((await authenticator.sync()).requests, [])
  })

  test('a PIN and the number on the screen approve; wrong ones do not', async () => {
    const { authenticator, token } = await enrol({ pin: '482913' })
    const { verdict, number = '' } = await ask(token, { numberMatching: true })
    const request = await requestOf(authenticator)
    const wrong = number === '000000' ? '000001' : '000000'
    await assert.rejects(authenticator.approve(request, { pin: '482914', number }), {
      code: 'factor_failed',
      remaining: 4,
    })
    await assert.rejects(authenticator.approve(request, { pin: '482913', number: wrong }), {
      code: 'number_mismatch',
      remaining: 2,
    })
    assert.equal(await verdict(), 'pending')
    await authenticator.approve(request, { pin: '\uff14\uff18\uff12\uff19\uff11\uff13', number })
    assert.equal(await verdict(), 'approved')
  })

  test('T08 four wrong PINs and a right one begin anew; five revoke the token', async () => {
    const { authenticator, token, store } = await enrol({ pin: '482913' })
    const first = await ask(token)
    const request = await requestOf(authenticator)
    for (const remaining of [4, 3, 2, 1])
      await assert.rejects(authenticator.approve(request, { pin: '000000' }), { code: 'factor_failed', remaining })
    await authenticator.approve(request, { pin: '482913' })
    assert.equal(await first.verdict(), 'approved')
    const second = await ask(token)
    const next = await requestOf(authenticator)
    for (const remaining of [4, 3, 2, 1, 0])
      await assert.rejects(authenticator.approve(next, { pin: '000000' }), { code: 'factor_failed', remaining })
    assert.deepEqual([await first.verdict(), await second.verdict()], ['denied', 'denied'])
    await assert.rejects(authenticator.approve(next, { pin: '482913' }), { code: 'token_revoked' })
    assert.equal(store.tokens.size, 0)
  })

  test('T10 a lost answer is sent again and counts once; so does a wrong PIN', async () => {
    const { authenticator, token, network } = await enrol({ pin: '482913' })
    const { verdict } = await ask(token)
    const request = await requestOf(authenticator)
    network.loseReplies = 2
    await assert.rejects(authenticator.approve(request, { pin: '000000' }), { code: 'factor_failed', remaining: 4 })
    network.loseReplies = 2
    assert.equal((await authenticator.approve(request, { pin: '482913' })).state, 'approved')
    assert.equal(await verdict(), 'approved')
    assert.deepEqual(network.bodies.slice(-3), Array(3).fill(network.bodies.at(-1)))
  })

  test('T11 an answer to one request does not open another', async () => {
    const { authenticator, token } = await enrol('none')
    const [first, second] = [await ask(token), await ask(token)]
    const { requests } = await authenticator.sync()
    assert.deepEqual(
      requests.map(({ suspicious }) => suspicious),
      [true, true],
    )
    const [one, two] = requests as [SignInRequest, SignInRequest]
    await assert.rejects(authenticator.approve({ ...two, hash: one.hash }), { code: 'challenge_mismatch' })
    await assert.rejects(authenticator.approve({ ...one, sid: '0'.repeat(40) }), { code: 'unknown_session' })
    assert.deepEqual([await first.verdict(), await second.verdict()], ['pending', 'pending'])
  })

  test('a request is denied, by mistake or as a fraud that suspends the token', async () => {
    const { authenticator, token } = await enrol('none')
    const mistake = await ask(token)
    assert.equal((await authenticator.deny(await requestOf(authenticator), 'mistake')).state, 'denied')
    assert.equal(await mistake.verdict(), 'denied')
    const fraud = await ask(token)
    await authenticator.deny(await requestOf(authenticator), 'not_me')
    assert.deepEqual([await fraud.verdict(), await (await ask(token)).verdict()], ['denied', 'denied'])
  })

  test('a cancelled request is closed on the device, while it waits', async () => {
    const { authenticator, token } = await enrol('none')
    const { sid } = await ask(token)
    await requestOf(authenticator)
    const poll = authenticator.sync({ waitSeconds: 20 })
    await client.cancelSession(token.domain.id, sid)
    const { closed, requests } = await poll
    assert.deepEqual([closed.map(({ state }) => state), requests], [['cancelled'], []])
  })

  test('a poll hears of a request as soon as it is made', async () => {
    const { authenticator, token } = await enrol('none')
    const poll = authenticator.sync({ waitSeconds: 20 })
    const { sid } = await ask(token)
    assert.deepEqual(
      (await poll).requests.map((request) => request.sid),
      [sid],
    )
  })

  test('after a change of PIN the new one approves and the old one does not', async () => {
    const { authenticator, token, network } = await enrol({ pin: '482913' })
    await assert.rejects(authenticator.changeFactor(token.tid, { oldPin: '1111', pin: '739104' }), {
      code: 'factor_failed',
    })
    network.loseReplies = 1
    await authenticator.changeFactor(token.tid, { oldPin: '482913', pin: '739104' })
    const { verdict } = await ask(token)
    const request = await requestOf(authenticator)
    await assert.rejects(authenticator.approve(request, { pin: '482913' }), { code: 'factor_failed', remaining: 4 })
    await authenticator.approve(request, { pin: '739104' })
    assert.equal(await verdict(), 'approved')
  })

  test('after a rotation the new key signs and the old one does not', async () => {
    const { authenticator, token } = await enrol({ pin: '482913' })
    const old = authenticatorOf([token])
    await authenticator.rotateKey(token.tid, { pin: '482913' })
    const { verdict } = await ask(token)
    assert.deepEqual((await old.authenticator.sync()).failed, [{ tid: token.tid, code: 'bad_signature' }])
    await authenticator.approve(await requestOf(authenticator), { pin: '482913' })
    assert.equal(await verdict(), 'approved')
  })

  test('a rotation whose reply was lost is found out at once, or at the next operation', async () => {
    for (const loseReplies of [1, 6]) {
      const { authenticator, token, network, store } = await enrol('none')
      network.loseReplies = loseReplies
      const rotation = authenticator.rotateKey(token.tid)
      if (loseReplies === 1) await rotation
      else await assert.rejects(rotation, { code: 'network' })
      assert.equal(store.tokens.get(token.tid)?.nextKey !== undefined, loseReplies !== 1)
      assert.equal((await authenticator.sync()).tokens.length, 1)
      const { key, nextKey } = store.tokens.get(token.tid) as StoredToken
      assert.notDeepEqual(key.jwk, token.key.jwk)
      assert.equal(nextKey, undefined)
    }
  })

  test('a rotation that never arrived leaves the old key, and the same new one is offered again', async () => {
    const { authenticator, token, network, store } = await enrol('none')
    network.loseRequests = 4
    await assert.rejects(authenticator.rotateKey(token.tid), { code: 'network' })
    const offered = store.tokens.get(token.tid)?.nextKey?.key
    assert.equal((await authenticator.sync()).tokens.length, 1)
    await authenticator.rotateKey(token.tid)
    assert.deepEqual(store.tokens.get(token.tid)?.key, offered)
  })

  test('a lost finish is repeated identically and answered alike', async () => {
    const { store, network } = await enrol('none', { loseReplies: 2 })
    assert.deepEqual(
      [...store.tokens.values()].map(({ state }) => state),
      ['active'],
    )
    assert.equal(new Set(network.bodies.slice(-3)).size, 1)
  })

  test('a crash between finish and its answer: the keys are there, and sync finds the token active', async () => {
    const { authenticator, store, network, finish } = await prepare('none')
    network.loseReplies = 3
    await assert.rejects(finish(), { code: 'network' })
    assert.deepEqual(
      [...store.tokens.values()].map(({ state }) => state),
      ['activating'],
    )
    const [record] = await store.load()
    const restarted = authenticatorOf(record ? [record] : [])
    assert.equal((await restarted.authenticator.sync()).tokens.length, 1)
    assert.deepEqual((await authenticator.tokens()).length, 1)
  })

  test('T32 what is removed on the device is revoked on the server', async () => {
    const { authenticator, token, store, network } = await enrol('none')
    network.loseReplies = 1
    await authenticator.remove(token.tid)
    assert.equal(store.tokens.size, 0)
    await assert.rejects(client.getToken(token.domain.id, server.acme.alice), { code: 'api.error.notfound.token' })
  })

  test('T32 what is revoked on the server is erased on the device, while it waits', async () => {
    const { authenticator, token, store } = await enrol('none')
    const poll = authenticator.sync({ waitSeconds: 20 })
    await client.revokeToken(token.domain.id, server.acme.alice)
    assert.deepEqual(
      (await poll).revoked.map(({ tid }) => tid),
      [token.tid],
    )
    assert.equal(store.tokens.size, 0)
  })

  test('T26 a device whose clock is wrong works after one correction', async () => {
    const { token } = await enrol('none')
    const { authenticator, store } = authenticatorOf([token], 20 * 60_000)
    assert.equal((await authenticator.sync()).tokens.length, 1)
    assert.equal(store.tokens.get(token.tid)?.clockOffsetSeconds, -1200)
    const { verdict } = await ask(token)
    await authenticator.approve(await requestOf(authenticator))
    assert.equal(await verdict(), 'approved')
  })

  test('a used code and a wrong name are refused alike', async () => {
    const { authenticator, token, code } = await enrol('none')
    await assert.rejects(authenticator.begin(code, { username: 'alice' }), { code: 'activation_failed', status: 400 })
    await client.revokeToken(token.domain.id, server.acme.alice)
    const issued = await client.createToken(token.domain.id, server.acme.alice)
    assert.ok(issued.state === 'pending')
    await assert.rejects(authenticator.begin(issued.code, { username: 'bob' }), {
      code: 'activation_failed',
      status: 400,
    })
    assert.equal((await authenticator.begin(issued.code, { username: 'ALICE@example.org' })).user, 'alice')
  })

  test('two tokens are asked for together', async () => {
    const first = await enrol('none')
    const second = await enrol({ pin: '482913' })
    const { authenticator } = authenticatorOf([first.token, second.token])
    const asked = await ask(second.token)
    const { tokens, requests } = await authenticator.sync()
    assert.deepEqual([tokens.length, requests.map(({ sid }) => sid)], [2, [asked.sid]])
  })

  async function enrol(unlock: Unlock, trouble: Partial<Network> = {}) {
    const prepared = await prepare(unlock)
    Object.assign(prepared.network, trouble)
    return { ...prepared, token: await prepared.finish() }
  }

  async function prepare(unlock: Unlock) {
    const domainId = unlock === 'none' ? server.acme.domainId : server.acme.pinDomainId
    await client.revokeToken(domainId, server.acme.alice).catch(() => {}) // the first test has none
    const issued = await client.createToken(domainId, server.acme.alice)
    assert.ok(issued.state === 'pending')
    const parts = authenticatorOf([])
    const pending = await parts.authenticator.begin(issued.code, { username: 'Alice' })
    return { ...parts, code: issued.code, finish: () => parts.authenticator.finish(pending, { unlock, device }) }
  }

  function authenticatorOf(tokens: StoredToken[], clockErrorMs = 0) {
    const store = openStore(structuredClone(tokens))
    const network = troubledNetwork()
    const authenticator = new Authenticator({
      server: server.deviceUrl,
      store,
      fetch: network.fetch,
      now: () => server.clock.now() + clockErrorMs,
      retryDelaysMs: [0, 0],
    })
    return { authenticator, store, network }
  }

  async function ask(token: StoredToken, more: Omit<NewSession, 'user'> = {}) {
    const domainId = token.domain.id
    const { id: sid, number } = await client.createSession(domainId, { user: { username: 'alice' }, ...more })
    return { sid, number, verdict: async () => (await client.getSession(domainId, sid)).state }
  }
})

async function requestOf(authenticator: Authenticator): Promise<SignInRequest> {
  const { requests } = await authenticator.sync()
  assert.equal(requests.length, 1)
  return requests[0] as SignInRequest
}

interface Network {
  /** so many requests get through, but their answers do not */
  loseReplies: number
  /** so many requests do not get through */
  loseRequests: number
  /** what was sent */
  bodies: string[]
  fetch: typeof fetch
}

function troubledNetwork(): Network {
  const network: Network = {
    loseReplies: 0,
    loseRequests: 0,
    bodies: [],
    fetch: async (input, init) => {
      network.bodies.push(String(init?.body ?? ''))
      if (network.loseRequests-- > 0) throw new TypeError('fetch failed')
      const response = await fetch(input, init)
      if (network.loseReplies-- > 0) throw new TypeError('fetch failed')
      return response
    },
  }
  return network
}
