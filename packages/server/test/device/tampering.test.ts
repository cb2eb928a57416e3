import assert from 'node:assert/strict'
import { after, before, it } from 'node:test'
import { verifyAudit } from '../../src/core/audit.ts'
import { newBypassCode } from '../support/codes.ts'
import { onEveryEngine } from '../support/engines.ts'
import { newDomain, newPhone, newUser, type Phone, phoneOf, refusal } from '../support/phones.ts'
import { startTestServer, type TestServer } from '../support/server.ts'
import { type SqlRow, sql } from '../support/sql.ts'

const badSignature = { status: 401, code: 'bad_signature' }
const internal = { status: 500, code: 'internal' }

// Mallory can write the database, and owns an activated phone of her own; the keyring she does not have.
onEveryEngine((engine) => {
  let server: TestServer
  before(async () => {
    server = await startTestServer(engine)
  })
  after(() => server.stop())

  for (const columns of [
    ['public_key'],
    ['public_key', 'thumbprint'],
    ['public_key', 'thumbprint', 'row_mac'],
    ['public_key', 'thumbprint', 'row_mac', 'key_generation', 'factor', 'factor_kind', 'pin_key_cipher'],
  ]) {
    it(`T37: the keys of two tokens exchanged (${columns.join(', ')}): neither works, with either key, and there is an alarm`, async () => {
      const [alice, mallory] = [await newPhone(server), await newPhone(server)]
      const requests = [await alice.ask(), await mallory.ask()]
      await exchange(alice, mallory, columns)
      for (const [index, phone] of [alice, mallory].entries()) {
        const payload = await phone.device.approvalPayload(requests[index] ?? assert.fail())
        for (const { device } of [alice, mallory]) {
          const message = await phone.device.sign('answer', payload, device.keys.privateKey)
          assert.deepEqual(refusal(await server.device('answer', message)), badSignature)
        }
        assert.equal(await phone.verdict(requests[index]?.sid ?? ''), 'pending')
        assert.ok(alarmed('token.tampered', { tid: phone.device.tid }))
        assert.deepEqual(await phone.device.poll(), { kid: phone.device.tid, ok: false, code: 'bad_signature' })
      }
    })
  }

  it('T37: a token whose row was changed gets no request: the session is created as denied', async () => {
    const phone = await newPhone(server)
    await sql(server.database, `update tokens set thumbprint = 'x' where tid = ?`, phone.device.tid)
    const { body } = await server.call('POST', `/api/domains/${phone.domainId}/sessions`, {
      body: { user: { id: phone.userId } },
    })
    assert.equal(body.state, 'denied')
    assert.deepEqual(await phone.details(body.id), { state: 'denied', reason: 'token_unusable' })
    assert.ok(alarmed('token.tampered', { tid: phone.device.tid }))
  })

  it('T37: a token given to another user, to another domain, or without its factor is unusable', async () => {
    const { userId } = await newUser(server)
    const domainId = await newDomain(server, {})
    const changes: [column: string, value: string | number][] = [
      ['user_id', userId],
      ['domain_id', domainId],
      ['factor', 'none'],
      ['key_generation', 1],
      ['row_mac', ''],
      ['credential_id', 'Y3JlZGVudGlhbA'],
    ]
    for (const [column, value] of changes) {
      const phone = await newPhone(server, { pin: true })
      const request = await phone.ask()
      await sql(server.database, `update tokens set ${column} = ? where tid = ?`, value, phone.device.tid)
      assert.deepEqual(refusal(await phone.device.approve(request)), badSignature, column)
      assert.deepEqual(refusal(await phone.device.approve(request, { uv: undefined })), badSignature, column)
      assert.equal((await phone.device.poll()).ok, false, column)
      assert.equal(await phone.verdict(request.sid), 'pending', column)
    }
  })

  it('T37: a key that was changed is noticed also by a server that has used the old one a moment ago', async () => {
    const [alice, mallory] = [await newPhone(server), await newPhone(server)]
    const [first, second] = [await alice.ask(), await alice.ask()]
    await alice.device.approve(first)
    await sql(
      server.database,
      'update tokens set public_key = ? where tid = ?',
      String((await row(mallory)).public_key),
      alice.device.tid,
    )
    const forged = await alice.device.sign(
      'answer',
      await alice.device.approvalPayload(second),
      mallory.device.keys.privateKey,
    )
    assert.deepEqual(refusal(await server.device('answer', forged)), badSignature)
    assert.equal(await alice.verdict(second.sid), 'pending')
  })

  it('T37: mallory’s PIN key in alice’s row opens nothing: it does not decrypt there', async () => {
    const [alice, mallory] = [await newPhone(server, { pin: true }), await newPhone(server, { pin: true })]
    const request = await alice.ask()
    await exchange(alice, mallory, ['pin_key_cipher'])
    const right = alice.device.pinKey
    alice.device.pinKey = mallory.device.pinKey
    assert.deepEqual(refusal(await alice.device.approve(request)), internal)
    alice.device.pinKey = right
    assert.deepEqual(refusal(await alice.device.approve(request)), internal)
    assert.equal(await alice.verdict(request.sid), 'pending')
    assert.ok(server.logged.some(({ level, where }) => level === 50 && where === 'POST /device/v1/answer'))
  })

  it('T37: a code in another row, or another column of its own, is not shown there', async () => {
    const alice = await newUser(server)
    const mallory = await phoneOf(server, await newUser(server))
    await server.call('DELETE', mallory.token)
    const path = (userId: string) => `/api/domains/${server.acme.domainId}/users/${userId}/token`
    for (const { userId } of [alice, mallory])
      assert.equal((await server.call('PUT', path(userId))).body.state, 'pending')
    const [cipher] = await sql(
      server.database,
      `select code_cipher from tokens where user_id = ? and state = 'pending'`,
      alice.userId,
    )
    const target = `update tokens set code_cipher = ? where user_id = ? and state = 'pending'`
    await sql(server.database, target, String(cipher?.code_cipher), mallory.userId)
    assert.deepEqual(refusal(await server.call('GET', path(mallory.userId))), {
      status: 500,
      code: 'api.error.internal',
    })
    await sql(
      server.database,
      `update tokens set secret_cipher = code_cipher where user_id = ? and state = 'pending'`,
      alice.userId,
    )
    assert.deepEqual(refusal(await server.call('GET', path(alice.userId))), { status: 500, code: 'api.error.internal' })
  })

  for (const method of ['push', 'otp', 'bypasscode']) {
    it(`T37: a session (${method}) that was set to approved by SQL reads denied, also with the MAC of a real approval`, async () => {
      const phone = await newPhone(server)
      const real = await phone.ask()
      await phone.device.approve(real)
      const sid = await created(phone, method)
      const now = server.clock.now()
      await sql(
        server.database,
        `update sessions set state = 'approved', reason = '', approved_at = ? where sid = ?`,
        now,
        sid,
      )
      const [approved] = await sql(server.database, 'select verdict_mac from sessions where sid = ?', real.sid)
      for (const mac of [null, '', 'x', String(approved?.verdict_mac)]) {
        await sql(server.database, 'update sessions set verdict_mac = ? where sid = ?', mac, sid)
        assert.deepEqual(await phone.details(sid), { state: 'denied', reason: 'tampered' })
        const plain = await server.call('GET', `/api/domains/${phone.domainId}/sessions/${sid}?wait=25`)
        assert.equal(plain.text, `{"id":"${sid}","state":"denied"}`)
      }
      assert.ok(alarmed('session.tampered', { sid }))
      assert.equal(await phone.verdict(real.sid), 'approved')
    })
  }

  it('T37: a real approval cannot be prolonged, nor given to another user, domain or token', async () => {
    const phone = await newPhone(server)
    const changes: [column: string, value: string | number][] = [
      ['approved_at', server.clock.now() + 1],
      ['user_id', server.acme.bob],
      ['tid', 'f'.repeat(40)],
      ['method', 'otp'],
      ['challenge_hash', 'x'],
    ]
    for (const [column, value] of changes) {
      const request = await phone.ask()
      await phone.device.approve(request)
      await sql(server.database, `update sessions set ${column} = ? where sid = ?`, value, request.sid)
      assert.deepEqual(await phone.details(request.sid), { state: 'denied', reason: 'tampered' }, column)
    }
    const request = await phone.ask()
    await phone.device.approve(request)
    const other = await newDomain(server, {})
    await sql(server.database, 'update sessions set domain_id = ? where sid = ?', other, request.sid)
    assert.equal((await server.call('GET', `/api/domains/${other}/sessions/${request.sid}`)).body.state, 'denied')
  })

  it('T37: a revoked token made active again by SQL has no key left to sign with', async () => {
    const phone = await newPhone(server)
    await server.call('DELETE', phone.token)
    await sql(server.database, `update tokens set state = 'active' where tid = ?`, phone.device.tid)
    assert.deepEqual(await phone.device.poll(), { kid: phone.device.tid, ok: false, code: 'bad_signature' })
  })

  it('T37: each alarm is one event in the audit log, however often the row is asked for, and names the row', async () => {
    const [phone, other] = [await newPhone(server), await newPhone(server)]
    const [request, forged] = [await phone.ask(), await phone.ask()]
    await sql(
      server.database,
      `update sessions set state = 'approved', approved_at = ? where sid = ?`,
      server.clock.now(),
      forged.sid,
    )
    await sql(server.database, `update tokens set thumbprint = 'x' where tid = ?`, phone.device.tid)
    await exchange(other, phone, ['public_key'])
    const answer = await phone.device.sign('answer', await phone.device.approvalPayload(request))
    const flood = async () => {
      await Promise.all(Array.from({ length: 10 }, () => server.device('answer', answer)))
      await phone.device.poll()
      await other.device.poll()
      await server.call('POST', `/api/domains/${phone.domainId}/sessions`, { body: { user: { id: phone.userId } } })
      await Promise.all(Array.from({ length: 10 }, () => phone.verdict(forged.sid)))
    }
    await flood()
    server.clock.advance(86_400_000)
    await flood()
    const { domainId: domain_id, userId: user_id } = phone
    const about = { domain_id, user_id, tid: phone.device.tid, actor_kind: 'server' }
    const token = { ...about, event: 'token.tampered', sid: null }
    assert.deepEqual(await alarmsOf(phone), [{ ...about, event: 'session.tampered', sid: forged.sid }, token])
    const ofOther = { domain_id: other.domainId, user_id: other.userId, tid: other.device.tid }
    assert.deepEqual(await alarmsOf(other), [{ ...token, ...ofOther }])
    assert.deepEqual((await verifyAudit(server.app)).flaw, undefined)
  })

  it('T37: an alarm that could not be written is written the next time, and the row is refused meanwhile', async () => {
    const phone = await newPhone(server)
    const request = await phone.ask()
    await sql(server.database, `update tokens set row_mac = '' where tid = ?`, phone.device.tid)
    const { transaction } = server.app.storage
    server.app.storage.transaction = () => Promise.reject(new Error('the disk is full'))
    assert.deepEqual(refusal(await phone.device.approve(request)), badSignature)
    server.app.storage.transaction = transaction
    assert.deepEqual(await alarmsOf(phone), [])
    assert.deepEqual(refusal(await phone.device.approve(request)), badSignature)
    assert.deepEqual(
      (await alarmsOf(phone)).map(({ event }) => event),
      ['token.tampered'],
    )
  })

  it('T37: a bypass code in another row is an alarm and no match there, and the user’s other codes work', async () => {
    const { userId, domainId } = await newPhone(server)
    const [moved, good, foreign] = [
      await newBypassCode(server, userId),
      await newBypassCode(server, userId),
      await newBypassCode(server, server.acme.bob),
    ]
    const [theirs] = await sql(server.database, 'select code_cipher from bypass_codes where id = ?', foreign.id)
    const change = 'update bypass_codes set code_cipher = ? where id = ?'
    await sql(server.database, change, String(theirs?.code_cipher), moved.id)
    const create = async (bypasscode: string) =>
      (await server.call('POST', `/api/domains/${domainId}/sessions`, { body: { user: { id: userId }, bypasscode } }))
        .body.state
    for (const cipher of [String(theirs?.code_cipher), '', 'v1.gone.AAAA.AAAA']) {
      await sql(server.database, change, cipher, moved.id)
      for (const { code } of [moved, foreign]) assert.equal(await create(code), 'denied', cipher)
      assert.equal(await create('undefined'), 'denied', cipher)
    }
    assert.ok(alarmed('bypass_code.tampered', { rowId: moved.id }))
    const where = `where event = 'bypass_code.tampered'`
    const events = await sql(server.database, `select user_id, data from audit_events ${where}`)
    assert.deepEqual(
      events.map((found) => ({ ...found })),
      [{ user_id: userId, data: JSON.stringify({ id: moved.id }) }],
    )
    server.clock.advance(3_600_000)
    assert.equal(await create(good.code), 'approved')
  })

  async function alarmsOf({ userId }: Phone): Promise<SqlRow[]> {
    const columns = 'event, actor_kind, domain_id, user_id, tid, sid'
    const rows = await sql(
      server.database,
      `select ${columns} from audit_events where event like '%.tampered' and user_id = ? order by event`,
      userId,
    )
    return rows.map((found) => ({ ...found }))
  }

  async function row({ device }: Phone): Promise<SqlRow> {
    const [found] = await sql(server.database, 'select * from tokens where tid = ?', device.tid)
    return found ?? assert.fail()
  }

  async function exchange(one: Phone, two: Phone, columns: string[]): Promise<void> {
    const rows = [await row(one), await row(two)]
    for (const column of columns) {
      for (const [index, { device }] of [two, one].entries()) {
        const value = rows[index]?.[column] as string | null
        await sql(server.database, `update tokens set ${column} = ? where tid = ?`, value, device.tid)
      }
    }
  }

  async function created(phone: Phone, method: string): Promise<string> {
    const code = method === 'push' ? {} : { [method]: '123456789' }
    const path = `/api/domains/${phone.domainId}/sessions`
    return (await server.call('POST', path, { body: { user: { id: phone.userId }, ...code } })).body.id
  }

  function alarmed(alarm: string, about: Record<string, unknown>): boolean {
    const [[name, value] = []] = Object.entries(about)
    return server.logged.some((entry) => entry.alarm === alarm && entry.level === 50 && entry[name ?? ''] === value)
  }
})
