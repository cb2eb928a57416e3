import assert from 'node:assert/strict'
import { after, before, beforeEach, it } from 'node:test'
import { type AuditEvent, appendEvents, theServer } from '../../src/core/audit.ts'
import { noteHeads, verifyAudit } from '../../src/main.ts'
import { onEveryEngine } from '../support/engines.ts'
import { newPhone } from '../support/phones.ts'
import { startTestServer, type TestServer } from '../support/server.ts'
import { type SqlRow, sql } from '../support/sql.ts'

/** What an attacker with a database client could put in the place of each column's value. */
const edits: Record<string, string | number> = {
  at: 1,
  event: 'x',
  actor_kind: 'x',
  actor_id: 'x',
  domain_id: 'x',
  user_id: 'x',
  tid: 'x',
  sid: 'x',
  data: '{"x":1}',
  hash: 'x',
}

onEveryEngine((engine) => {
  let server: TestServer
  let saved: { events: SqlRow[]; heads: SqlRow[] }
  before(async () => {
    server = await startTestServer(engine)
    const phone = await newPhone(server)
    for (let count = 0; count < 4; count++) {
      const request = await phone.ask()
      await (count % 2 ? phone.device.approve(request) : phone.device.deny(request))
    }
    saved = {
      events: await sql(server.database, 'select * from audit_events'),
      heads: await sql(server.database, 'select * from audit_heads'),
    }
  })
  beforeEach(() => undo())
  after(() => server.stop())

  it('a log that nobody touched is whole, and the report says how much there is of it', async () => {
    const report = await verifyAudit(server.app)
    assert.deepEqual(report, { chains: saved.heads.length, events: saved.events.length })
    await server.restart()
    assert.deepEqual(await verifyAudit(server.app), report)
  })

  it('T39: any edit of any column is found, and the row is named', async () => {
    const row = await victim()
    for (const [column, value] of Object.entries(edits)) {
      await change(row, column, value)
      assert.deepEqual(await flaw(), at(row, 'the row is not as it was written'), column)
      await change(row, column, row[column] as string | null)
    }
    assert.equal(await flaw(), undefined)
    for (const column of ['domain_id', 'user_id', 'tid', 'sid']) {
      const own = saved.events.filter(({ organization_id }) => organization_id === row.organization_id)
      const filled = own.find((other) => other[column] !== null) ?? assert.fail()
      await change(filled, column, null)
      assert.deepEqual(await flaw(), at(filled, 'the row is not as it was written'), `${column} null`)
      await change(filled, column, filled[column] as string)
      const empty = own.find((other) => other[column] === null) ?? assert.fail()
      await change(empty, column, '')
      assert.deepEqual(await flaw(), at(empty, 'the row is not as it was written'), `${column} empty`)
      await change(empty, column, null)
    }
  })

  it('T39: a deleted row is missed, also after a restart, and also when those after it were moved up', async () => {
    const row = await victim()
    await sql(server.database, `delete from audit_events where ${place(row)}`)
    assert.deepEqual(await flaw(), at(row, 'the row is missing'))
    await server.restart()
    assert.deepEqual(await flaw(), at(row, 'the row is missing'))
    await moveUp(row, -1)
    assert.deepEqual(await flaw(), at(row, 'the row is not as it was written'))
  })

  it('T39: an inserted row is found, in the middle, at the end, before the beginning and in a chain of its own', async () => {
    const row = await victim()
    await moveUp(row, 1)
    await restore('audit_events', [{ ...row, event: 'x' }])
    assert.equal((await flaw())?.seq, Number(row.seq))
    for (const seq of [Number((await last(row)).seq) + 1, 0, -1]) {
      await undo()
      await restore('audit_events', [{ ...row, seq }])
      assert.ok(await flaw(), `seq ${seq}`)
    }
    await undo()
    await restore('audit_events', [{ ...row, chain: 999, seq: 1 }])
    assert.equal((await flaw())?.chain, 999)
  })

  it('T39: two rows that changed places are found', async () => {
    const row = await victim()
    const next = saved.events.find((other) => sameChain(other, row) && Number(other.seq) === Number(row.seq) + 1)
    assert.ok(next)
    await sql(server.database, `delete from audit_events where ${place(row)}`)
    await sql(server.database, `delete from audit_events where ${place(next)}`)
    await restore('audit_events', [
      { ...row, seq: next.seq },
      { ...next, seq: row.seq },
    ])
    assert.deepEqual(await flaw(), at(row, 'the row is not as it was written'))
  })

  it('T39: a row of another chain or organization does not fit in', async () => {
    const row = await victim()
    const other = saved.events.find((candidate) => candidate.organization_id === server.other.id)
    assert.ok(other)
    await sql(server.database, `delete from audit_events where ${place(row)}`)
    await restore('audit_events', [{ ...other, organization_id: row.organization_id, chain: row.chain, seq: row.seq }])
    assert.deepEqual(await flaw(), at(row, 'the row is not as it was written'))
  })

  it('T39: a tail that was cut off is missed at its head', async () => {
    const end = await last(await victim())
    await sql(server.database, `delete from audit_events where ${place(end)}`)
    assert.deepEqual(await flaw(), at(end, 'the end of the chain was cut off'))
  })

  it('T39: a head that was moved, changed or removed is found', async () => {
    const row = await victim()
    const { organization_id, chain } = row
    const where = `organization_id = '${organization_id}' and chain = ${chain}`
    await sql(server.database, `update audit_heads set hash = 'x' where ${where}`)
    assert.equal((await flaw())?.problem, 'the head of the chain was changed')
    await undo()
    await sql(server.database, `update audit_heads set seq = seq - 1 where ${where}`)
    assert.equal((await flaw())?.problem, 'the head of the chain was changed')
    await undo()
    await sql(server.database, `delete from audit_heads where ${where}`)
    assert.equal((await flaw())?.problem, 'the head of the chain is missing')
  })

  it('T39: a tail cut together with its head is found by a head that was noted elsewhere, and only by it', async () => {
    const noted = await noteHeads(server.app)
    assert.deepEqual((await verifyAudit(server.app, noted)).flaw, undefined)
    const end = await last(await victim())
    await cutWithHead(end)
    assert.equal(await flaw(), undefined, 'the chain alone cannot show it')
    assert.deepEqual(
      (await verifyAudit(server.app, noted)).flaw,
      at(end, 'the row that was noted as the head is missing'),
    )
  })

  it('T39: what replaced a cut tail is found by the noted head, and so is the loss of the note itself', async () => {
    const noted = await noteHeads(server.app)
    const end = await last(await victim())
    await cutWithHead(end)
    await append(end, 1)
    assert.equal(await flaw(), undefined)
    const found = (await verifyAudit(server.app, noted)).flaw
    assert.deepEqual(found, at(end, 'the row is not the one that was noted as the head'))
    await sql(server.database, `delete from audit_events where organization_id = ''`)
    await sql(server.database, `delete from audit_heads where organization_id = ''`)
    assert.equal((await verifyAudit(server.app, noted)).flaw?.problem, 'the noted head is not in the log')
  })

  it('T39: a row of a past that was rolled back does not fit into what came instead', async () => {
    const end = await last(await victim())
    await cutWithHead(end)
    await append(end, 2)
    assert.equal(await flaw(), undefined)
    await sql(server.database, `delete from audit_events where ${place(end)}`)
    await restore('audit_events', [end])
    assert.deepEqual(await flaw(), at({ ...end, seq: Number(end.seq) + 1 }, 'the row is not as it was written'))
  })

  it('a whole organization that was removed from the log is missed, with a noted head and without', async () => {
    const noted = await noteHeads(server.app)
    await sql(server.database, 'delete from audit_events where organization_id = ?', server.other.id)
    await sql(server.database, 'delete from audit_heads where organization_id = ?', server.other.id)
    const found = (await verifyAudit(server.app, noted)).flaw
    assert.equal(found?.organizationId, server.other.id)
    const problem = 'the event that created the organization is missing'
    assert.deepEqual(await flaw(), { organizationId: server.other.id, chain: 0, seq: 0, problem })
  })

  it('a log that was made under another key does not verify', async () => {
    const { secrets } = server.app
    // Where a chain begins is as before: it is every row that needs the key.
    const mac: typeof secrets.mac = (purpose, text) =>
      secrets.mac(purpose, text.startsWith('["genesis"') ? text : `${text}.`)
    server.app.secrets = { ...secrets, mac }
    try {
      assert.equal((await flaw())?.seq, 1)
    } finally {
      server.app.secrets = secrets
    }
  })

  it('a unit that fails leaves no event, and a refusal that counts leaves one', async () => {
    const phone = await newPhone(server, { pin: true })
    const request = await phone.ask()
    const { secrets } = server.app
    server.app.secrets = { ...secrets, encrypt: () => assert.fail('injected') }
    assert.equal((await phone.device.approve(request)).status, 500)
    server.app.secrets = secrets
    assert.equal((await phone.device.approveWithWrongPin(request)).status, 403)
    const events = await sql(server.database, 'select event from audit_events where tid = ?', phone.device.tid)
    const names = events.map(({ event }) => event)
    assert.ok(!names.includes('session.approved'))
    assert.ok(names.includes('token.unlock_failed'))
    assert.equal(await flaw(), undefined)
  })

  async function flaw() {
    return (await verifyAudit(server.app)).flaw
  }

  function at(row: SqlRow, problem: string) {
    return { organizationId: row.organization_id, chain: Number(row.chain), seq: Number(row.seq), problem }
  }

  /** A row in the middle of acme's longest chain. */
  async function victim(): Promise<SqlRow> {
    const own = saved.events.filter(({ organization_id }) => organization_id === server.acme.id)
    const longest = Math.max(...own.map(({ seq }) => Number(seq)))
    const end = own.find(({ seq }) => Number(seq) === longest) ?? assert.fail()
    return own.find((row) => sameChain(row, end) && Number(row.seq) === Math.max(1, longest - 2)) ?? assert.fail()
  }

  async function last(row: SqlRow): Promise<SqlRow> {
    const own = saved.events.filter((other) => sameChain(other, row))
    return own.sort((a, b) => Number(b.seq) - Number(a.seq))[0] ?? assert.fail()
  }

  function change(row: SqlRow, column: string, value: string | number | null) {
    return sql(server.database, `update audit_events set ${column} = ? where ${place(row)}`, value)
  }

  /** Renumbers the rows after one, without colliding on the way. */
  async function moveUp(row: SqlRow, by: number): Promise<void> {
    const { organization_id, chain, seq } = row
    const where = `organization_id = '${organization_id}' and chain = ${chain}`
    await sql(server.database, `update audit_events set seq = seq + 100000 where ${where} and seq >= ${seq}`)
    await sql(server.database, `update audit_events set seq = seq - 100000 + ${by} where ${where} and seq >= 100000`)
  }

  async function cutWithHead(end: SqlRow): Promise<void> {
    const before =
      saved.events.find((row) => sameChain(row, end) && Number(row.seq) === Number(end.seq) - 1) ?? assert.fail()
    await sql(server.database, `delete from audit_events where ${place(end)}`)
    const where = `organization_id = '${end.organization_id}' and chain = ${end.chain}`
    await sql(
      server.database,
      `update audit_heads set seq = ?, hash = ? where ${where}`,
      Number(before.seq),
      String(before.hash),
    )
  }

  /** New events in the chain of a row. */
  function append(row: SqlRow, count: number): Promise<void> {
    const event: AuditEvent = { organizationId: server.acme.id, event: 'user.created', actor: theServer }
    const events = Array.from({ length: count }, () => event)
    return server.app.storage.transaction((tx) => appendEvents(server.app, { ...tx, chain: Number(row.chain) }, events))
  }

  async function undo(): Promise<void> {
    await sql(server.database, 'delete from audit_events')
    await sql(server.database, 'delete from audit_heads')
    await restore('audit_events', saved.events)
    await restore('audit_heads', saved.heads)
  }

  async function restore(table: string, rows: SqlRow[]): Promise<void> {
    const [first] = rows
    if (!first) return
    const columns = Object.keys(first)
    const values = rows.map(() => `(${columns.map(() => '?').join(', ')})`).join(', ')
    const cells = rows.flatMap((row) => columns.map((column) => row[column] as string | null))
    await sql(
      server.database,
      `insert into ${table} (${columns.map((name) => `"${name}"`).join(', ')}) values ${values}`,
      ...cells,
    )
  }
})

function sameChain(one: SqlRow, two: SqlRow): boolean {
  return one.organization_id === two.organization_id && Number(one.chain) === Number(two.chain)
}

function place({ organization_id, chain, seq }: SqlRow): string {
  return `organization_id = '${organization_id}' and chain = ${chain} and seq = ${seq}`
}
