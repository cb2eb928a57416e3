import assert from 'node:assert/strict'
import { after, before, it } from 'node:test'
import { writeKeyUses } from '../../src/core/key-uses.ts'
import { newApiKey } from '../support/api-keys.ts'
import { auditOf } from '../support/audit.ts'
import { onEveryEngine } from '../support/engines.ts'
import { refusal } from '../support/phones.ts'
import { startTestServer, type TestServer } from '../support/server.ts'
import { dump, sql } from '../support/sql.ts'

const path = '/admin/v1/api-keys'
const hourMs = 3_600_000

onEveryEngine((engine) => {
  let server: TestServer
  before(async () => {
    server = await startTestServer(engine)
  })
  after(() => server.stop())

  const iso = (ms = 0) => new Date(server.clock.now() + ms).toISOString()
  const post = (body: object, key?: string) => server.call('POST', path, { body, ...(key && { key }) })
  const create = async (body: object = {}) => (await post({ name: 'A key', scope: 'auth', ...body })).body
  const rotate = (id: string, body?: object, headers = {}) =>
    server.call('POST', `${path}/${id}/rotate`, { body, headers })
  const change = (id: string, body: object, headers = {}) => server.call('PATCH', `${path}/${id}`, { body, headers })
  const show = async (id: string) => (await server.call('GET', `${path}/${id}`)).body
  const statusWith = async (key: string) => (await server.call('GET', '/api/ping', { key })).status

  it('a key is shown once, works at once, and is listed by its first characters', async () => {
    server.clock.advance(1)
    const reply = await post({ name: ' Mail\u202e ', scope: 'auth' })
    assert.equal(reply.status, 201)
    const { apiKey, ...key } = reply.body
    assert.match(apiKey, /^[0-9A-Za-z]{64}$/)
    assert.deepEqual(key, {
      ...{ id: key.id, name: 'Mail', prefix: apiKey.slice(0, 6), scope: 'auth', domainIds: null },
      ...{ createdAt: iso(), expiresAt: null, revokedAt: null, lastUsedAt: null },
    })
    assert.equal(await statusWith(apiKey), 200)
    const shown = await server.call('GET', `${path}/${key.id}`)
    assert.deepEqual([shown.body, shown.headers.get('etag')], [key, reply.headers.get('etag')])
    const { items } = (await server.call('GET', path)).body
    assert.deepEqual(items.at(-1), key)
    assert.ok(!JSON.stringify(await dump(server.database)).includes(apiKey), 'the key is nowhere')
  })

  it('T38: a key that is bound to domains works in them only, and makes, changes and reads no key', async () => {
    const { domainId, pinDomainId } = server.acme
    const bound = await create({ scope: 'admin', domainIds: [domainId.toUpperCase(), domainId] })
    assert.deepEqual(bound.domainIds, [domainId])
    const ask = async (method: string, path: string, body?: object) =>
      (await server.call(method, path, { key: bound.apiKey, body })).status
    assert.equal(await ask('GET', `/api/domains/${domainId}`), 200)
    assert.equal(await ask('GET', `/api/domains/${pinDomainId}`), 403)
    const before = await dump(server.database)
    for (const [method, at, body] of [
      ['GET', ''],
      ['POST', '', { name: 'More', scope: 'auth' }],
      ['GET', `/${bound.id}`],
      ['PATCH', `/${bound.id}`, { domainIds: null }],
      ['POST', `/${bound.id}/rotate`],
      ['DELETE', `/${bound.id}`],
    ] as const) {
      assert.equal(await ask(method, `${path}${at}`, body), 403, `${method} ${at}`)
    }
    assert.deepEqual(await dump(server.database), before)
    assert.equal((await change(bound.id, { domainIds: null })).status, 200)
    assert.equal(await ask('GET', `/api/domains/${pinDomainId}`), 200)
  })

  it('T38: no other scope than admin makes, changes or reads keys', async () => {
    const { id } = await create()
    for (const scope of ['auth', 'read', 'enroll'] as const) {
      const key = await newApiKey(server, scope)
      for (const reply of [
        await post({ name: 'More', scope: 'auth' }, key),
        await server.call('GET', path, { key }),
        await server.call('PATCH', `${path}/${id}`, { key, body: { name: 'Mine' } }),
        await server.call('DELETE', `${path}/${id}`, { key }),
        await server.call('POST', `${path}/${id}/rotate`, { key }),
      ]) {
        assert.equal(refusal(reply).code, 'api.error.forbidden')
      }
    }
  })

  it('what cannot be is refused by its name, and changes nothing', async () => {
    const { id } = await create()
    const before = await dump(server.database)
    for (const [field, wrong] of [
      ['name', { name: ' \u200b ' }],
      ['name', { name: 'x'.repeat(129) }],
      ['expiresAt', { expiresAt: iso() }],
      ['expiresAt', { expiresAt: '2027-02-30T00:00:00Z' }],
      ['domainIds', { domainIds: [] }],
      ['domainIds', { domainIds: ['x'] }],
      ['domainIds[1]', { domainIds: [server.acme.domainId, server.other.domainId] }],
      ['prefix', { prefix: 'abcdef' }],
    ] as const) {
      for (const reply of [await change(id, wrong), await post({ name: 'New', scope: 'auth', ...wrong })]) {
        assert.equal(reply.status, 400, JSON.stringify(wrong))
        assert.ok(reply.body.errors[0].message.startsWith(`${field}: `), reply.text)
      }
    }
    assert.match(refusalText(await change(id, { scope: 'admin' })), /^scope: /)
    assert.match(refusalText(await post({ name: 'New', scope: 'root' })), /^scope: /)
    for (const overlapHours of [-1, 721, 1.5, '1'])
      assert.match(refusalText(await rotate(id, { overlapHours })), /^overlapHours: /)
    assert.deepEqual(await dump(server.database), before)
  })

  it('another organization learns nothing of a key, and cannot touch it', async () => {
    const { id } = await create()
    const key = server.other.apiKey
    for (const foreign of [id, '1'.repeat(40)]) {
      for (const [method, at] of [
        ['GET', ''],
        ['PATCH', ''],
        ['DELETE', ''],
        ['POST', '/rotate'],
      ] as const) {
        const reply = await server.call(method, `${path}/${foreign}${at}`, {
          key,
          ...(method !== 'GET' && { body: {} }),
        })
        assert.deepEqual(refusal(reply), { status: 404, code: 'api.error.notfound.apikey' })
      }
    }
    const { items } = (await server.call('GET', path, { key })).body
    assert.deepEqual(
      items.map((one: { name: string }) => one.name),
      ['first key'],
    )
  })

  it('each change is in the log with what it was, and never with the key', async () => {
    const { id, apiKey } = await create({ name: 'Logged' })
    const actor = { actor_kind: 'api-key' }
    for (const [name, value] of Object.entries({
      name: 'Renamed',
      domainIds: [server.acme.domainId],
      expiresAt: iso(hourMs),
    })) {
      assert.deepEqual((await change(id, { [name]: value })).body[name], value)
      const [event] = (await auditOf(server, { event: 'api_key.updated', ...actor })).slice(-1)
      assert.deepEqual([event?.data.id, event?.data[name]], [id, { was: name === 'name' ? 'Logged' : null, is: value }])
    }
    const rotated = (await rotate(id)).body
    await server.call('DELETE', `${path}/${id}`)
    const log = JSON.stringify(await sql(server.database, 'select data from audit_events'))
    for (const event of ['api_key.created', 'api_key.rotated', 'api_key.revoked'])
      assert.ok(
        (await auditOf(server, { event, ...actor })).some(({ data }) => data.id === id),
        event,
      )
    for (const secret of [apiKey, rotated.apiKey]) assert.ok(!log.includes(secret))
    assert.deepEqual(rotated.domainIds, [server.acme.domainId])
  })

  it('the list goes on where a part of it ended', async () => {
    for (let number = 0; number < 3; number++) await create()
    const whole = (await server.call('GET', path)).body.items
    const seen: object[] = []
    for (let after: string | undefined = ''; after !== undefined; ) {
      const { body } = await server.call('GET', `${path}?limit=2${after && `&after=${after}`}`)
      assert.ok(body.items.length <= 2)
      seen.push(...body.items)
      after = body.next
    }
    assert.deepEqual(seen, whole)
  })

  it('a revoked key is refused from the next request on, and stays listed as it was revoked first', async () => {
    const { id, apiKey } = await create()
    assert.equal(await statusWith(apiKey), 200)
    const revokedAt = iso()
    assert.equal((await server.call('DELETE', `${path}/${id}`)).status, 204)
    assert.equal(await statusWith(apiKey), 401)
    server.clock.advance(1)
    assert.equal((await server.call('DELETE', `${path}/${id}`)).status, 204)
    assert.equal((await show(id)).revokedAt, revokedAt)
    const events = await auditOf(server, { event: 'api_key.revoked' })
    assert.equal(events.filter(({ data }) => data.id === id).length, 1)
    for (const reply of [await change(id, { expiresAt: null }), await rotate(id)])
      assert.match(refusalText(reply), /^keyId: .*revoked/)
    assert.equal(await statusWith(apiKey), 401)
  })

  it('an expired key is refused to the millisecond, and nothing brings it back', async () => {
    const { id, apiKey } = await create({ expiresAt: iso(hourMs) })
    server.clock.advance(hourMs - 1)
    assert.equal(await statusWith(apiKey), 200)
    server.clock.advance(1)
    assert.equal(await statusWith(apiKey), 401)
    assert.match(refusalText(await change(id, { expiresAt: iso(hourMs) })), /^keyId: /)
  })

  it('after a rotation both keys work until the overlap is over, then only the new one', async () => {
    for (const [body, overlapHours] of [
      [{}, 24],
      [undefined, 24],
      [{ overlapHours: 1 }, 1],
      [{ overlapHours: 0 }, 0],
    ] as const) {
      const old = await create({ name: 'Turning', scope: 'read', domainIds: [server.acme.domainId] })
      const reply = await rotate(old.id, body)
      assert.equal(reply.status, 201)
      const { id, apiKey, prefix, name, scope, domainIds, expiresAt } = reply.body
      assert.notEqual(id, old.id)
      assert.equal(prefix, apiKey.slice(0, 6))
      assert.deepEqual([name, scope, domainIds, expiresAt], ['Turning', 'read', [server.acme.domainId], null])
      assert.equal((await show(old.id)).expiresAt, iso(overlapHours * hourMs))
      if (overlapHours > 0) {
        server.clock.advance(overlapHours * hourMs - 1)
        assert.deepEqual([await statusWith(old.apiKey), await statusWith(apiKey)], [200, 200])
        server.clock.advance(1)
      }
      assert.deepEqual([await statusWith(old.apiKey), await statusWith(apiKey)], [401, 200])
    }
  })

  it('a key that expires is replaced by one with a life as long, and expires no later for it', async () => {
    const old = await create({ expiresAt: iso(10 * hourMs) })
    server.clock.advance(4 * hourMs)
    assert.equal((await rotate(old.id)).body.expiresAt, iso(10 * hourMs))
    assert.equal((await show(old.id)).expiresAt, iso(6 * hourMs))
  })

  it('of two who saw the same key, the second is told; in parallel, too', async () => {
    const { id } = await create()
    const seen = { 'if-match': (await server.call('GET', `${path}/${id}`)).headers.get('etag') ?? '' }
    const replies = await Promise.all([
      change(id, { name: 'One' }, seen),
      change(id, { name: 'Two' }, seen),
      rotate(id, {}, seen),
    ])
    assert.equal(replies.filter(({ status }) => status === 412).length, 2)
    assert.equal((await server.call('DELETE', `${path}/${id}`, { headers: seen })).status, 412)
  })

  it('the last use is written by the minute and when the server stops, and is no edit', async () => {
    const { id, apiKey } = await create()
    const seen = { 'if-match': (await server.call('GET', `${path}/${id}`)).headers.get('etag') ?? '' }
    await statusWith(apiKey)
    assert.equal((await show(id)).lastUsedAt, null)
    await writeKeyUses(server.app)
    const first = iso()
    assert.equal((await show(id)).lastUsedAt, first)
    assert.equal((await change(id, { name: 'Used' }, seen)).status, 200)
    server.clock.advance(1_000)
    await writeKeyUses(server.app)
    assert.equal((await show(id)).lastUsedAt, first)
    await statusWith(apiKey)
    await server.restart()
    assert.equal((await show(id)).lastUsedAt, iso())
  })

  it('the last admin key can be revoked: the command line makes another one', async () => {
    const { items } = (await server.call('GET', path, { key: server.other.apiKey })).body
    const reply = await server.call('DELETE', `${path}/${items[0].id}`, { key: server.other.apiKey })
    assert.equal(reply.status, 204)
    assert.equal(await statusWith(server.other.apiKey), 401)
  })
})

function refusalText(reply: { body: { errors: { message: string }[] } }): string {
  return reply.body.errors[0]?.message ?? ''
}
