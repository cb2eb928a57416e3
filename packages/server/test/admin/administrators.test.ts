import assert from 'node:assert/strict'
import { after, before, it } from 'node:test'
import type { Role } from '../../src/core/actors.ts'
import { asPanel, newAdministrator, secretOf, useLink } from '../support/administrators.ts'
import { auditOf } from '../support/audit.ts'
import { onEveryEngine } from '../support/engines.ts'
import { refusal } from '../support/phones.ts'
import { startTestServer, type TestServer } from '../support/server.ts'
import { dump } from '../support/sql.ts'

const path = '/admin/v1/administrators'

onEveryEngine((engine) => {
  let server: TestServer
  before(async () => {
    server = await startTestServer(engine)
  })
  after(() => server.stop())

  const create = (body: object, key?: string) => server.call('POST', path, { body, ...(key && { key }) })
  const change = (at: string, body: object, headers = {}) => server.call('PATCH', at, { body, headers })
  const remove = (at: string, headers = {}) => server.call('DELETE', at, { headers })
  const show = async (at: string) => (await server.call('GET', at)).body

  it('an administrator is created, shown and listed by address; nobody is written to', async () => {
    const reply = await create({ email: 'Zoe@Example.org', name: ' Zoe ', role: 'auditor' })
    assert.equal(reply.status, 201)
    const zoe = reply.body
    assert.deepEqual(zoe, {
      ...{ id: zoe.id, email: 'Zoe@Example.org', name: 'Zoe', role: 'auditor', disabled: false },
      ...{ createdAt: new Date(server.clock.now()).toISOString(), lastSignInAt: null },
    })
    const shown = await server.call('GET', `${path}/${zoe.id}`)
    assert.deepEqual([shown.body, shown.headers.get('etag')], [zoe, reply.headers.get('etag')])
    await create({ email: 'adam@example.org', name: 'Adam', role: 'admin' })
    const first = (await server.call('GET', `${path}?limit=1`)).body
    assert.equal(first.items[0].email, 'adam@example.org')
    const rest = (await server.call('GET', `${path}?after=${first.next}`)).body
    assert.deepEqual(rest.items.at(-1), zoe)
    assert.deepEqual((await server.call('GET', path, { key: server.other.apiKey })).body, { items: [] })
  })

  it('an address belongs to one administrator of an organization, in whatever case; in parallel, too', async () => {
    const body = { name: 'Dora', role: 'admin' }
    const emails = ['dora@example.org', 'DORA@example.org', 'dora@EXAMPLE.org']
    const replies = await Promise.all(emails.map((email) => create({ ...body, email })))
    assert.deepEqual(replies.map(({ status }) => status).sort(), [201, 400, 400])
    assert.equal(refusal(await create({ ...body, email: 'dora@example.org' })).code, 'api.error.conflict.email')
    assert.equal((await create({ ...body, email: 'dora@example.org' }, server.other.apiKey)).status, 201)
  })

  it('what cannot be is refused by its name, and changes nothing', async () => {
    const { path: at } = await newAdministrator(server)
    const before = await dump(server.database)
    for (const [field, wrong] of [
      ['email', { email: '' }],
      ['email', { email: 'nobody' }],
      ['email', { email: 'a\u200b@example.org' }],
      ['name', { name: ' ' }],
      ['role', { role: 'root' }],
      ['id', { id: 'x' }],
    ] as const) {
      const body = { email: 'new@example.org', name: 'New', role: 'admin', ...wrong }
      for (const reply of [await create(body), await change(at, wrong)]) {
        assert.equal(reply.status, 400, reply.text)
        assert.match(reply.body.errors[0].message, new RegExp(`^${field}: `))
      }
    }
    assert.match((await change(at, { disabled: 1 })).body.errors[0].message, /^disabled: /)
    assert.deepEqual(await dump(server.database), before)
  })

  it('each change is in the log with what it was; the same again is no change', async () => {
    const { id, path: at } = await newAdministrator(server)
    for (const [name, was, is] of [
      ['role', 'admin', 'helpdesk'],
      ['disabled', false, true],
    ] as const) {
      assert.equal((await change(at, { [name]: is })).body[name], is)
      const [event] = (await auditOf(server, { event: 'administrator.updated' })).slice(-1)
      assert.deepEqual(event?.data, { id, [name]: { was, is } })
    }
    const before = await dump(server.database)
    await change(at, { role: 'helpdesk', disabled: true })
    assert.deepEqual(await dump(server.database), before)
    assert.equal((await remove(at)).status, 204)
    for (const event of ['administrator.created', 'administrator.deleted'])
      assert.ok((await auditOf(server, { event })).some(({ data }) => data.id === id))
    assert.equal(refusal(await remove(at)).code, 'api.error.notfound.administrator')
  })

  it('another organization learns nothing of an administrator, and cannot touch one', async () => {
    const { path: at } = await newAdministrator(server)
    const key = server.other.apiKey
    for (const foreign of [at, `${path}/${'1'.repeat(40)}`]) {
      for (const reply of [
        await server.call('GET', foreign, { key }),
        await server.call('PATCH', foreign, { key, body: { role: 'owner' } }),
        await server.call('DELETE', foreign, { key }),
        await server.call('POST', `${foreign}/sign-in-link`, { key }),
      ]) {
        assert.deepEqual(refusal(reply), { status: 404, code: 'api.error.notfound.administrator' })
      }
    }
  })

  it('of two who saw the same administrator, the second is told; signing in is no edit', async () => {
    const administrator = await newAdministrator(server)
    const at = administrator.path
    const seen = { 'if-match': (await server.call('GET', at)).headers.get('etag') ?? '' }
    await administrator.signIn()
    const replies = await Promise.all(['One', 'Two'].map((name) => change(at, { name }, seen)))
    assert.deepEqual(replies.map(({ status }) => status).sort(), [200, 412])
    assert.equal((await remove(at, seen)).status, 412)
  })

  it('T38: only an owner changes administrators, and nobody makes a key that can do more than oneself', async () => {
    const victim = await newAdministrator(server, 'helpdesk')
    const { items } = (await server.call('GET', '/admin/v1/api-keys')).body
    const admitted: Record<Role, number> = { owner: 201, admin: 403, helpdesk: 403, auditor: 403 }
    for (const [role, status] of Object.entries(admitted) as [Role, number][]) {
      const panel = asPanel(server, await (await newAdministrator(server, role)).signIn())
      const key = (scope: string) => panel('POST', 'api-keys', { name: 'Mine', scope })
      assert.equal((await key('admin')).status, status, role)
      assert.equal((await key('enroll')).status, role === 'admin' ? 201 : status, role)
      const first = `api-keys/${items[0].id}`
      assert.equal((await panel('PATCH', first, { name: role })).status, status === 201 ? 200 : 403, role)
      if (role !== 'owner') assert.equal((await panel('POST', `${first}/rotate`)).status, 403, role)
      const made = await panel('POST', 'administrators', { email: `${role}@example.net`, name: 'New', role: 'owner' })
      assert.equal(made.status, status, role)
      assert.equal((await panel('POST', `administrators/${victim.id}/sign-in-link`)).status, status, role)
      if (status === 201) continue
      assert.equal((await panel('PATCH', `administrators/${victim.id}`, { role: 'owner' })).status, 403, role)
      assert.equal((await panel('DELETE', `administrators/${victim.id}`)).status, 403, role)
    }
    assert.equal((await show(victim.path)).role, 'helpdesk')
  })

  it('the last owner stays one, whoever asks; one who is disabled does not count', async () => {
    const key = server.other.apiKey
    const created = async (email: string, role: string) =>
      `${path}/${(await create({ email, name: 'Owner', role }, key)).body.id}`
    const last = await created('last@example.org', 'owner')
    const other = await created('other@example.org', 'owner')
    await created('admin@example.org', 'admin')
    const as = (method: string, at: string, body?: object) => server.call(method, at, { key, body })
    assert.equal((await as('PATCH', other, { disabled: true })).status, 200)
    const before = await dump(server.database)
    for (const reply of [
      await as('PATCH', last, { role: 'admin' }),
      await as('PATCH', last, { disabled: true }),
      await as('DELETE', last),
    ]) {
      assert.equal(refusal(reply).code, 'api.error.conflict.lastowner')
    }
    assert.deepEqual(await dump(server.database), before)
    assert.equal((await as('PATCH', last, { name: 'Renamed' })).status, 200)
    assert.equal((await as('PATCH', other, { disabled: false })).status, 200)
    assert.equal((await as('DELETE', last)).status, 204)
  })

  it('owners who take the role from each other at once leave one of them', async () => {
    const key = server.other.apiKey
    const takes = {
      demote: (at: string) => server.call('PATCH', at, { key, body: { role: 'admin' } }),
      disable: (at: string) => server.call('PATCH', at, { key, body: { disabled: true } }),
      delete: (at: string) => server.call('DELETE', at, { key }),
    }
    for (const [name, take] of Object.entries(takes)) {
      for (let number = 0; number < 4; number++) {
        await create({ email: `${name}${number}@example.org`, name: 'Owner', role: 'owner' }, key)
      }
      const { items } = (await server.call('GET', path, { key })).body
      const owners = items.filter((one: { role: string; disabled: boolean }) => one.role === 'owner' && !one.disabled)
      const replies = await Promise.all(owners.map(({ id }: { id: string }) => take(`${path}/${id}`)))
      assert.equal(replies.filter(({ status }) => status >= 400).length, 1, name)
    }
  })

  it('a sign-in link names the panel, lives a quarter of an hour, and voids the one before', async () => {
    const administrator = await newAdministrator(server)
    const first = await server.call('POST', `${administrator.path}/sign-in-link`)
    assert.match(first.body.link, /^http:\/\/localhost:\d+\/panel#sign-in=[\w-]{43}$/)
    assert.equal(first.body.expiresAt, new Date(server.clock.now() + 900_000).toISOString())
    const second = await administrator.link()
    assert.equal((await useLink(server, secretOf(first))).status, 401)
    assert.ok(!JSON.stringify(await dump(server.database)).includes(second), 'the secret is nowhere')
    server.clock.advance(900_000 - 1)
    assert.equal((await useLink(server, second)).status, 201)
    const third = await administrator.link()
    server.clock.advance(900_000)
    assert.equal((await useLink(server, third)).status, 401)
    await change(administrator.path, { disabled: true })
    const refused = await server.call('POST', `${administrator.path}/sign-in-link`)
    assert.match(refused.body.errors[0].message, /^administratorId: .*disabled/)
  })
})
