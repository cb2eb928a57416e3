import assert from 'node:assert/strict'
import { after, before, it } from 'node:test'
import { permissions, roles } from '../../src/core/actors.ts'
import { asPanel, cookieOf, newAdministrator, useLink } from '../support/administrators.ts'
import { auditOf } from '../support/audit.ts'
import { onEveryEngine } from '../support/engines.ts'
import { refusal } from '../support/phones.ts'
import { startTestServer, type TestServer } from '../support/server.ts'
import { dump, sql } from '../support/sql.ts'

const minuteMs = 60_000
const hourMs = 60 * minuteMs

onEveryEngine((engine) => {
  let server: TestServer
  before(async () => {
    server = await startTestServer(engine)
  })
  after(() => server.stop())

  const me = (headers: Record<string, string>) => asPanel(server, headers)('GET', 'session')

  it('a link signs its administrator in by a cookie that no script, no other host and no plain connection sees', async () => {
    const { id, link } = await newAdministrator(server, 'helpdesk')
    const reply = await useLink(server, await link())
    assert.equal(reply.status, 201)
    assert.deepEqual(Object.keys(reply.body), ['administrator'])
    assert.equal(reply.body.administrator.lastSignInAt, new Date(server.clock.now()).toISOString())
    const set = reply.headers.get('set-cookie') ?? ''
    const attributes = 'Max-Age=43200; Path=/; Secure; HttpOnly; SameSite=Strict'
    assert.match(set, new RegExp(`^__Host-countersign=[\\w-]{43}; ${attributes}$`))
    const secret = cookieOf(reply).split('=')[1] ?? ''
    assert.ok(!JSON.stringify([await dump(server.database), server.logged]).includes(secret), 'the cookie is nowhere')
    const { body } = await me({ cookie: `theme=dark; ${cookieOf(reply)}; other=1` })
    assert.deepEqual(body.administrator, reply.body.administrator)
    assert.equal(body.administrator.id, id)
    assert.ok(body.permissions.includes('tokens:write') && !body.permissions.includes('domains:write'))
    const [event] = (await auditOf(server, { event: 'administrator.signed_in' })).slice(-1)
    assert.deepEqual(event?.data, { id })
  })

  it('everyone who signs in learns what the role may do: an owner everything', async () => {
    for (const role of roles) {
      const { body } = await me(await (await newAdministrator(server, role)).signIn())
      assert.equal(body.administrator.role, role)
      assert.equal(body.permissions.length === permissions.length, role === 'owner', role)
    }
  })

  it('A25: a link is used once, also by many at once, and is nobody else’s', async () => {
    const { link, path } = await newAdministrator(server)
    const other = await newAdministrator(server)
    const others = await other.signIn()
    for (let round = 0; round < 5; round++) {
      const secret = await link()
      const replies = await Promise.all(Array.from({ length: 4 }, () => useLink(server, secret)))
      assert.deepEqual(replies.map(({ status }) => status).sort(), [201, 401, 401, 401])
    }
    const secret = await link()
    const opened = await useLink(server, secret, others)
    const id = path.split('/').at(-1)
    assert.equal(opened.body.administrator.id, id, 'whoever has the link is whom it was made for')
    assert.equal((await me({ cookie: cookieOf(opened) })).body.administrator.id, id)
    assert.equal((await me(others)).status, 401, 'and the session that the browser had is over')
  })

  it('wrong, used and lapsed secrets are refused alike, and change nothing', async () => {
    const { link } = await newAdministrator(server)
    const [used, lapsed] = [await link(), '']
    await useLink(server, used)
    const old = await link()
    server.clock.advance(15 * minuteMs)
    const before = await dump(server.database)
    const texts = new Set<string>()
    for (const secret of [used, lapsed, old, 'x'.repeat(43), 'x', '\u{1f511}']) {
      const reply = await useLink(server, secret)
      assert.deepEqual(refusal(reply), { status: 401, code: 'api.error.unauthorized' })
      assert.equal(reply.headers.get('set-cookie'), null)
      texts.add(reply.text)
    }
    assert.equal(texts.size, 1)
    assert.deepEqual(await dump(server.database), before)
    for (const body of [{}, { secret: 1 }, { secret: 'x'.repeat(101) }, { secret: 'x', more: 1 }])
      assert.equal((await server.call('POST', '/admin/v1/session', { key: null, body })).status, 400)
    server.clock.advance(10 * minuteMs)
  })

  it('an address that fails twenty times has to wait, also when all come at once; then a link works again', async () => {
    const { link } = await newAdministrator(server)
    const statuses = await Promise.all(
      Array.from({ length: 40 }, async (_, number) => (await useLink(server, `wrong${number}`)).status),
    )
    assert.equal(statuses.filter((status) => status === 401).length, 20)
    const secret = await link()
    const refused = await useLink(server, secret)
    assert.deepEqual(refusal(refused), { status: 429, code: 'api.error.toomanyrequests' })
    assert.equal(refused.headers.get('retry-after'), '600')
    server.clock.advance(10 * minuteMs)
    assert.equal((await useLink(server, secret)).status, 201)
    for (let more = 0; more < 25; more++) assert.equal((await useLink(server, await link())).status, 201)
  })

  it('a session ends twelve hours after it began, whatever it does', async () => {
    const headers = await (await newAdministrator(server)).signIn()
    for (let passed = 0; passed < 12 * hourMs; passed += 20 * minuteMs) {
      assert.equal((await me(headers)).status, 200)
      server.clock.advance(passed + 20 * minuteMs < 12 * hourMs ? 20 * minuteMs : 20 * minuteMs - 1)
    }
    assert.equal((await me(headers)).status, 200)
    server.clock.advance(1)
    assert.deepEqual(refusal(await me(headers)), { status: 401, code: 'api.error.unauthorized' })
  })

  it('a session ends after half an hour without a request; that one was made is written by the minute', async () => {
    const { id, signIn } = await newAdministrator(server)
    const headers = await signIn()
    const seenAt = async () =>
      Number(
        (await sql(server.database, 'select seen_at from administrator_sessions where administrator_id = ?', id))[0]
          ?.seen_at,
      )
    const began = await seenAt()
    server.clock.advance(minuteMs - 1)
    await me(headers)
    assert.equal(await seenAt(), began)
    server.clock.advance(1)
    await Promise.all([me(headers), me(headers)])
    assert.equal(await seenAt(), began + minuteMs)
    server.clock.advance(30 * minuteMs - 1)
    assert.equal((await me(headers)).status, 200)
    server.clock.advance(30 * minuteMs)
    assert.equal((await me(headers)).status, 401)
  })

  it('signing out ends the session and no other, and the browser forgets it', async () => {
    const { signIn } = await newAdministrator(server)
    const [here, there] = [await signIn(), await signIn()]
    const reply = await asPanel(server, here)('DELETE', 'session')
    assert.deepEqual([reply.status, reply.text], [204, ''])
    assert.match(reply.headers.get('set-cookie') ?? '', /^__Host-countersign=; Max-Age=0; Path=\/; Secure;/)
    assert.deepEqual([(await me(here)).status, (await me(there)).status], [401, 200])
    assert.equal((await asPanel(server, here)('DELETE', 'session')).status, 401)
  })

  it('A40: disabling, deleting or giving another role ends every session and the link at once', async () => {
    for (const end of [{ disabled: true }, { role: 'auditor' }, undefined]) {
      const { path, link, signIn } = await newAdministrator(server)
      const sessions = [await signIn(), await signIn()]
      const secret = await link()
      await server.call('PATCH', path, { body: { name: 'Renamed' } })
      assert.equal((await me(sessions[0] ?? {})).status, 200, 'another name changes nothing')
      await server.call(end ? 'PATCH' : 'DELETE', path, end && { body: end })
      for (const headers of sessions) assert.equal((await me(headers)).status, 401)
      if (end?.disabled) await server.call('PATCH', path, { body: { disabled: false } })
      for (const headers of sessions) assert.equal((await me(headers)).status, 401)
      assert.equal((await useLink(server, secret)).status, 401)
      server.clock.advance(10 * minuteMs)
    }
  })

  it('A40: signing in while being disabled leaves no session', async () => {
    for (let round = 0; round < 10; round++) {
      const { id, path, link } = await newAdministrator(server)
      const secret = await link()
      const [opened] = await Promise.all([
        useLink(server, secret),
        server.call('PATCH', path, { body: { disabled: true } }),
      ])
      assert.equal((await me({ cookie: cookieOf(opened) })).status, 401)
      const left = await sql(server.database, 'select 1 from administrator_sessions where administrator_id = ?', id)
      assert.deepEqual(left, [])
      server.clock.advance(10 * minuteMs)
    }
  })

  it('what changes something is done only for a page of the same origin', async () => {
    const { cookie, origin } = await (await newAdministrator(server, 'owner')).signIn()
    const before = await dump(server.database)
    const create = (headers: Record<string, string>) =>
      asPanel(server, { cookie, ...headers })('POST', 'domains', { name: 'Forged' })
    const foreign: Record<string, string>[] = [
      {},
      { origin: 'https://evil.example' },
      { origin: 'null' },
      { origin: `${origin}.evil.example` },
      { 'sec-fetch-site': 'cross-site' },
      { 'sec-fetch-site': 'same-site', origin },
      { 'sec-fetch-site': 'none' },
    ]
    for (const headers of foreign) {
      for (const reply of [
        await create(headers),
        await asPanel(server, { cookie, ...headers })('PATCH', 'organization', { name: 'Forged' }),
        await asPanel(server, { cookie, ...headers })('DELETE', `domains/${server.acme.domainId}`),
        await asPanel(server, { cookie, ...headers })('DELETE', 'session'),
      ]) {
        assert.deepEqual(refusal(reply), { status: 403, code: 'api.error.forbidden' }, JSON.stringify(headers))
      }
    }
    assert.deepEqual(await dump(server.database), before)
    assert.equal((await me({ cookie })).status, 200, 'reading needs no origin')
    assert.equal((await create({ origin })).status, 201)
    assert.equal((await create({ 'sec-fetch-site': 'same-origin' })).status, 201)
  })

  it('a foreign page cannot sign its visitor in', async () => {
    const { link } = await newAdministrator(server)
    const secret = await link()
    const foreign: Record<string, string>[] = [{ origin: 'https://evil.example' }, { 'sec-fetch-site': 'cross-site' }]
    for (const headers of foreign) assert.equal((await useLink(server, secret, headers)).status, 403)
    assert.equal((await useLink(server, secret, { origin: server.apiUrl })).status, 201)
  })

  it('a key goes before a cookie, has no session, and a wrong one is not made good by a cookie', async () => {
    const { cookie } = await (await newAdministrator(server, 'owner')).signIn()
    const byKey = await server.call('GET', '/admin/v1/session', { headers: { cookie } })
    assert.deepEqual(refusal(byKey), { status: 403, code: 'api.error.forbidden' })
    const wrong = await server.call('GET', '/admin/v1/session', { key: 'x'.repeat(64), headers: { cookie } })
    assert.equal(wrong.status, 401)
    const bearer = { authorization: `Bearer ${server.acme.apiKey}` }
    assert.equal((await server.call('GET', '/admin/v1/domains', { key: null, headers: bearer })).status, 200)
    assert.equal((await server.call('GET', '/api/ping', { key: null, headers: { cookie } })).status, 401)
    assert.equal((await me({ cookie: '__Host-countersign=' })).status, 401)
    assert.equal((await me({})).status, 401)
  })
})
