import assert from 'node:assert/strict'
import { after, before, it } from 'node:test'
import { auditOf } from '../support/audit.ts'
import { asOther, judged, newFob } from '../support/codes.ts'
import { onEveryEngine } from '../support/engines.ts'
import { newUser, refusal } from '../support/phones.ts'
import { startTestServer, type TestServer } from '../support/server.ts'
import { dump } from '../support/sql.ts'

const path = '/admin/v1/hardware'
const seed = '3f1c0a97e25bd4886e0f7a31c9d2b54e60817fa3'

onEveryEngine((engine) => {
  let server: TestServer
  before(async () => {
    server = await startTestServer(engine)
  })
  after(() => server.stop())

  const token = (serialNumber: string) => ({ serialNumber, type: 'TOTP6', timeStep: 30, seed })
  const create = (serialNumber: string) => server.call('POST', path, { body: token(serialNumber) })
  const given = (userId: string, id: string) => `/admin/v1/users/${userId}/hardware/${id}`
  const serials = async (query: string) =>
    (await server.call('GET', `${path}?${query}`)).body.items.map((item: { serialNumber: string }) => item.serialNumber)

  it('a token is registered and shown without its seed, and both APIs have it', async () => {
    const reply = await create('ONE-1')
    assert.equal(reply.status, 201)
    const { id, ...rest } = reply.body
    assert.deepEqual(rest, {
      alias: `HW-${id.slice(0, 8)}`,
      serialNumber: 'ONE-1',
      type: 'TOTP6',
      timeStep: 30,
      syncState: 'Never Used',
      user: null,
      drift: 0,
      createdAt: new Date(server.clock.now()).toISOString(),
    })
    const shown = await server.call('GET', `${path}/${id}`)
    assert.deepEqual([shown.body, shown.headers.get('etag')], [reply.body, reply.headers.get('etag')])
    assert.equal((await server.call('GET', `/api/hardware/${id}`)).body.serialNumber, 'ONE-1')
    assert.equal(refusal(await create('ONE-1')).code, 'api.error.conflict.serialnumber')
    assert.ok(!JSON.stringify(await dump(server.database)).includes(seed))
  })

  it('what cannot be is refused by its name, and nothing is made', async () => {
    const before = await dump(server.database)
    for (const wrong of [
      { serialNumber: '' },
      { type: 'HOTP6' },
      { timeStep: 45 },
      { timeStep: '30s' },
      { seed: 'xyz' },
      { seed: 'ab' },
      { user: server.acme.alice },
    ]) {
      const reply = await server.call('POST', path, { body: { ...token('WRONG'), ...wrong } })
      assert.equal(reply.status, 400, reply.text)
      assert.match(reply.body.errors[0].message, new RegExp(`^${Object.keys(wrong)[0]}: `))
    }
    assert.deepEqual(await dump(server.database), before)
  })

  it('the list goes by serial number, of those that begin so and of those that somebody has or nobody', async () => {
    const names = ['L-10', 'L-2', 'L-1', 'L-1~', 'L-3', 'M-1']
    const ids = new Map<string, string>()
    for (const name of names) ids.set(name, (await create(name)).body.id)
    for (const name of ['L-2', 'L-1~']) {
      const { userId } = await newUser(server)
      assert.equal((await server.call('PUT', given(userId, ids.get(name) ?? ''))).status, 204)
    }
    assert.deepEqual(await serials('q=L-'), ['L-1', 'L-10', 'L-1~', 'L-2', 'L-3'])
    assert.deepEqual(await serials('q=L-1'), ['L-1', 'L-10', 'L-1~'])
    assert.deepEqual(await serials('q=L-&assigned=true'), ['L-1~', 'L-2'])
    assert.deepEqual(await serials('q=L-&assigned=false'), ['L-1', 'L-10', 'L-3'])
    assert.deepEqual(await serials('q=%25'), [])
    const first = await server.call('GET', `${path}?q=L-&limit=2`)
    assert.deepEqual(await serials(`q=L-&limit=3&after=${first.body.next}`), ['L-1~', 'L-2', 'L-3'])
    for (const query of ['q=', 'assigned=yes', 'after=WzFd', 'page=2']) {
      assert.equal((await server.call('GET', `${path}?${query}`)).status, 400, query)
    }
  })

  it('of two who rename a token they both saw, the second is told', async () => {
    const { body, headers } = await create('RENAMED')
    const rename = (alias: string, etag: string) =>
      server.call('PATCH', `${path}/${body.id}`, { body: { alias }, headers: { 'if-match': etag } })
    const seen = headers.get('etag') ?? ''
    const replies = await Promise.all([rename('A', seen), rename('B', seen)])
    assert.deepEqual(replies.map(({ status }) => status).sort(), [200, 412])
    assert.equal((await rename('C', '*')).body.alias, 'C')
    assert.equal((await server.call('PATCH', `${path}/${body.id}`, { body: { serialNumber: 'X' } })).status, 400)
  })

  it('a token is given to one user only, and taken away from that user only', async () => {
    const fob = await newFob(server, undefined)
    const [alice, bob] = [await newUser(server), await newUser(server)]
    const replies = await Promise.all([alice, bob].map(({ userId }) => server.call('PUT', given(userId, fob.id))))
    assert.deepEqual(replies.map(({ status }) => status).sort(), [204, 400])
    const { user } = (await server.call('GET', `${path}/${fob.id}`)).body
    const stranger = user === alice.userId ? bob.userId : alice.userId
    assert.equal(refusal(await server.call('DELETE', given(stranger, fob.id))).code, 'api.error.notfound.hardware')
    assert.equal(await judged(server, { id: user }, { otp: fob.otp() }), 'approved')
    const another = await newFob(server, user)
    assert.equal(refusal(await server.call('DELETE', given(user, fob.id))).code, 'api.error.notfound.hardware')
    assert.equal((await server.call('DELETE', given(user, another.id))).status, 204)
    assert.equal((await server.call('PUT', given(stranger, fob.id))).status, 204)
  })

  it('another organization finds no token, and a forgotten one is gone', async () => {
    const { id } = (await create('MINE')).body
    const other = asOther(server)
    const code = 'api.error.notfound.hardware'
    const resync = { body: { otp1: '123456', otp2: '234567' } }
    assert.equal(refusal(await other.call('GET', `${path}/${id}`)).code, code)
    assert.equal(refusal(await other.call('PATCH', `${path}/${id}`, { body: { alias: 'X' } })).code, code)
    assert.equal(refusal(await other.call('DELETE', `${path}/${id}`)).code, code)
    assert.equal(refusal(await other.call('POST', `${path}/${id}/resync`, resync)).code, code)
    assert.equal(refusal(await other.call('PUT', given(server.other.mallory, id))).code, code)
    assert.equal(refusal(await other.call('PUT', given(server.acme.alice, id))).code, 'api.error.notfound.user')
    assert.deepEqual((await other.call('GET', path)).body, { items: [] })
    assert.equal((await server.call('DELETE', `${path}/${id}`)).status, 204)
    assert.equal(refusal(await server.call('DELETE', `${path}/${id}`)).code, code)
  })

  it('a file is imported with the reason for each token that is not; a dry run changes nothing', async () => {
    await create('FILE-2')
    const file = `FILE-1,${seed}\nFILE-2,${seed}\nFILE-3,xyz\n`
    const before = await dump(server.database)
    const dry = await server.call('POST', `${path}/import?dryRun=true`, { body: file })
    assert.deepEqual(await dump(server.database), before)
    const reply = await server.call('POST', `${path}/import`, { body: file })
    assert.deepEqual([reply.status, reply.body], [200, dry.body])
    assert.equal(reply.body.imported, 1)
    assert.deepEqual(
      reply.body.refused.map(({ line }: { line: number }) => line),
      [2, 3],
    )
    assert.ok(!reply.text.includes(seed))
    assert.deepEqual(await serials('q=FILE-'), ['FILE-1', 'FILE-2'])
    assert.equal((await server.call('POST', `${path}/import`)).status, 400)
  })

  it('of many refusals a hundred are named and all are counted, and a file of more than 10,000 is not read', async () => {
    const names = (count: number) => Array.from({ length: count }, (_, index) => `MANY-${index}`)
    const csv = (count: number) =>
      names(count)
        .map((name) => `${name},zz`)
        .join('\n')
    const pskc = (count: number) =>
      `<KeyContainer Version="1.0" xmlns="urn:ietf:params:xml:ns:keyprov:pskc">${'<KeyPackage/>'.repeat(count)}</KeyContainer>`
    for (const file of [csv, pskc]) {
      const { body } = await server.call('POST', `${path}/import`, { body: file(10_000) })
      assert.deepEqual([body.imported, body.refused.length, body.refusedTotal], [0, 100, 10_000])
      const many = await server.call('POST', `${path}/import`, { body: file(10_001) })
      assert.deepEqual([many.status, refusal(many).code], [400, 'api.error.badrequest'])
      assert.match(many.body.errors[0].message, /^The file has more than 10000 tokens/)
    }
  })

  it('everything that is done to a token is in the log, and its seed is not', async () => {
    const { userId } = await newUser(server)
    const { id } = (await create('LOGGED')).body
    await server.call('PUT', given(userId, id))
    await server.call('DELETE', given(userId, id))
    await server.call('PATCH', `${path}/${id}`, { body: { alias: 'Logged' } })
    await server.call('DELETE', `${path}/${id}`)
    const events: { event: string; data: Record<string, unknown> }[] = []
    for (const event of ['created', 'assigned', 'unassigned', 'updated', 'deleted']) {
      events.push(...(await auditOf(server, { event: `hardware.${event}` })).filter(({ data }) => data.id === id))
    }
    assert.equal(events.length, 5)
    assert.ok(!JSON.stringify(events).includes(seed))
  })
})
