import assert from 'node:assert/strict'
import { after, before, it } from 'node:test'
import { auditOf } from '../support/audit.ts'
import { TestDevice } from '../support/device.ts'
import { onEveryEngine } from '../support/engines.ts'
import { countersign, newDomain, newPhone, newUser, refusal } from '../support/phones.ts'
import { startTestServer, type TestServer } from '../support/server.ts'
import { sql } from '../support/sql.ts'

const dayMs = 86_400_000
const activationFailed = { status: 400, code: 'activation_failed' }
const pendingToken = /^\{"state":"pending","code":"[0-9a-hjkmnp-tv-z]{10}"\}$/

onEveryEngine((engine) => {
  let server: TestServer
  before(async () => {
    server = await startTestServer(engine)
  })
  after(() => server.stop())

  async function newMember() {
    const { userId, username } = await newUser(server)
    const token = `/api/domains/${server.acme.domainId}/users/${userId}/token`
    return { userId, username, token, create: () => server.call('PUT', token) }
  }
  const begin = (code: string, username: string) => server.device('activation/begin', { v: 1, code, username })

  it('a code is made once and shown as often as asked, byte for byte, until it is used', async () => {
    const { token, create, username, userId } = await newMember()
    const created = await create()
    assert.equal(created.status, 200)
    assert.match(created.text, pendingToken)
    for (let again = 0; again < 3; again++) assert.equal((await create()).text, created.text)
    assert.equal((await server.call('GET', token)).text, created.text)
    await TestDevice.activate(server, { code: created.body.code, username, pin: false })
    assert.equal((await create()).text, '{"state":"active"}')
    assert.equal((await auditOf(server, { user_id: userId, event: 'token.created' })).length, 1)
  })

  it('whatever the body is, it does not matter', async () => {
    for (const body of [undefined, '', '{}', '[]', 'no JSON', '{"code":"0000000000"}']) {
      const { token } = await newMember()
      const reply = await server.call('PUT', token, { body })
      assert.match(reply.text, pendingToken, String(body))
      assert.ok(!reply.text.includes('0000000000'))
    }
  })

  it('who asks for details gets the link and the end of the code, too', async () => {
    const { token, username } = await newMember()
    const { body } = await server.call('PUT', token, { headers: countersign })
    assert.deepEqual(Object.keys(body), ['state', 'code', 'link', 'expiresAt'])
    const link = new URL(body.link)
    const hash = new URLSearchParams(link.hash.slice(1))
    assert.equal(link.origin + link.pathname, `${server.deviceUrl}/a`)
    assert.deepEqual([hash.get('c'), hash.get('u')], [body.code, username])
    assert.match(hash.get('s') ?? '', /^[\w-]{22}$/)
    assert.equal(body.expiresAt, new Date(server.clock.now() + 7 * dayMs).toISOString())
    assert.equal((await server.call('GET', token, { headers: countersign })).text, JSON.stringify(body))
  })

  it('the link’s secret activates without the name, and is one more thing to be right', async () => {
    const { token } = await newMember()
    const { body } = await server.call('PUT', token, { headers: countersign })
    const secret = new URLSearchParams(new URL(body.link).hash.slice(1)).get('s') ?? ''
    const { code } = body
    const wrong = `${secret[0] === 'A' ? 'B' : 'A'}${secret.slice(1)}`
    assert.deepEqual(refusal(await server.device('activation/begin', { v: 1, code, secret: wrong })), activationFailed)
    assert.equal((await server.device('activation/begin', { v: 1, code, secret })).status, 200)
  })

  it('two at once, or forty, get one code', async () => {
    for (let round = 0; round < 5; round++) {
      const { create, userId } = await newMember()
      const texts = (await Promise.all(Array.from({ length: 40 }, create))).map(({ text }) => text)
      assert.match(texts[0] ?? '', pendingToken)
      assert.equal(new Set(texts).size, 1)
      assert.equal((await sql(server.database, 'select tid from tokens where user_id = ?', userId)).length, 1)
    }
  })

  it('T04: a code ends with its time, to the millisecond, and the next one is another', async () => {
    const { token, create, username } = await newMember()
    const { code } = (await create()).body
    server.clock.advance(7 * dayMs - 1)
    assert.equal((await create()).body.code, code)
    assert.equal((await begin(code, username)).status, 200)
    server.clock.advance(1)
    assert.deepEqual(refusal(await begin(code, username)), activationFailed)
    assert.deepEqual(refusal(await server.call('GET', token)), { status: 404, code: 'api.error.notfound.token' })
    const next = await create()
    assert.match(next.text, pendingToken)
    assert.notEqual(next.body.code, code)
    assert.deepEqual(refusal(await begin(code, username)), activationFailed)
    assert.equal((await begin(next.body.code, username)).status, 200)
  })

  it('T04: an activation that began in time does not finish too late, nor by the code that follows', async () => {
    const { create, username } = await newMember()
    const { code } = (await create()).body
    server.clock.advance(7 * dayMs - 1)
    const begun = await begin(code, username)
    const device = await TestDevice.prepare(server, begun.body.tid, { username, pin: false })
    server.clock.advance(1)
    await create()
    const finished = await server.device('activation/finish', await device.finishMessage(begun.body))
    assert.deepEqual(refusal(finished), activationFailed)
  })

  it('a code lives as long as its domain says', async () => {
    const { userId } = await newUser(server)
    for (const days of [1, 365]) {
      const domainId = await newDomain(server, { activationCodeExpiration: days })
      const member = `/api/domains/${domainId}/users/${userId}`
      await server.call('PUT', member)
      const { body } = await server.call('PUT', `${member}/token`, { headers: countersign })
      assert.equal(Date.parse(body.expiresAt) - server.clock.now(), days * dayMs)
    }
  })

  it('A24: a code works once, for its own user and token, and never after a re-issue', async () => {
    const [first, other] = [await newMember(), await newMember()]
    const { code } = (await first.create()).body
    const { code: others } = (await other.create()).body
    assert.deepEqual(refusal(await begin(code, other.username)), activationFailed)
    const begun = await begin(code, first.username)
    // An activation that began with another’s code does not end in this token.
    const theirs = await begin(others, other.username)
    const thief = await TestDevice.prepare(server, begun.body.tid, { username: other.username, pin: false })
    const mixed = await thief.finishMessage({ ...theirs.body, tid: begun.body.tid }, { tid: begun.body.tid })
    assert.deepEqual(refusal(await server.device('activation/finish', mixed)), activationFailed)

    await TestDevice.activate(server, { code, username: first.username, pin: false })
    assert.deepEqual(refusal(await begin(code, first.username)), activationFailed)
    const late = await thief.finishMessage(begun.body)
    assert.deepEqual(refusal(await server.device('activation/finish', late)), activationFailed)
    await server.call('DELETE', first.token)
    const reissued = (await first.create()).body.code
    assert.notEqual(reissued, code)
    assert.deepEqual(refusal(await begin(code, first.username)), activationFailed)
    assert.equal((await begin(reissued, first.username)).status, 200)
  })

  it('A26: an active token stays the only one: no second phone joins without its end', async () => {
    const phone = await newPhone(server)
    for (let again = 0; again < 3; again++)
      assert.equal((await server.call('PUT', phone.token)).text, '{"state":"active"}')
    const rows = await sql(server.database, 'select tid from tokens where user_id = ?', phone.userId)
    assert.deepEqual(
      rows.map(({ tid }) => tid),
      [phone.device.tid],
    )
    assert.ok((await phone.device.poll()).ok)
  })

  it('a suspended token reads and stays active', async () => {
    const phone = await newPhone(server)
    await phone.device.deny(await phone.ask(), 'not_me')
    for (const method of ['PUT', 'GET'])
      assert.equal((await server.call(method, phone.token)).text, '{"state":"active"}')
  })
})
