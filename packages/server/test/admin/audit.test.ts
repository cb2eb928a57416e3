import assert from 'node:assert/strict'
import { after, before, it } from 'node:test'
import { newApiKey } from '../support/api-keys.ts'
import { onEveryEngine } from '../support/engines.ts'
import { writeEvents } from '../support/events.ts'
import { newPhone, newUser, refusal } from '../support/phones.ts'
import { startTestServer, type TestServer } from '../support/server.ts'
import { sql } from '../support/sql.ts'
import { watchStatements } from '../support/statements.ts'

const path = '/admin/v1/audit'

interface Shown {
  id: string
  at: string
  event: string
  actor: { kind: string; id: string }
  [name: string]: unknown
}

onEveryEngine((engine) => {
  let server: TestServer
  before(async () => {
    server = await startTestServer(engine)
  })
  after(() => server.stop())

  const list = async (query: string): Promise<Shown[]> => (await server.call('GET', `${path}?${query}`)).body.items
  const all = async (query: string, limit: number) => {
    const parts: Shown[][] = []
    for (let next: string | undefined = ''; next !== undefined; ) {
      const after: string = next && `&after=${next}`
      const { body } = await server.call('GET', `${path}?${query}&limit=${limit}${after}`)
      parts.push(body.items)
      next = body.next
    }
    return parts
  }

  it('an event is shown as it was written, with whoever did it and whatever it is about', async () => {
    const phone = await newPhone(server)
    server.clock.advance(1)
    const request = await phone.ask()
    const [event] = await list(`user=${phone.userId}&limit=1`)
    const [row] = await sql(server.database, 'select * from audit_events where sid = ?', request.sid)
    const [{ id: keyId } = {}] = await sql(
      server.database,
      'select id from api_keys where organization_id = ?',
      server.acme.id,
    )
    assert.deepEqual(event, {
      id: `${row?.chain}-${row?.seq}`,
      at: new Date(server.clock.now()).toISOString(),
      event: 'session.created',
      actor: { kind: 'api-key', id: keyId },
      domainId: phone.domainId,
      userId: phone.userId,
      tokenId: row?.tid,
      sessionId: request.sid,
      data: JSON.parse(String(row?.data)),
      hash: row?.hash,
    })
  })

  it('each filter shows what it names and nothing else, the newest first; several filters together, too', async () => {
    const phone = await newPhone(server)
    const other = await newPhone(server, { pin: true })
    const since = new Date(server.clock.now()).toISOString()
    server.clock.advance(1_000)
    const { sid } = await phone.ask()
    await phone.device.approve(await phone.device.request())
    server.clock.advance(1_000)
    await other.ask()
    const until = new Date(server.clock.now()).toISOString()
    const [{ tid } = {}] = await sql(server.database, 'select tid from sessions where sid = ?', sid)
    const { userId: user, domainId: domain } = phone
    const [created] = await list(`user=${user}&event=session.created`)
    const cases: Record<string, (event: Shown) => boolean> = {
      [`user=${user}`]: (event) => event.userId === user,
      'event=session.created': (event) => event.event === 'session.created',
      [`domain=${domain}`]: (event) => event.domainId === domain,
      [`domain=${domain.toUpperCase()}`]: (event) => event.domainId === domain,
      [`actor=${tid}`]: (event) => event.actor.id === tid,
      'actor=command-line': (event) => event.actor.kind === 'operator',
      [`since=${since}`]: (event) => event.at >= since,
      [`until=${until}`]: (event) => event.at < until,
      [`since=${since}&until=${until}`]: (event) => event.at >= since && event.at < until,
      [`user=${user}&session=${sid}`]: (event) => event.sessionId === sid,
      [`user=${user}&token=${tid}`]: (event) => event.tokenId === tid,
      [`user=${user}&event=session.approved`]: (event) => event.userId === user && event.event === 'session.approved',
      [`domain=${domain}&actor=${created?.actor.id}&event=session.created&since=${since}`]: (event) =>
        event.domainId === domain && event.event === 'session.created' && event.at >= since,
    }
    const everything = await list('limit=1000')
    for (const [query, fits] of Object.entries(cases)) {
      const expected = everything.filter(fits)
      assert.ok(expected.length > 0, query)
      assert.deepEqual(await list(`${query}&limit=1000`), expected, query)
    }
    assert.deepEqual(
      everything.map(({ at }) => at),
      everything
        .map(({ at }) => at)
        .sort()
        .reverse(),
    )
  })

  it('what cannot be asked is refused by its name', async () => {
    const id = server.acme.alice
    for (const query of [
      `session=${id}`,
      `token=${id}`,
      'since=yesterday',
      'until=2027-02-30T00:00:00',
      'user=alice',
      'limit=0',
      'after=WzEsMl0',
      'colour=red',
    ]) {
      const reply = await server.call('GET', `${path}?${query}`)
      assert.equal(reply.status, 400, query)
      assert.match(reply.body.errors[0].message, new RegExp(`^${query.split('=')[0]}: `), query)
    }
  })

  it('A21: another organization reads nothing of this one, by whatever filter', async () => {
    const { apiKey: key } = server.other
    const { alice, domainId, id } = server.acme
    for (const query of [`user=${alice}`, `domain=${domainId}`]) {
      assert.deepEqual((await server.call('GET', `${path}?${query}`, { key })).body, { items: [] })
    }
    const { text } = await server.call('GET', `${path}?limit=1000`, { key })
    assert.ok(!text.includes(alice) && !text.includes(id))
  })

  it('a list goes on where a part of it ended, in a fixed number of statements, while events are written', async () => {
    const watched = watchStatements()
    await list('event=user.created')
    assert.equal(watched.texts.filter((text) => text.includes('audit_events')).length, 1)
    watched.stop()
    const before = (await list('limit=1000')).map(({ id }) => id)
    const parts: string[][] = []
    for (let next: string | undefined = ''; next !== undefined; ) {
      const { body } = await server.call('GET', `${path}?limit=7${next && `&after=${next}`}`)
      parts.push(body.items.map(({ id }: Shown) => id))
      next = body.next
      await newUser(server)
    }
    assert.ok(parts.slice(0, -1).every((part) => part.length === 7))
    assert.deepEqual(parts.flat(), before)
  })

  it('a search among very many events ends after a bounded number of them and says where to go on', async () => {
    const { userId } = await newUser(server)
    await writeEvents(server, 12_000, { userId, rare: 500 })
    const parts = await all(`user=${userId}&event=test.rare`, 100)
    assert.deepEqual(
      parts.map((part) => part.length),
      [0, 0, 1],
    )
    const common = await all(`user=${userId}&event=test.common`, 1_000)
    assert.equal(common.flat().length, 11_999)
    assert.equal(new Set(common.flat().map(({ id }) => id)).size, 11_999)
  })

  it('T38: a key of the scope auth or enroll reads no log, and a key of one domain that domain’s only', async () => {
    for (const scope of ['auth', 'enroll'] as const) {
      const reply = await server.call('GET', path, { key: await newApiKey(server, scope) })
      assert.equal(refusal(reply).code, 'api.error.forbidden', scope)
    }
    const { domainId, pinDomainId } = server.acme
    const key = await newApiKey(server, 'read')
    const bound = `update api_keys set domain_ids = '["${domainId}"]' where prefix = ?`
    await sql(server.database, bound, key.slice(0, 6))
    const read = (query: string) => server.call('GET', `${path}${query}`, { key })
    assert.equal((await read(`?domain=${domainId}`)).status, 200)
    for (const query of ['', `?domain=${pinDomainId}`, '/export']) {
      assert.equal(refusal(await read(query)).code, 'api.error.forbidden', query)
    }
  })
})
