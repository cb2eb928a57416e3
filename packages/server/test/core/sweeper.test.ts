import assert from 'node:assert/strict'
import { after, before, it } from 'node:test'
import pg from 'pg'
import { sweepOld, sweepSessions } from '../../src/core/sweeper.ts'
import { onEveryEngine, onPostgres } from '../support/engines.ts'
import { newPhone, newUser, refusal } from '../support/phones.ts'
import { startTestServer, type TestServer } from '../support/server.ts'
import { type Spy, spyOnStorage } from '../support/spied-storage.ts'
import { sql } from '../support/sql.ts'

const minuteMs = 60_000
const dayMs = 86_400_000

const replies = 'replies (organization_id, tid, jti, sid, payload_hash, status, body, created_at)'
const kept: [table: string, values: string, lifeMs: number][] = [
  ['name_failures (name_hash, failures, since)', `whose || n, 1, ?`, 60 * minuteMs],
  ['user_limits (organization_id, user_id, kind, used, since)', `whose, 'u' || n, 'sessions', 1, ?`, dayMs],
  [
    'activations (aid_hash, organization_id, tid, nonce_hash, created_at, expires_at)',
    `whose || n, '', '', '', 0, ?`,
    0,
  ],
  [
    'administrator_sessions (hash, organization_id, administrator_id, created_at, seen_at, expires_at)',
    `whose || n, '', '', 0, 9e12, ?`,
    0,
  ],
  [
    'administrator_sessions (hash, organization_id, administrator_id, created_at, seen_at, expires_at)',
    `whose || 'idle' || n, '', '', 0, ?, 9e12`,
    30 * minuteMs,
  ],
  [
    'bypass_codes (organization_id, id, user_id, code_cipher, uses_allowed, uses_remaining, created_at, ends_at)',
    `whose, 'c' || n, 'u', '', 1, 0, 0, ?`,
    90 * dayMs,
  ],
  [replies, `whose, 'change', 'j' || n, '', '', 200, '', ?`, 11 * minuteMs],
  [replies, `whose, 'answer', 'j' || n, 's', '', 200, '', ?`, 2 * dayMs],
]

onEveryEngine((engine) => {
  let server: TestServer
  let spy: Spy
  before(async () => {
    spy = spyOnStorage()
    server = await startTestServer(engine, { storage: spy.storage })
  })
  after(() => server.stop())

  const stateOf = async (sid: string) =>
    (await sql(server.database, 'select state from sessions where sid = ?', sid))[0]
  const count = async (from: string) => Number((await sql(server.database, `select count(*) as n from ${from}`))[0]?.n)
  const numbers = 'with recursive numbers(n) as (select 1 union all select n + 1 from numbers where n < 450)'

  it('what is kept for a while goes after it, more than a batch of it, and nothing else', async () => {
    const now = server.clock.now()
    for (const [table, values, lifeMs] of kept) {
      for (const [whose, many, at] of [
        ['old', 450, now - lifeMs],
        ['young', 1, now - lifeMs + 1],
      ] as const) {
        const rows = `select ${values.replace('whose', `'${whose}'`)} from numbers where n <= ${many}`
        await sql(server.database, `insert into ${table} ${numbers} ${rows}`, at)
      }
    }
    await sweepOld(server.app)
    for (const [table] of kept) {
      const [name, column] = table.split(/[ (,]+/)
      assert.equal(await count(`${name} where ${column} like 'old%'`), 0, table)
      const young = kept.filter((other) => other[0] === table).length
      assert.equal(await count(`${name} where ${column} like 'young%'`), young, table)
    }
  })

  it('a step that fails keeps no other from its work, and is done the next time', async () => {
    const { userId } = await newUser(server)
    const token = `/api/domains/${server.acme.domainId}/users/${userId}/token`
    await server.call('PUT', token)
    const phone = await newPhone(server)
    const request = await phone.ask()
    await phone.device.approve(request)
    server.clock.advance(8 * dayMs)
    spy.failing = { call: 'tx.tokens.lockLapsed', error: new Error('broken') }
    await assert.rejects(sweepOld(server.app), (error: AggregateError) => error.errors.length === 1)
    spy.failing = undefined
    assert.equal((await stateOf(request.sid))?.state, 'expired')
    assert.equal(await count(`tokens where user_id = '${userId}' and state = 'expired'`), 0)
    await sweepOld(server.app)
    assert.equal(await count(`tokens where user_id = '${userId}' and state = 'expired'`), 1)
  })

  it('a change that was made with the fastest clock allowed is remembered for as long as it is fresh', async () => {
    const { device } = await newPhone(server)
    const common = { ...device.common('push'), iat: Math.floor(server.clock.now() / 1000) + 300 }
    const poll = { ...device.common('sync'), iat: common.iat }
    assert.equal((await server.device('push', await device.sign('push', { ...common, push: null }))).status, 200)
    assert.ok((await device.poll({ lies: poll })).ok)
    server.clock.advance(600_999)
    await sweepOld(server.app)
    const other = await device.sign('push', { push: null, ...common })
    assert.deepEqual(refusal(await server.device('push', other)), { status: 401, code: 'replayed' })
    assert.deepEqual(await device.poll({ lies: poll }), { kid: device.tid, ok: false, code: 'replayed' })
  })

  it('a sweep that fails is logged with its cause', async (t) => {
    t.mock.timers.enable({ apis: ['setInterval'] })
    const failing = spyOnStorage()
    const server = await startTestServer(engine, { storage: failing.storage })
    try {
      failing.failing = { call: 'tx.sessions.lockLapsed', error: new Error('the disk is on fire') }
      server.logged.length = 0
      t.mock.timers.tick(10_000)
      while (server.logged.length === 0) await new Promise(setImmediate)
      const [entry] = server.logged
      assert.equal(entry?.msg, 'a sweep failed and will be tried again')
      assert.match(JSON.stringify(entry?.err), /the disk is on fire/)
    } finally {
      await server.stop()
    }
  })
})

onPostgres((engine) => {
  it('passes by what others have locked, at once, and comes back for it', async (t) => {
    const server = await startTestServer(engine)
    t.after(() => server.stop())
    const held = await newPhone(server)
    const phone = await newPhone(server)
    const [locked, free, spent] = [await held.ask(), await phone.ask(), await held.ask()]
    await held.device.approve(spent)
    const pending = [await newUser(server), await newUser(server)]
    for (const { userId } of pending) await server.call('PUT', `/api/domains/${held.domainId}/users/${userId}/token`)
    const kept = 'organization_id, user_id, kind, used, since'
    await sql(
      server.database,
      `insert into user_limits (${kept}) values ('old', 'u', 'sessions', 1, 0), ('old', 'v', 'sessions', 1, 0)`,
    )
    server.clock.advance(8 * dayMs)
    const other = new pg.Client({ connectionString: server.database.url })
    await other.connect()
    await other.query('begin')
    for (const query of [
      `select * from sessions where sid in ('${locked.sid}', '${spent.sid}') for update`,
      `select * from tokens where user_id = '${pending[0]?.userId}' for update`,
      `select * from user_limits where user_id = 'u' for update`,
      `select * from replies for update`,
    ])
      await other.query(query)

    const began = performance.now()
    await sweepSessions(server.app)
    await sweepOld(server.app)
    assert.ok(performance.now() - began < 5_000, 'it waited')
    const states = async () => {
      const rows = await sql(server.database, 'select sid, state from sessions')
      return [locked, free, spent].map(({ sid }) => rows.find((row) => row.sid === sid)?.state)
    }
    const ended = async () => (await sql(server.database, `select user_id from tokens where state = 'expired'`)).length
    const uses = async () =>
      (await sql(server.database, `select user_id from user_limits where organization_id = 'old'`)).length
    assert.deepEqual([await states(), await ended(), await uses()], [['pending', 'expired', 'approved'], 1, 1])
    await other.query('rollback')
    await other.end()
    await sweepSessions(server.app)
    await sweepOld(server.app)
    assert.deepEqual([await states(), await ended(), await uses()], [['expired', 'expired', 'expired'], 2, 0])
  })
})
