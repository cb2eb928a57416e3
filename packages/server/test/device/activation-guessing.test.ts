import assert from 'node:assert/strict'
import crypto from 'node:crypto'
import { syncBuiltinESMExports } from 'node:module'
import { after, before, it } from 'node:test'
import { TestDevice } from '../support/device.ts'
import { onEveryEngine } from '../support/engines.ts'
import { countersign, newUser, refusal } from '../support/phones.ts'
import { type Reply, startTestServer, type TestServer } from '../support/server.ts'
import { allAtOnce, type Spy, spyOnStorage } from '../support/spied-storage.ts'

const failed = { status: 400, code: 'activation_failed' }
const limited = { status: 429, code: 'rate_limited' }
const wrongCode = '0000000000'

onEveryEngine((engine) => {
  let server: TestServer
  let spy: Spy
  before(async () => {
    spy = spyOnStorage()
    server = await startTestServer(engine, {
      settings: { COUNTERSIGN_TRUSTED_PROXIES: '127.0.0.1' },
      storage: spy.storage,
    })
  })
  after(() => server.stop())

  it('T01: the thirty-first wrong code from one address, and the right one after it, have to wait', async () => {
    const { code, username, secret } = await issue()
    const from = address()
    for (let tries = 0; tries < 30; tries++) {
      assert.deepEqual(refusal(await begin(from, { code: wrongCode, username: `nobody${tries}` })), failed)
    }
    for (const proof of [
      { code: wrongCode, username: 'nobody' },
      { code, username },
      { code, secret },
    ]) {
      const reply = await begin(from, proof)
      assert.deepEqual(refusal(reply), limited)
      assert.equal(reply.headers.get('retry-after'), '600')
    }
    assert.equal((await begin(address(), { code, username })).status, 200, 'somebody else is not concerned')
    server.clock.advance(599_999)
    assert.deepEqual(refusal(await begin(from, { code, username })), limited)
    server.clock.advance(1)
    assert.equal((await begin(from, { code, username })).status, 200)
  })

  it('T01: wrong secrets count against the address, too, and each further pause is twice as long, up to an hour', async () => {
    const { code } = await issue()
    const from = address()
    for (const pause of [600, 1_200, 2_400, 3_600, 3_600]) {
      const failures = Array.from({ length: 30 }, () => begin(from, { code, secret: 'A'.repeat(22) }))
      for (const reply of await Promise.all(failures)) assert.deepEqual(refusal(reply), failed)
      const reply = await begin(from, { code, secret: 'A'.repeat(22) })
      assert.equal(reply.headers.get('retry-after'), String(pause))
      server.clock.advance(pause * 1_000)
    }
  })

  it('T01: the eleventh try at one name has to wait from any address, known name or not, and the secret still works', async () => {
    const { code, username, secret } = await issue()
    for (const name of [username, 'nobody at all']) {
      for (let tries = 0; tries < 10; tries++) {
        const spelling = tries % 2 ? name.toUpperCase() : name
        assert.deepEqual(refusal(await begin(address(), { code: wrongCode, username: spelling })), failed)
      }
      const reply = await begin(address(), { code, username: name })
      assert.deepEqual(refusal(reply), limited)
      assert.equal(reply.headers.get('retry-after'), '3600')
    }
    assert.equal((await begin(address(), { code, secret })).status, 200)
    server.clock.advance(3_600_000)
    assert.equal((await begin(address(), { code, username })).status, 200)
  })

  it('T01: beyond a hundred wrong codes in a second typed codes wait, and the secret still works', async () => {
    const { code, username, secret } = await issue()
    const guesses = Array.from({ length: 100 }, (_, index) =>
      begin(address(), { code: wrongCode, username: `guess ${index} of ${address()}` }),
    )
    for (const reply of await Promise.all(guesses)) assert.deepEqual(refusal(reply), failed)
    const reply = await begin(address(), { code, username })
    assert.deepEqual(refusal(reply), limited)
    assert.equal(reply.headers.get('retry-after'), '1')
    assert.equal((await begin(address(), { code, secret })).status, 200)
    server.clock.advance(1_000)
    assert.equal((await begin(address(), { code, username })).status, 200)
  })

  it('T01: two hundred successes from one address are no limit', async () => {
    const { code, username, secret } = await issue()
    const from = address()
    const begins = Array.from({ length: 200 }, (_, index) =>
      begin(from, { code, ...(index % 2 ? { username } : { secret }) }),
    )
    for (const { status } of await Promise.all(begins)) assert.equal(status, 200)
  })

  it('T02: unknown, expired and used code and wrong name are refused alike, by the same statements and computations', async () => {
    const expired = await issue()
    server.clock.advance(7 * 86_400_000)
    const right = await issue()
    const used = await issue()
    await TestDevice.activate(server, { ...used, pin: false })
    const tries: Record<string, object> = {
      unknown: { code: wrongCode, username: right.username },
      'no code': { code: 'u', username: right.username },
      expired: { code: expired.code, username: expired.username },
      used: { code: used.code, username: used.username },
      'wrong name': { code: right.code, username: used.username },
      'no name': { code: right.code, username: '' },
      'no name, unknown code': { code: wrongCode, username: '' },
    }
    await begin(address(), { code: wrongCode, username: 'warms the caches' })
    const [first, ...others] = await seenOf(tries)
    for (const other of others) assert.deepEqual({ ...other, name: '' }, { ...first, name: '' }, other.name)
    assert.deepEqual(first?.statements, ['tx.limits.takeNameTry', 'tokens.findByCode'])
    const secret = 'A'.repeat(22)
    const [one, ...rest] = await seenOf({
      unknown: { code: wrongCode, secret },
      expired: { code: expired.code, secret: expired.secret },
      used: { code: used.code, secret: used.secret },
      'wrong secret': { code: right.code, secret },
    })
    for (const other of rest) assert.deepEqual({ ...other, name: '' }, { ...one, name: '' }, other.name)
    assert.deepEqual(one?.statements, ['tokens.findByCode'])
  })

  it('A08: of two hundred wrong codes at once against one name at most ten are looked up', async () => {
    const { code, username } = await issue()
    spy.calls.length = 0
    const guesses = Array.from({ length: 200 }, () => begin(address(), { code: wrongCode, username }))
    const replies = await Promise.all(guesses)
    assert.equal(spy.calls.filter((call) => call === 'tokens.findByCode').length, 10)
    assert.equal(replies.filter(({ status }) => status === 400).length, 10)
    assert.equal(replies.filter(({ status }) => status === 429).length, 190)
    assert.deepEqual(refusal(await begin(address(), { code, username })), limited)
  })

  it('A08: of two hundred wrong codes at once from one address at most thirty are looked up', async () => {
    const from = address()
    spy.calls.length = 0
    const guesses = Array.from({ length: 200 }, (_, index) =>
      begin(from, { code: wrongCode, username: `guess ${index}` }),
    )
    const replies = await Promise.all(guesses)
    assert.equal(spy.calls.filter((call) => call === 'tokens.findByCode').length, 30)
    assert.equal(replies.filter(({ status }) => status === 429).length, 170)
  })

  it('A08: of three hundred wrong codes at once from as many addresses a hundred are looked up; right ones are no limit', async () => {
    server.clock.advance(1_000)
    const codes = await Promise.all(Array.from({ length: 150 }, issue))
    const together = (tries: { code: string; username: string }[]) =>
      allAtOnce(spy, 'tokens.findByCode', () => Promise.all(tries.map((proof) => begin(address(), proof))))
    const right = codes.map(({ code, username }) => ({ code, username }))
    for (const { status } of await together(right)) assert.equal(status, 200)
    const wrong = Array.from({ length: 300 }, (_, index) => ({ code: wrongCode, username: `one of all ${index}` }))
    const replies = await together(wrong)
    assert.equal(spy.calls.filter((call) => call === 'tokens.findByCode').length, 100)
    assert.equal(replies.filter(({ status }) => status === 429).length, 200)
    server.clock.advance(1_000)
  })

  it('A13: a restart gives no further tries at a name', async () => {
    const { code, username } = await issue()
    for (let tries = 0; tries < 10; tries++) await begin(address(), { code: wrongCode, username })
    await server.restart()
    assert.deepEqual(refusal(await begin(address(), { code, username })), limited)
  })

  async function issue(): Promise<{ code: string; username: string; secret: string }> {
    const { userId, username } = await newUser(server)
    const token = `/api/domains/${server.acme.domainId}/users/${userId}/token`
    const { body } = await server.call('PUT', token, { headers: countersign })
    const secret = new URLSearchParams(new URL(body.link).hash.slice(1)).get('s') ?? ''
    return { code: String(body.code), username, secret }
  }

  let addresses = 0
  /** One that nobody has used before. */
  function address(): string {
    addresses++
    return `10.1.${addresses >> 8}.${addresses & 255}`
  }

  function begin(from: string, body: object): Promise<Reply> {
    return server.device('activation/begin', { v: 1, ...body }, { 'x-forwarded-for': from })
  }

  /** What a stranger sees of each try, and what the server did for it. */
  async function seenOf(tries: Record<string, object>) {
    const seen = []
    for (const [name, body] of Object.entries(tries)) {
      spy.calls.length = 0
      const counted = countCryptography()
      const { status, text } = await begin(address(), body)
      seen.push({ name, status, text, statements: [...spy.calls], cryptography: counted.stop() })
    }
    return seen
  }
})

/** Counts every call of these functions in the process, whoever imported them. */
function countCryptography() {
  const names = [
    'createHash',
    'createHmac',
    'timingSafeEqual',
    'createDecipheriv',
    'createCipheriv',
    'randomBytes',
  ] as const
  const originals = Object.fromEntries(names.map((name) => [name, crypto[name]]))
  const counts: Record<string, number> = {}
  for (const name of names) {
    const original = originals[name] as (...values: unknown[]) => unknown
    const counting = (...values: unknown[]) => {
      counts[name] = (counts[name] ?? 0) + 1
      return original(...values)
    }
    Object.assign(crypto, { [name]: counting })
  }
  syncBuiltinESMExports()
  return {
    stop() {
      Object.assign(crypto, originals)
      syncBuiltinESMExports()
      return counts
    },
  }
}
