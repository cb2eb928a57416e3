import assert from 'node:assert/strict'
import { after, before, it } from 'node:test'
import { newApiKey } from '../support/api-keys.ts'
import { auditOf } from '../support/audit.ts'
import { newBypassCode } from '../support/codes.ts'
import { onEveryEngine } from '../support/engines.ts'
import { newDomain, newPhone, newUser, refusal } from '../support/phones.ts'
import { startTestServer, type TestServer } from '../support/server.ts'
import { dump, sql } from '../support/sql.ts'

const path = '/admin/v1/sessions'
const minuteMs = 60_000
const noSession = { status: 404, code: 'api.error.notfound.session' }

onEveryEngine((engine) => {
  let server: TestServer
  before(async () => {
    server = await startTestServer(engine)
  })
  after(() => server.stop())

  const iso = (ms = 0) => new Date(server.clock.now() + ms).toISOString()
  const show = async (id: string) => {
    const reply = await server.call('GET', `${path}/${id}`)
    assert.equal(reply.status, 200, reply.text)
    return reply.body
  }
  const items = async (query: string) => {
    const reply = await server.call('GET', `${path}?${query}`)
    assert.equal(reply.status, 200, reply.text)
    return reply.body.items
  }
  const ids = async (query: string): Promise<string[]> => (await items(query)).map(({ id }: { id: string }) => id)

  it('shows who was asked for what and from where, as on the phone, and never the number', async () => {
    const phone = await newPhone(server)
    const attributes = [{ key: 'Transfer', value: '€\u202e 500' }]
    const asked = await phone.ask({ attributes, ipAddress: '203.0.113.17', numberMatching: true })
    const { body, text } = await server.call('GET', `${path}/${asked.sid}`)
    const token = await server.call('GET', `/admin/v1/domains/${phone.domainId}/members/${phone.userId}/token`)
    assert.deepEqual(body, {
      id: asked.sid,
      state: 'pending',
      reason: '',
      method: 'push',
      domain: { id: phone.domainId, name: 'Acme VPN' },
      user: { id: phone.userId, username: phone.username },
      tokenId: token.body.id,
      ipAddress: '203.0.113.17',
      numberMatching: true,
      createdAt: iso(),
      expiresAt: iso(2 * minuteMs),
      approvedAt: null,
      endedAt: null,
      attributes: asked.challenge.attrs.map(({ k, v }) => ({ key: k, value: v })),
    })
    assert.deepEqual(body.attributes, [{ key: 'Transfer', value: '€ 500' }])
    assert.ok(asked.number && !text.includes(`"${asked.number}"`))
    const { attributes: _, ...listed } = body
    assert.deepEqual(await items(`user=${phone.userId}`), [listed])
  })

  it('an approval is one for ten minutes, and then still says when it was', async () => {
    const phone = await newPhone(server)
    const request = await phone.ask()
    await phone.device.approve(request)
    const approvedAt = iso()
    const { state, reason, endedAt } = await show(request.sid)
    assert.deepEqual([state, reason, endedAt], ['approved', '', null])
    assert.deepEqual(await ids(`user=${phone.userId}&state=approved`), [request.sid])
    server.clock.advance(10 * minuteMs)
    const later = await show(request.sid)
    assert.deepEqual([later.state, later.reason, later.approvedAt], ['expired', 'approval_expired', approvedAt])
    assert.deepEqual(await ids(`user=${phone.userId}&state=approved`), [])
  })

  it('one by a code has no token and no attributes', async () => {
    const { userId } = await newUser(server)
    const { code } = await newBypassCode(server, userId)
    const body = { user: { id: userId }, bypasscode: code }
    const session = await server.call('POST', `/api/domains/${server.acme.domainId}/sessions`, { body })
    const { state, method, tokenId, ipAddress, attributes } = await show(session.body.id)
    assert.deepEqual([state, method, tokenId, ipAddress, attributes], ['approved', 'bypasscode', null, null, []])
  })

  it('one that was set to approved behind the server’s back is shown as denied', async () => {
    const phone = await newPhone(server)
    const { sid } = await phone.ask()
    const text = `update sessions set state = 'approved', approved_at = ? where sid = ?`
    await sql(server.database, text, server.clock.now(), sid)
    const { state, reason } = await show(sid)
    assert.deepEqual([state, reason], ['denied', 'tampered'])
  })

  it('lists the newest first, by domain, user, state and time, and by all of them', async () => {
    const domainId = await newDomain(server, { keyType: 'ONE_STEP' })
    const [jane, joe] = [await newPhone(server, { domainId }), await newPhone(server, { domainId })]
    const start = iso()
    const next = async (phone: typeof jane) => {
      server.clock.advance(1_000)
      return phone.ask()
    }
    const denied = await next(jane)
    await jane.device.deny(denied, 'mistake')
    const approved = await next(joe)
    await joe.device.approve(approved)
    const lapsed = await next(jane)
    server.clock.advance(2 * minuteMs)
    const pending = await next(joe)
    const [lapsedAt, pendingAt] = [lapsed, pending].map(({ challenge }) =>
      new Date(challenge.iat * 1_000).toISOString(),
    )
    const all = [pending.sid, lapsed.sid, approved.sid, denied.sid]
    const domain = `domain=${domainId}`
    const cases: [string, string[]][] = [
      [domain, all],
      [`domain=${domainId.toUpperCase()}&since=${start}`, all],
      [`${domain}&state=pending`, [pending.sid]],
      [`${domain}&state=approved`, [approved.sid]],
      [`${domain}&state=denied`, [denied.sid]],
      [`${domain}&state=cancelled`, []],
      [`user=${jane.userId}`, [lapsed.sid, denied.sid]],
      [`user=${jane.userId}&state=denied&${domain}`, [denied.sid]],
      [`${domain}&since=${lapsedAt}`, [pending.sid, lapsed.sid]],
      [`${domain}&until=${lapsedAt}`, [approved.sid, denied.sid]],
      [`since=${lapsedAt}&until=${pendingAt}`, [lapsed.sid]],
      [`since=${pendingAt}&state=pending&limit=1`, [pending.sid]],
      [`domain=${server.other.domainId}`, []],
    ]
    for (const [query, expected] of cases) assert.deepEqual(await ids(query), expected, query)
    const [, unanswered] = await items(domain)
    assert.deepEqual([unanswered.state, unanswered.reason], ['expired', 'timeout'])
  })

  it('goes on where a part ended, whatever is asked meanwhile, and shows every session once', async () => {
    const domainId = await newDomain(server, { keyType: 'ONE_STEP' })
    const phone = await newPhone(server, { domainId })
    const asked: string[] = []
    for (let n = 0; n < 7; n++) {
      server.clock.advance(n % 3)
      const request = await phone.ask()
      await phone.device.approve(request)
      asked.push(request.sid)
    }
    const until = iso(1)
    for (const query of [
      `domain=${domainId}`,
      `domain=${domainId}&until=${until}`,
      `domain=${domainId}&since=${iso(-9)}`,
    ]) {
      const seen: string[] = []
      for (let after: string | undefined; ; ) {
        const { body } = await server.call('GET', `${path}?${query}&limit=2${after ? `&after=${after}` : ''}`)
        seen.push(...body.items.map(({ id }: { id: string }) => id))
        after = body.next
        if (after === undefined) break
        server.clock.advance(1)
        asked.push((await phone.ask()).sid)
        await phone.device.deny((await phone.device.requests())[0] as never, 'mistake')
      }
      const known = asked.splice(0)
      assert.equal(new Set(seen).size, seen.length)
      assert.ok(
        known.slice(0, 7).every((sid) => seen.includes(sid)),
        query,
      )
      asked.push(...known.slice(0, 7))
    }
  })

  it('a cancelled session is denied to the application, and gone from the phone; once more changes nothing', async () => {
    const phone = await newPhone(server)
    const { sid } = await phone.ask()
    const replies = await Promise.all([1, 2, 3].map(() => server.call('DELETE', `${path}/${sid}`)))
    assert.deepEqual(
      replies.map(({ status, text }) => `${status}${text}`),
      ['204', '204', '204'],
    )
    assert.deepEqual(await phone.details(sid), { state: 'denied', reason: 'cancelled' })
    assert.deepEqual(await phone.device.requests(), [])
    assert.equal((await show(sid)).state, 'cancelled')
    assert.equal((await auditOf(server, { sid, event: 'session.cancelled' })).length, 1)
  })

  it('another organization’s session is one that never was', async () => {
    const { sid } = await (await newPhone(server)).ask()
    const key = server.other.apiKey
    for (const method of ['GET', 'DELETE']) {
      assert.deepEqual(refusal(await server.call(method, `${path}/${sid}`, { key })), noSession)
      assert.deepEqual(refusal(await server.call(method, `${path}/${'0'.repeat(40)}`)), noSession)
    }
    assert.deepEqual((await server.call('GET', path, { key })).body, { items: [] })
    assert.equal((await show(sid)).state, 'pending')
  })

  it('T38: a key that is bound to a domain sees and cancels the sessions there, and no others', async () => {
    const [here, there] = [await newPhone(server), await newPhone(server, { pin: true })]
    const [mine, others] = [(await here.ask()).sid, (await there.ask()).sid]
    const key = await newApiKey(server, 'admin')
    await sql(
      server.database,
      `update api_keys set domain_ids = ? where prefix = ?`,
      JSON.stringify([here.domainId]),
      key.slice(0, 6),
    )
    const before = await dump(server.database)
    const refused = [
      ['GET', `${path}/${others}`],
      ['DELETE', `${path}/${others}`],
      ['GET', path],
      ['GET', `${path}?domain=${there.domainId}`],
      ['GET', '/admin/v1/tokens'],
      ['GET', `/admin/v1/tokens?domain=${there.domainId}`],
    ] as const
    for (const [method, path] of refused) {
      assert.equal(refusal(await server.call(method, path, { key })).code, 'api.error.forbidden', `${method} ${path}`)
    }
    assert.deepEqual(await dump(server.database), before)
    for (const list of [path, '/admin/v1/tokens']) {
      const { body } = await server.call('GET', `${list}?domain=${here.domainId}&limit=1000`, { key })
      const domains = new Set(body.items.map(({ domain }: { domain: { id: string } }) => domain.id))
      assert.deepEqual([...domains], [here.domainId])
    }
    assert.equal((await server.call('DELETE', `${path}/${mine}`, { key })).status, 204)
  })

  it('T38: a key that authenticates cannot read what others were asked, known session or not', async () => {
    const { sid } = await (await newPhone(server)).ask()
    const key = await newApiKey(server, 'auth')
    for (const end of ['', `/${sid}`, `/${'0'.repeat(40)}`]) {
      assert.equal(refusal(await server.call('GET', path + end, { key })).code, 'api.error.forbidden')
    }
    const read = await newApiKey(server, 'read')
    assert.equal(refusal(await server.call('DELETE', `${path}/${sid}`, { key: read })).code, 'api.error.forbidden')
  })

  it('a filter that cannot be is refused by its name', async () => {
    for (const query of ['state=open', 'since=yesterday', 'until=1', 'domain=x', 'after=WzFd', 'tid=1']) {
      const reply = await server.call('GET', `${path}?${query}`)
      assert.equal(reply.status, 400, query)
      assert.match(reply.body.errors[0].message, new RegExp(`^${query.split('=')[0]}: `), query)
    }
  })
})
