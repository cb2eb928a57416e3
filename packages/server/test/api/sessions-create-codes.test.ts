import assert from 'node:assert/strict'
import { after, before, it } from 'node:test'
import { auditOf } from '../support/audit.ts'
import { onEveryEngine } from '../support/engines.ts'
import { countersign, newDomain, newPhone, newUser, refusal } from '../support/phones.ts'
import { startTestServer, type TestServer } from '../support/server.ts'
import { dump, sql } from '../support/sql.ts'

onEveryEngine((engine) => {
  let server: TestServer
  before(async () => {
    server = await startTestServer(engine)
  })
  after(() => server.stop())

  const create = (domainId: string, body: object, headers = {}) =>
    server.call('POST', `/api/domains/${domainId}/sessions`, { body, headers })

  it('a code that came along is judged at once, even an empty one, and never becomes a push', async () => {
    const phone = await newPhone(server)
    const user = { id: phone.userId }
    for (const method of ['bypasscode', 'otp']) {
      for (const code of [
        '',
        '0',
        '123456',
        '123456789',
        ' ',
        'x'.repeat(1000),
        '\uff11\uff12\uff13\uff14\uff15\uff16',
      ]) {
        const reply = await create(phone.domainId, { user, [method]: code })
        assert.equal(reply.status, 200)
        assert.equal(reply.text, `{"id":"${reply.body.id}","state":"denied"}`)
        assert.equal(await phone.verdict(reply.body.id), 'denied')
        const [event] = await auditOf(server, { sid: reply.body.id })
        assert.deepEqual(event, { event: 'session.refused', data: { method, reason: 'wrong_code' } })
        assert.ok(code === '' || !JSON.stringify(event).includes(code))
      }
    }
    assert.deepEqual(await phone.device.requests(), [])
    const { body } = await create(phone.domainId, { user, otp: '1' }, countersign)
    assert.deepEqual([body.method, body.reason, body.state], ['otp', 'wrong_code', 'denied'])
  })

  it('wrong codes do not touch the token: neither its requests nor its counters', async () => {
    const phone = await newPhone(server)
    for (let count = 0; count < 20; count++) {
      await create(phone.domainId, { user: { id: phone.userId }, [count % 2 ? 'otp' : 'bypasscode']: '000000' })
    }
    const counters = 'select unlock_failures, unapproved_sessions, throttled_until from tokens where tid = ?'
    const [row] = await sql(server.database, counters, phone.device.tid)
    assert.deepEqual(Object.values(row ?? {}).map(Number), [0, 0, 0])
    const request = await phone.ask()
    assert.equal((await phone.device.approve(request)).body.state, 'approved')
  })

  it('a code needs no token, and a null is no code', async () => {
    const { userId } = await newUser(server)
    const user = { id: userId }
    const { domainId } = server.acme
    for (const method of ['bypasscode', 'otp']) {
      assert.equal((await create(domainId, { user, [method]: '000000000' })).body.state, 'denied')
      const withNull = await create(domainId, { user, [method]: null })
      assert.deepEqual(refusal(withNull), { status: 404, code: 'api.error.notfound.token' })
    }
  })

  it('A33 a method that the domain has switched off is forbidden, whatever the code is, and leaves no trace', async () => {
    const domainId = await newDomain(server, { bypassEnabled: false })
    const { userId } = await newUser(server)
    await server.call('PUT', `/api/domains/${domainId}/users/${userId}`)
    const user = { id: userId }
    const before = await dump(server.database)
    for (const bypasscode of ['', '123456789']) {
      const reply = await create(domainId, { user, bypasscode })
      assert.deepEqual(refusal(reply), { status: 403, code: 'api.error.forbidden.bypasscode' })
    }
    assert.deepEqual(await dump(server.database), before)
    assert.equal((await create(domainId, { user, otp: '' })).body.state, 'denied')
    // No setting switches it off yet; a row that says so is heeded.
    await sql(server.database, 'update domains set otp_enabled = 0 where id = ?', domainId)
    assert.deepEqual(refusal(await create(domainId, { user, otp: '' })), {
      status: 403,
      code: 'api.error.forbidden.otp',
    })
    // Who is unknown is so before anything is said of methods.
    const unknown = await create(domainId, { user: { username: 'nobody' }, bypasscode: '' })
    assert.deepEqual(refusal(unknown), { status: 404, code: 'api.error.notfound.user' })
  })

  it('two codes at once, or a code that is no text, is a bad request', async () => {
    const { userId } = await newUser(server)
    const before = await dump(server.database)
    for (const codes of [
      { otp: '', bypasscode: '' },
      { otp: 123456 },
      { bypasscode: 123456789 },
      { otp: [] },
      { otp: true },
    ]) {
      const reply = await create(server.acme.domainId, { user: { id: userId }, ...codes })
      assert.deepEqual(refusal(reply), { status: 400, code: 'api.error.badrequest' }, JSON.stringify(codes))
    }
    assert.deepEqual(await dump(server.database), before)
  })
})
