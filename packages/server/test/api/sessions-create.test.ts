import assert from 'node:assert/strict'
import { after, before, it } from 'node:test'
import { newApiKey } from '../support/api-keys.ts'
import { auditOf } from '../support/audit.ts'
import { onEveryEngine } from '../support/engines.ts'
import { countersign, newDomain, newPhone, newUser, type Phone, refusal } from '../support/phones.ts'
import { startTestServer, type TestServer } from '../support/server.ts'
import { dump } from '../support/sql.ts'

const badRequest = { status: 400, code: 'api.error.badrequest' }
const notFound = (noun: string) => ({ status: 404, code: `api.error.notfound.${noun}` })

onEveryEngine((engine) => {
  let server: TestServer
  let phone: Phone
  let other: Phone
  before(async () => {
    server = await startTestServer(engine)
    phone = await newPhone(server)
    other = await newPhone(server)
  })
  after(() => server.stop())

  const create = (body: unknown, headers: Record<string, string> = {}) =>
    server.call('POST', `/api/domains/${server.acme.domainId}/sessions`, { body, headers })
  /** What the phone is shown of one request, which is then out of the way. */
  async function shown(body: object) {
    const reply = await create({ user: { id: phone.userId }, ...body })
    assert.equal(reply.status, 200, reply.text)
    const request = await phone.device.request()
    assert.equal(request.sid, reply.body.id)
    assert.equal((await phone.device.approve(request)).status, 200)
    server.clock.advance(10_000) // a phone may answer twenty times a minute
    return request.challenge
  }

  it('a request is created, byte for byte, and reaches this user’s phone and no other', async () => {
    server.clock.advance(1)
    const reply = await create({ user: { id: phone.userId } })
    const { id } = reply.body
    assert.equal(reply.status, 200)
    assert.match(id, /^[0-9a-f]{40}$/)
    assert.equal(reply.text, `{"id":"${id}","state":"pending"}`)
    const request = await phone.device.request()
    const { challenge } = request
    const { sid, tid, user, domain, via, unlock, match, attrs } = challenge
    const now = Math.floor(server.clock.now() / 1000)
    assert.deepEqual(
      { sid, tid, user, domain, via, unlock, match, attrs, ip: challenge.ip, iat: challenge.iat, exp: challenge.exp },
      {
        sid: id,
        tid: phone.device.tid,
        user: phone.username,
        domain: { id: phone.domainId, name: 'Acme VPN' },
        via: 'api',
        unlock: 'none',
        match: { type: 'none' },
        attrs: [],
        ip: undefined,
        iat: now,
        exp: now + 120,
      },
    )
    assert.deepEqual(await other.device.requests(), [])
    assert.deepEqual(await auditOf(server, { sid: id }), [
      { event: 'session.created', data: { method: 'push', numberMatching: false } },
    ])
    await phone.device.approve(request)
  })

  it('A05 the user is named by id or name, in any spelling of theirs; the name wins', async () => {
    const { userId, username } = phone
    for (const user of [
      { id: userId },
      { id: userId.toUpperCase() },
      { username },
      { username: username.toUpperCase() },
      { username: username.replace('u', 'ｕ') },
      { username, id: other.userId },
      { username, id: 'nonsense' },
      { username: null, id: userId },
      { username, id: null },
    ]) {
      await shown({ user })
    }
    assert.deepEqual(await other.device.requests(), [])
  })

  it('A05 a name that is nearly somebody’s is nobody’s', async () => {
    const { username } = phone
    for (const nearly of [
      `${username} `,
      ` ${username}`,
      `${username}@acme`,
      `ACME\\${username}`,
      `${username}\u200b`,
      '',
    ]) {
      assert.deepEqual(refusal(await create({ user: { username: nearly } })), notFound('user'), nearly)
      assert.deepEqual(refusal(await create({ user: { username: nearly, id: phone.userId } })), notFound('user'))
    }
    assert.deepEqual(await phone.device.requests(), [])
  })

  it('attributes come as a list, a map or not at all, and keep their order', async () => {
    const attrs = [
      { k: 'Product', v: 'Quinoa' },
      { k: 'Amount', v: '100 €' },
      { k: 'Domain', v: '<img onerror=x>' },
    ]
    const list = attrs.map(({ k: key, v: value }) => ({ key, value }))
    const map = Object.fromEntries(attrs.map(({ k, v }) => [k, v]))
    assert.deepEqual((await shown({ attributes: list })).attrs, attrs)
    assert.deepEqual((await shown({ attributes: map })).attrs, attrs)
    for (const none of [undefined, null, [], {}]) assert.deepEqual((await shown({ attributes: none })).attrs, [])
    const twice = [
      { key: 'a', value: '1' },
      { key: 'a', value: '2' },
    ]
    assert.equal((await shown({ attributes: twice })).attrs.length, 2)
    // What the application says stands apart from what the server says.
    assert.equal((await shown({ attributes: list })).domain.name, 'Acme VPN')
  })

  it('attributes may be as many and as long as said, and not more', async () => {
    const many = (count: number) => Array.from({ length: count }, (_, n) => ({ key: `k${n}`, value: 'v' }))
    const one = (key: unknown, value: unknown) => [{ key, value }]
    for (const attributes of [
      many(20),
      one('🙂'.repeat(64), '🙂'.repeat(256)),
      { ['k'.repeat(64)]: 'v'.repeat(256) },
    ]) {
      await shown({ attributes })
    }
    const before = await dump(server.database)
    for (const attributes of [
      many(21),
      many(50),
      one('k'.repeat(65), 'v'),
      one('k', 'v'.repeat(257)),
      one('k', 'v'.repeat(10_000)),
      one('', 'v'),
      one('k', ''),
      one('k', 1),
      one(1, 'v'),
      one('k', null),
      one('k', undefined),
      one('k', ['v']),
      one(null, 'v'),
      [null],
      ['x'],
      [[]],
      'x',
      7,
      true,
      { k: 1 },
      { k: null },
      { '': 'v' },
      { k: '' },
      { k: { v: 'v' } },
    ]) {
      const reply = await create({ user: { id: phone.userId }, attributes })
      assert.deepEqual(refusal(reply), badRequest, JSON.stringify(attributes).slice(0, 60))
      assert.match(reply.body.errors[0].message, /^attributes/)
    }
    assert.deepEqual(await dump(server.database), before)
  })

  it('T24: text is cleaned before it is frozen, and what cleaning leaves empty is refused', async () => {
    const dirty = 'Pay\u202e\u200d 1\n0\u0007 \u2066€\u2069\u{e0041} e\u0301'
    const clean = 'Pay 10 € é'
    const { attrs, ip } = await shown({ attributes: { [dirty]: dirty }, ipAddress: dirty })
    assert.deepEqual({ attrs, ip }, { attrs: [{ k: clean, v: clean }], ip: clean })
    for (const [key, value] of [
      ['\u202e', 'v'],
      ['k', '\u200b\u2060'],
      ['\n', 'v'],
      ['k', '\ufeff'],
    ] as const) {
      assert.deepEqual(refusal(await create({ user: { id: phone.userId }, attributes: { [key]: value } })), badRequest)
    }
  })

  it('an address is any text of up to 64 characters, or none', async () => {
    const addresses = [
      '192.0.2.1',
      '2001:db8::1',
      'workstation-7.example.org',
      'x'.repeat(64),
      '🙂'.repeat(64),
      'not an address',
    ]
    for (const ipAddress of addresses) assert.equal((await shown({ ipAddress })).ip, ipAddress)
    for (const ipAddress of [undefined, null, '', '\u200b']) assert.equal('ip' in (await shown({ ipAddress })), false)
    for (const ipAddress of ['x'.repeat(65), '🙂'.repeat(65), 1, true, {}, [], ['192.0.2.1'], '192.0.2.1\u0000']) {
      const reply = await create({ user: { id: phone.userId }, ipAddress })
      assert.deepEqual(refusal(reply), badRequest, JSON.stringify(ipAddress))
      assert.ok(reply.body.errors[0].message.startsWith('ipAddress'))
    }
  })

  it('a body that does not say for whom, or is none, creates nothing', async () => {
    const before = await dump(server.database)
    for (const body of [
      '',
      '{',
      '[]',
      'null',
      '"x"',
      '7',
      '{}',
      { user: null },
      { user: {} },
      { user: [] },
      { user: phone.username },
      { user: 7 },
      { user: { id: null, username: null } },
      { user: { id: 7 } },
      { user: { username: 7 } },
      { user: { username: {} } },
      { user: { id: { $ne: '' } } },
      { user: { name: phone.username } },
      { username: phone.username },
    ]) {
      const reply = await create(body)
      assert.deepEqual(refusal(reply), badRequest, JSON.stringify(body))
    }
    assert.deepEqual(await dump(server.database), before)
  })

  it('the first of several mistakes is named: domain, then user, then token', async () => {
    const { userId } = await newUser(server)
    const otherDomain = await newDomain(server, {})
    const at = (domainId: string, user: object) =>
      server.call('POST', `/api/domains/${domainId}/sessions`, { body: { user, attributes: { '': '' } } })
    assert.deepEqual(refusal(await at('0'.repeat(40), { id: '0'.repeat(40) })), notFound('domain'))
    assert.deepEqual(refusal(await at(otherDomain, { id: userId })), notFound('user'))
    assert.deepEqual(refusal(await create({ user: { id: userId } })), notFound('token'))
    await server.call('PUT', `/api/domains/${server.acme.domainId}/users/${userId}/token`)
    assert.deepEqual(refusal(await create({ user: { id: userId } })), notFound('token'), 'a pending token is none yet')
  })

  it('T22: three wait, a fourth is created as denied and reaches no phone, until one is through', async () => {
    const busy = await newPhone(server)
    const ask = async () => (await create({ user: { id: busy.userId } }, countersign)).body
    const replies = await Promise.all(Array.from({ length: 30 }, ask))
    const waiting = replies.filter(({ state }) => state === 'pending').map(({ id }) => id)
    assert.equal(waiting.length, 3)
    for (const { id, state, reason } of replies) {
      if (!waiting.includes(id)) assert.deepEqual([state, reason], ['denied', 'throttled'])
    }
    const requests = await busy.device.requests()
    assert.deepEqual(requests.map(({ sid }) => sid).sort(), waiting.sort())
    assert.equal((await create({ user: { id: busy.userId } })).body.state, 'denied')
    const fourth = await create({ user: { id: busy.userId } })
    assert.equal(fourth.text, `{"id":"${fourth.body.id}","state":"denied"}`)
    assert.equal(await busy.verdict(fourth.body.id), 'denied')
    await busy.device.approve(requests[0] ?? assert.fail())
    assert.equal((await ask()).state, 'pending')
    assert.equal((await ask()).state, 'denied')
    await shown({}) // others are not concerned
  })

  it('a suspended token’s sessions are created as denied, for an hour', async () => {
    const quiet = await newPhone(server)
    await quiet.device.deny(await quiet.ask(), 'not_me')
    const suspended = async () => (await create({ user: { id: quiet.userId } }, countersign)).body
    const { state, reason } = await suspended()
    assert.deepEqual([state, reason], ['denied', 'suspended'])
    assert.deepEqual(await quiet.device.requests(), [])
    server.clock.advance(3_599_999)
    assert.equal((await suspended()).state, 'denied')
    server.clock.advance(1)
    assert.equal((await suspended()).state, 'pending')
  })

  it('A41: without a key that may create sessions nobody’s phone hears anything', async () => {
    for (const key of [null, 'x'.repeat(64), await newApiKey(server, 'read'), await newApiKey(server, 'enroll')]) {
      const body = { user: { id: phone.userId } }
      const reply = await server.call('POST', `/api/domains/${phone.domainId}/sessions`, { key, body })
      assert.ok([401, 403].includes(reply.status))
    }
    assert.deepEqual(await phone.device.requests(), [])
    const key = await newApiKey(server, 'auth')
    const body = { user: { id: phone.userId } }
    const { status } = await server.call('POST', `/api/domains/${phone.domainId}/sessions`, { key, body })
    assert.equal(status, 200)
    await phone.device.approve(await phone.device.request())
  })
})
