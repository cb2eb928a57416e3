import assert from 'node:assert/strict'
import { after, before, it } from 'node:test'
import type { TestDevice } from '../support/device.ts'
import { onEveryEngine } from '../support/engines.ts'
import { newPhone, refusal } from '../support/phones.ts'
import { startTestServer, type TestServer } from '../support/server.ts'
import { sql } from '../support/sql.ts'

const revoked = { status: 410, code: 'token_revoked' }

onEveryEngine((engine) => {
  let server: TestServer
  before(async () => {
    server = await startTestServer(engine)
  })
  after(() => server.stop())

  it('T32: a device gives its token up: sessions are denied, keys erased, and every later message is told so', async () => {
    const phone = await newPhone(server, { pin: true })
    const [approved, waiting] = [await phone.ask(), await phone.ask()]
    await phone.device.approve(approved)
    const message = await remove(phone.device)
    const reply = await server.device('remove', message)
    assert.equal(reply.text, `{"tid":"${phone.device.tid}","state":"revoked","time":${server.clock.now() / 1000}}`)
    for (const { sid } of [approved, waiting]) {
      assert.deepEqual(await phone.details(sid), { state: 'denied', reason: 'token_revoked' })
    }
    assert.equal((await server.call('GET', phone.token)).status, 404)
    assert.deepEqual(refusal(await server.device('remove', message)), revoked)
    assert.deepEqual(refusal(await phone.device.approve(waiting)), revoked)
    assert.deepEqual(await phone.device.poll(), { kid: phone.device.tid, ok: false, code: 'token_revoked' })
    const [row] = await sql(server.database, 'select * from tokens where tid = ?', phone.device.tid)
    assert.deepEqual([row?.state, row?.ended_reason], ['revoked', 'device'])
    for (const column of ['public_key', 'pin_key_cipher', 'row_mac', 'code_index', 'code_cipher', 'secret_cipher']) {
      assert.equal(row?.[column], null, column)
    }
  })

  it('needs no PIN, since it opens nothing, but the token’s own signature', async () => {
    const [phone, stranger] = [await newPhone(server, { pin: true }), await newPhone(server)]
    const forged = await remove(phone.device, {}, stranger.device.keys)
    assert.deepEqual(refusal(await server.device('remove', forged)), { status: 401, code: 'bad_signature' })
    const lied = await remove(stranger.device, { tid: phone.device.tid })
    assert.deepEqual(refusal(await server.device('remove', lied)), { status: 400, code: 'malformed' })
    for (const { device } of [phone, stranger]) assert.ok((await device.poll()).ok)
  })

  it('afterwards the user gets a new code and a new token, and the old one stays what it is', async () => {
    const phone = await newPhone(server)
    await server.device('remove', await remove(phone.device))
    const { body } = await server.call('PUT', phone.token)
    assert.equal(body.state, 'pending')
    assert.deepEqual(await phone.device.poll(), { kid: phone.device.tid, ok: false, code: 'token_revoked' })
  })

  it('a suspended device may give its token up', async () => {
    const phone = await newPhone(server)
    await phone.device.deny(await phone.ask(), 'not_me')
    assert.equal((await server.device('remove', await remove(phone.device))).body.state, 'revoked')
  })

  async function remove(device: TestDevice, lies = {}, signer = device.keys): Promise<string> {
    return device.sign('remove', { ...device.common('remove'), ...lies }, signer.privateKey)
  }
})
