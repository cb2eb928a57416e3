import assert from 'node:assert/strict'
import { once } from 'node:events'
import { type IncomingMessage, request } from 'node:http'
import { after, before, it } from 'node:test'
import { parse } from 'csv-parse/sync'
import { auditOf } from '../support/audit.ts'
import { onEveryEngine } from '../support/engines.ts'
import { writeEvents } from '../support/events.ts'
import { newUser, refusal } from '../support/phones.ts'
import { startTestServer, type TestServer } from '../support/server.ts'
import { spyOnStorage } from '../support/spied-storage.ts'
import { sql } from '../support/sql.ts'

const path = '/admin/v1/audit/export'
const batches = 21

onEveryEngine((engine) => {
  let server: TestServer
  const spy = spyOnStorage()
  before(async () => {
    server = await startTestServer(engine, { storage: spy.storage })
  })
  after(() => server.stop())

  const read = () => spy.calls.filter((call) => call === 'audit.oldest').length
  const open = async (query: string, method = 'GET', key = server.acme.apiKey): Promise<IncomingMessage> => {
    const headers = { authorization: `LoginTC key="${key}"` }
    const sent = request(`${server.apiUrl}${path}?${query}`, { method, headers, agent: false }).end()
    const [response] = await once(sent, 'response')
    return response
  }
  const textOf = async (response: IncomingMessage) => Buffer.concat(await response.toArray()).toString()
  /** Until nothing more is read for a client that takes nothing. */
  const quiet = async () => {
    for (let turns = 0, last = -1; turns < 3_000; turns++) {
      if (read() > last || spy.running > 0) turns = 0
      last = read()
      await new Promise(setImmediate)
    }
  }

  it('JSONL has every event as the list shows it, the oldest first, and the export is one of them', async () => {
    const { body } = await server.call('GET', '/admin/v1/audit?limit=1000')
    const response = await open('')
    const lines = (await textOf(response)).split('\n')
    assert.equal(lines.pop(), '')
    assert.deepEqual(response.headers['content-type'], 'application/jsonl')
    assert.equal(response.headers['content-disposition'], 'attachment; filename="audit-2027-01-15.jsonl"')
    const events = lines.map((line) => JSON.parse(line))
    const exported = ({ event }: { event: string }) => event === 'audit.exported'
    assert.deepEqual(events.filter((event) => !exported(event)).reverse(), body.items)
    assert.equal(events.filter(exported).length, 1)
  })

  it('CSV has them with a header, and no cell that a spreadsheet takes for a formula', async () => {
    server.clock.advance(60_000)
    const since = new Date(server.clock.now()).toISOString()
    const formulas = ['=1+1', '+1', '-1', '@SUM(A1)', ' =1', 'a"b,c\nd']
    for (const [n, name] of formulas.entries()) {
      await sql(
        server.database,
        `insert into audit_events (organization_id, chain, seq, at, event, actor_kind, actor_id, data, hash)
        values (?, 98, ?, ?, 'test.formula', 'api-key', ?, '{"a":"b"}', 'none')`,
        ...[server.acme.id, n, server.clock.now(), name],
      )
    }
    const response = await open(`format=csv&since=${since}`)
    assert.equal(response.headers['content-type'], 'text/csv; charset=utf-8')
    const text = await textOf(response)
    assert.ok(text.startsWith('id,at,event,actorKind,actorId,domainId,userId,tokenId,sessionId,data,hash\r\n'))
    const rows: Record<string, string>[] = parse(text, { columns: true, record_delimiter: '\r\n' })
    const shown = rows.filter(({ event }) => event === 'test.formula')
    const escaped = ["'=1+1", "'+1", "'-1", "'@SUM(A1)", "' =1", 'a"b,c\nd']
    assert.deepEqual(
      shown.map(({ actorId }) => actorId),
      escaped,
    )
    assert.deepEqual([shown[0]?.at, shown[0]?.data, shown[0]?.userId], [since, '{"a":"b"}', ''])
    const [, last] = await auditOf(server, { event: 'audit.exported' })
    assert.deepEqual(last?.data, { format: 'csv', since })
  })

  it('for a client that does not read, little is read; nobody waits for it, and in the end it has everything', async () => {
    await writeEvents(server, 20_500, { characters: 1_500 })
    spy.calls.length = 0
    const response = await open('')
    await quiet()
    assert.ok(read() >= 1 && read() <= 12, `${read()} of ${batches} batches were read ahead`)
    server.clock.advance(1)
    const { username } = await newUser(server)
    assert.equal((await server.call('GET', '/api/ping')).status, 200)
    if (engine.name === 'postgres') {
      const open = `select 1 from pg_stat_activity where state like 'idle in transaction%' and datname = current_database()`
      assert.deepEqual(await sql(server.database, open), [])
    }
    const text = await textOf(response)
    assert.equal(text.split('\n').filter((line) => line.includes('test.common')).length, 20_500)
    assert.ok(!text.includes(username), 'what is written after its beginning is not in an export')
    assert.equal(read(), batches + 1)
  })

  it('when the client hangs up, nothing more is read', async () => {
    spy.calls.length = 0
    const response = await open('')
    await once(response, 'readable')
    response.destroy()
    await quiet()
    assert.ok(read() < batches, `${read()} batches`)
  })

  it('an export that breaks off does not look complete, and the operator is told', async () => {
    const response = await open('')
    await quiet()
    spy.failing = { call: 'audit.oldest', error: new Error('the disk is gone') }
    await assert.rejects(textOf(response), { code: 'ECONNRESET' })
    spy.failing = undefined
    assert.ok(server.logged.some((line) => line.msg === 'an answer was broken off'))
  })

  it('HEAD reads nothing', async () => {
    spy.calls.length = 0
    const response = await open('', 'HEAD')
    assert.deepEqual([response.statusCode, await textOf(response)], [200, ''])
    await quiet()
    assert.equal(read(), 0)
  })

  /** Whether one more may begin, soon; each try is given back at once. */
  const isFree = async () => {
    for (let turns = 0; turns < 100; turns++) {
      const { statusCode } = await open('', 'HEAD')
      if (statusCode === 200) return true
      assert.equal(statusCode, 429)
    }
    return false
  }

  it('of one actor two are read at a time; a third is refused until one has ended, broken off, or been hung up on', async () => {
    const endings: Record<string, (response: IncomingMessage) => Promise<unknown>> = {
      'read to its end': textOf,
      'hung up on': async (response) => response.destroy(),
      async 'broken off'(response) {
        await quiet()
        spy.failing = { call: 'audit.oldest', error: new Error('the disk is gone') }
        await assert.rejects(textOf(response))
        spy.failing = undefined
      },
    }
    for (const [name, end] of Object.entries(endings)) {
      const both = [await open(''), await open('format=csv')] as const
      const refused = await server.call('GET', path)
      assert.deepEqual(refusal(refused), { status: 429, code: 'api.error.toomanyrequests' }, name)
      assert.equal(refused.headers.get('retry-after'), '30')
      const { statusCode } = await open('', 'GET', server.other.apiKey)
      assert.equal(statusCode, 200, 'it is another actor’s')
      await end(both[0])
      assert.ok(await isFree(), name)
      const third = await open('')
      assert.deepEqual([third.statusCode, (await open('')).statusCode], [200, 429], name)
      both[1].destroy()
      third.destroy()
      assert.ok(await isFree())
    }
  })

  it('who is refused, or whose export could not be written down, takes no place', async () => {
    const began = (await auditOf(server, { event: 'audit.exported' })).length
    for (const error of [new Error('one'), new Error('two'), new Error('three')]) {
      spy.failing = { call: 'tx.audit.append', error }
      assert.equal((await server.call('GET', path)).status, 500)
      spy.failing = undefined
      assert.equal((await server.call('GET', `${path}?since=today`)).status, 400)
    }
    assert.equal((await auditOf(server, { event: 'audit.exported' })).length, began)
    const { statusCode } = await open('', 'HEAD')
    assert.equal(statusCode, 200)
  })

  it('what cannot be exported is refused by its name', async () => {
    for (const query of ['format=xml', 'since=today', 'user=x']) {
      const reply = await server.call('GET', `${path}?${query}`)
      assert.equal(reply.status, 400)
      assert.match(reply.body.errors[0].message, new RegExp(`^${query.split('=')[0]}: `), query)
    }
  })
})
