import assert from 'node:assert/strict'
import { after, before, it } from 'node:test'
import { messageType } from '@countersign/protocol/device-messages.ts'
import { TestDevice } from '../support/device.ts'
import { onEveryEngine } from '../support/engines.ts'
import { forge } from '../support/forge.ts'
import { newDomain, newPhone, type Phone, refusal } from '../support/phones.ts'
import { startTestServer, type TestServer } from '../support/server.ts'
import { sql } from '../support/sql.ts'

const malformed = { status: 400, code: 'malformed' }

onEveryEngine((engine) => {
  let server: TestServer
  before(async () => {
    server = await startTestServer(engine)
  })
  after(() => server.stop())

  it('says what waits, byte for byte as it is to be signed, and what the domain asks', async () => {
    const phone = await newPhone(server, { pin: true })
    const request = await phone.ask({ ipAddress: '203.0.113.7', attributes: [{ key: 'Application', value: 'Wiki' }] })
    const { kid, policy, ...rest } = await synced(phone)
    assert.equal(kid, phone.device.tid)
    assert.deepEqual(policy, { unlock: ['pin'], minLength: 4, maxAllowedRetries: 5, poll: true, rev: 1 })
    const requests = [{ sid: request.sid, ch: request.ch }]
    assert.deepEqual(rest, { ok: true, factor: 'ok', push: 'none', requests, closed: [] })
    const { nonce, iat, exp, ...challenge } = request.challenge
    assert.equal(Buffer.from(nonce, 'base64url').length, 32)
    assert.equal(exp - iat, 120)
    assert.deepEqual(challenge, {
      v: 1,
      aud: server.deviceUrl,
      tid: phone.device.tid,
      sid: request.sid,
      domain: { id: phone.domainId, name: 'Acme Bank' },
      user: phone.username,
      ip: '203.0.113.7',
      attrs: [{ k: 'Application', v: 'Wiki' }],
      via: 'api',
      unlock: 'pin',
      match: { type: 'none' },
    })
  })

  it('says how each request ended that the device still shows, and is silent about those of others', async () => {
    const phone = await newPhone(server)
    const bob = await newPhone(server)
    const bobs = await bob.ask()
    const [approved, denied] = [await phone.ask(), await phone.ask()]
    await phone.device.approve(approved)
    await phone.device.deny(denied)
    const expired = await phone.ask()
    server.clock.advance(120_000)
    const [cancelled, open] = [await phone.ask(), await phone.ask()]
    await server.call('DELETE', `/api/domains/${phone.domainId}/sessions/${cancelled.sid}`)
    const have = [approved, denied, expired, cancelled, open, bobs].map(({ sid }) => sid)
    const result = await synced(phone, [...have, 'f'.repeat(40), 'not an id'])
    assert.deepEqual(result.requests, [{ sid: open.sid, ch: open.ch }])
    const closed = Object.fromEntries(result.closed.map(({ sid, state }) => [sid, state]))
    assert.deepEqual(closed, {
      [approved.sid]: 'approved',
      [denied.sid]: 'denied',
      [expired.sid]: 'expired',
      [cancelled.sid]: 'cancelled',
    })
    assert.deepEqual((await synced(phone)).closed, [], 'the server remembers nothing of what a device shows')
  })

  it('an approval that has become stale reads expired', async () => {
    const phone = await newPhone(server)
    const request = await phone.ask()
    await phone.device.approve(request)
    server.clock.advance(600_000)
    assert.deepEqual((await synced(phone, [request.sid])).closed, [{ sid: request.sid, state: 'expired' }])
  })

  it('one poll serves twenty tokens, of several organizations, each with its own result in the order asked', async () => {
    const phones = await Promise.all(Array.from({ length: 18 }, () => newPhone(server)))
    const revoked = phones[3] ?? assert.fail()
    await server.call('DELETE', revoked.token)
    const path = `/api/domains/${server.other.domainId}`
    const { apiKey: key, mallory } = server.other
    const { body } = await server.call('PUT', `${path}/users/${mallory}/token`, { key })
    const foreign = await TestDevice.activate(server, { code: body.code, username: 'mallory', pin: false })
    const asked = await server.call('POST', `${path}/sessions`, { key, body: { user: { id: mallory } } })
    const request = await phones[0]?.ask()
    const messages = [...phones.map(({ device }) => device), foreign].map((device) =>
      device.sign('sync', device.common('sync')),
    )
    const tokens = [...(await Promise.all(messages)), 'no message']
    const { status, body: reply } = await server.device('sync', { wait: 0, tokens })
    assert.equal(status, 200)
    assert.equal(reply.time, server.clock.now() / 1000)
    const results: { kid: string; ok: boolean; code?: string; requests?: { sid: string }[] }[] = reply.results
    assert.deepEqual(
      results.map(({ kid }) => kid),
      [...phones.map(({ device }) => device.tid), foreign.tid, ''],
    )
    assert.deepEqual(results[3], { kid: revoked.device.tid, ok: false, code: 'token_revoked' })
    assert.deepEqual(results[19], { kid: '', ok: false, code: 'malformed' })
    const waiting = results.flatMap(({ kid, requests = [] }) => requests.map(({ sid }) => [kid, sid]))
    assert.deepEqual(waiting, [
      [phones[0]?.device.tid, request?.sid],
      [foreign.tid, asked.body.id],
    ])
    const again = await Promise.all(phones.map(({ device }) => device.sign('sync', device.common('sync'))))
    assert.deepEqual(refusal(await server.device('sync', { wait: 0, tokens: [...again, '', '', ''] })), malformed)
  })

  it('a second message for the same token is malformed, and so is one of another operation', async () => {
    const { device } = await newPhone(server)
    const messages = [
      device.sign('sync', device.common('sync')),
      device.sign('sync', device.common('sync')),
      device.sign('push', device.common('push')),
    ]
    const { body } = await server.device('sync', { wait: 0, tokens: await Promise.all(messages) })
    const [first, ...others] = body.results
    assert.ok(first.ok)
    assert.deepEqual(others, [
      { kid: device.tid, ok: false, code: 'malformed' },
      { kid: '', ok: false, code: 'malformed' },
    ])
  })

  it('T13: a kid that is no tid is malformed, and is not repeated in the answer', async () => {
    const { device } = await newPhone(server)
    const kids = [`${device.tid}\u0000`, device.tid.toUpperCase(), `' or '1'='1`, 'x'.repeat(8_000), '', ' ']
    for (const kid of kids) {
      const header = { alg: 'ES256', typ: messageType('sync'), kid }
      const message = await forge(device.keys.privateKey, header, device.common('sync'))
      const reply = await server.device('sync', { wait: 0, tokens: [message] })
      assert.deepEqual(reply.body.results, [{ kid: '', ok: false, code: 'malformed' }], kid.slice(0, 50))
    }
  })

  it('a badly signed message tells nothing about the token’s requests', async () => {
    const [phone, stranger] = [await newPhone(server), await newPhone(server)]
    await phone.ask()
    const forged = await phone.device.sign('sync', phone.device.common('sync'), stranger.device.keys.privateKey)
    const { body } = await server.device('sync', { wait: 0, tokens: [forged] })
    assert.deepEqual(body.results, [{ kid: phone.device.tid, ok: false, code: 'bad_signature' }])
  })

  it('refuses bodies that are not its request', async () => {
    const { device } = await newPhone(server)
    const bodies = [
      ...[-1, 25.1, 26, '5', null, undefined, true, [1]].map((wait) => ({ wait })),
      ...['', {}, null, [1], Array.from({ length: 61 }, (_, index) => String(index))].map((have) => ({ have })),
      ...[undefined, null, '', [], [null], [[]]].map((tokens) => ({ tokens })),
      { more: 1 },
    ]
    for (const body of bodies) {
      const tokens = [await device.sign('sync', device.common('sync'))]
      assert.deepEqual(
        refusal(await server.device('sync', { wait: 0, tokens, ...body })),
        malformed,
        JSON.stringify(body),
      )
    }
    assert.deepEqual(refusal(await server.device('sync', '[]')), malformed)
    const have = Array.from({ length: 60 }, () => 'f'.repeat(40))
    assert.ok((await device.poll({ have })).ok)
  })

  it('A36: a token whose factor is not what the domain demands by now hears of it, and cannot approve', async () => {
    const phone = await newPhone(server, { domainId: await newDomain(server, { keyType: 'ONE_STEP' }) })
    const request = await phone.ask()
    await sql(server.database, `update domains set key_type = 'PIN', policy_rev = 2 where id = ?`, phone.domainId)
    const result = await synced(phone, [request.sid])
    assert.equal(result.factor, 'required')
    assert.deepEqual(result.policy, { unlock: ['pin'], minLength: 4, maxAllowedRetries: 5, poll: true, rev: 2 })
    assert.deepEqual(result.requests, [{ sid: request.sid, ch: request.ch }], 'no open session is touched')
    assert.deepEqual(refusal(await phone.device.approve(request)), { status: 403, code: 'factor_required' })
    assert.equal((await phone.device.deny(request)).body.state, 'denied')
  })

  it('a domain that demands less keeps the factor and no longer asks for it; one that asks for a passcode refuses a PIN', async () => {
    const phone = await newPhone(server, { pin: true, domainId: await newDomain(server, { keyType: 'PIN' }) })
    await sql(server.database, `update domains set key_type = 'ONE_STEP' where id = ?`, phone.domainId)
    const plain = await phone.ask()
    assert.equal(plain.challenge.unlock, 'none')
    assert.equal((await phone.device.approve(plain, { uv: undefined })).body.state, 'approved')
    await sql(server.database, `update domains set key_type = 'PASSCODE' where id = ?`, phone.domainId)
    assert.equal((await synced(phone)).factor, 'required')
    const request = await phone.ask()
    assert.deepEqual(refusal(await phone.device.approve(request)), { status: 403, code: 'factor_required' })
    const [row] = await sql(
      server.database,
      'select factor, unlock_failures from tokens where tid = ?',
      phone.device.tid,
    )
    assert.deepEqual([row?.factor, Number(row?.unlock_failures)], ['pin', 0])
  })

  it('an approval must satisfy the challenge also where the domain demands less by now', async () => {
    const phone = await newPhone(server, { pin: true, domainId: await newDomain(server, { keyType: 'PIN' }) })
    const request = await phone.ask()
    await sql(server.database, `update domains set key_type = 'ONE_STEP' where id = ?`, phone.domainId)
    assert.deepEqual(refusal(await phone.device.approve(request, { uv: undefined })), {
      status: 403,
      code: 'factor_required',
    })
    assert.equal((await phone.device.approve(request)).body.state, 'approved')
  })

  async function synced({ device }: Phone, have?: string[]) {
    const result = await device.poll(have ? { have } : {})
    assert.ok(result.ok, JSON.stringify(result))
    return result
  }
})
