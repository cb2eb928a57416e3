import assert from 'node:assert/strict'
import { after, before, it } from 'node:test'
import { auditOf } from '../support/audit.ts'
import { asOther, judged, newBypassCode, newFob, usesLeft } from '../support/codes.ts'
import { onEveryEngine } from '../support/engines.ts'
import { newDomain, newPhone, newUser, phoneOf, refusal } from '../support/phones.ts'
import { startTestServer, type TestServer } from '../support/server.ts'
import { sql } from '../support/sql.ts'

const minuteMs = 60_000

onEveryEngine((engine) => {
  let server: TestServer
  before(async () => {
    server = await startTestServer(engine)
  })
  after(() => server.stop())

  const use = (userId: string, bypasscode: string, domainId?: string) =>
    judged(server, { id: userId }, { bypasscode }, domainId)
  const create = (domainId: string, body: object, key?: string) =>
    server.call('POST', `/api/domains/${domainId}/sessions`, { body, ...(key === undefined ? {} : { key }) })
  const atOnce = (count: number, work: () => Promise<string>) => Promise.all(Array.from({ length: count }, work))

  it('the right code is approved at once, without a token, and the session is one like any other', async () => {
    const { userId, username } = await newUser(server)
    const { id, code } = await newBypassCode(server, userId)
    const { domainId } = server.acme
    const reply = await create(domainId, { user: { username }, bypasscode: code })
    const { id: sid } = reply.body
    assert.equal(reply.text, `{"id":"${sid}","state":"approved"}`)
    const path = `/api/domains/${domainId}/sessions/${sid}`
    for (let count = 0; count < 2; count++) assert.equal((await server.call('GET', path)).text, reply.text)
    assert.equal(await usesLeft(server, id), 0)
    const data = { method: 'bypasscode' }
    assert.deepEqual(await auditOf(server, { sid }), [{ event: 'session.approved', data }])
    assert.ok(!JSON.stringify(server.logged).includes(code))
  })

  it('a code is accepted as often as it may be; a used-up one is denied and does not count', async () => {
    const { userId } = await newUser(server)
    const { id, code } = await newBypassCode(server, userId, { usesAllowed: 3 })
    for (let left = 2; left >= 0; left--) {
      assert.equal(await use(userId, code), 'approved')
      assert.equal(await usesLeft(server, id), left)
    }
    for (let count = 0; count < 20; count++) assert.equal(await use(userId, code), 'code_spent')
    const { code: next } = await newBypassCode(server, userId)
    assert.equal(await use(userId, next), 'approved')
  })

  it('a code is accepted until the last millisecond before its end, and then denied without being counted', async () => {
    const { userId } = await newUser(server)
    const { id, code } = await newBypassCode(server, userId, { usesAllowed: 2, expirationTime: 5 })
    server.clock.advance(5 * minuteMs - 1)
    assert.equal(await use(userId, code), 'approved')
    server.clock.advance(1)
    for (let count = 0; count < 10; count++) assert.equal(await use(userId, code), 'code_spent')
    assert.equal(await usesLeft(server, id), 1)
  })

  it('a code that was deleted is as wrong as one that never was', async () => {
    const { userId } = await newUser(server)
    const { id, code } = await newBypassCode(server, userId)
    await server.call('DELETE', `/api/bypasscodes/${id}`)
    for (let count = 0; count < 5; count++) assert.equal(await use(userId, code), 'wrong_code')
    assert.equal(await use(userId, code), 'codes_locked')
  })

  it('A19: a code has one spelling', async () => {
    const { userId } = await newUser(server)
    const { id, code } = await newBypassCode(server, userId, { usesAllowed: 100 })
    const wide = [...code].map((digit) => String.fromCodePoint(0xff10 + Number(digit))).join('')
    const others = [` ${code}`, `${code} `, `${code}\n`, `${code.slice(0, 4)} ${code.slice(4)}`, `+${code}`, wide]
    others.push(`0${code}`, `${code}0`, code.slice(0, 8), code.slice(1), `${code}\u200b`, `${code}.0`)
    for (const [index, other] of others.entries()) {
      assert.equal(await use(userId, other), 'wrong_code', JSON.stringify(other))
      assert.equal(await use(userId, code), 'approved')
      assert.equal(await usesLeft(server, id), 99 - index)
    }
  })

  it('A20 A22: of a hundred uses at once exactly as many are approved as there are, and nobody is locked out', async () => {
    for (const usesAllowed of [1, 50]) {
      const { userId } = await newUser(server)
      const { id, code } = await newBypassCode(server, userId, { usesAllowed })
      const outcomes = await atOnce(100, () => use(userId, code))
      assert.equal(outcomes.filter((outcome) => outcome === 'approved').length, usesAllowed)
      assert.equal(outcomes.filter((outcome) => outcome === 'code_spent').length, 100 - usesAllowed)
      assert.equal(await usesLeft(server, id), 0)
      const { code: next } = await newBypassCode(server, userId)
      assert.equal(await use(userId, next), 'approved')
    }
  })

  it('A21: another user’s code is wrong, is counted, and is not used', async () => {
    const [{ userId: a }, { userId: b }] = [await newUser(server), await newUser(server)]
    const { id, code } = await newBypassCode(server, a)
    for (let count = 0; count < 5; count++) assert.equal(await use(b, code), 'wrong_code')
    assert.equal(await use(b, code), 'codes_locked')
    assert.equal(await usesLeft(server, id), 1)
    assert.equal(await use(a, code), 'approved')
  })

  it('A21: where its user is no member a code is nobody’s', async () => {
    const domainId = await newDomain(server, {})
    const { userId } = await newUser(server)
    const { id, code } = await newBypassCode(server, userId)
    const reply = await create(domainId, { user: { id: userId }, bypasscode: code })
    assert.deepEqual(refusal(reply), { status: 404, code: 'api.error.notfound.user' })
    assert.equal(await usesLeft(server, id), 1)
    assert.equal(await use(userId, code, server.acme.pinDomainId), 'approved')
  })

  it('A21: a code of another organization is wrong here, and ours is good for nothing there', async () => {
    const { mallory, domainId, apiKey } = server.other
    const { alice } = server.acme
    const foreign = await newBypassCode(asOther(server), mallory)
    const own = await newBypassCode(server, alice)
    assert.equal(await use(alice, foreign.code), 'wrong_code')
    const asMallory = await create(domainId, { user: { id: mallory }, bypasscode: own.code }, apiKey)
    assert.equal(asMallory.body.state, 'denied')
    for (const [domain, user] of [
      [domainId, alice],
      [server.acme.domainId, alice],
      [server.acme.domainId, mallory],
    ] as const) {
      const reply = await create(domain, { user: { id: user }, bypasscode: own.code }, apiKey)
      assert.equal(reply.status, 404)
    }
    assert.equal(await usesLeft(asOther(server), foreign.id), 1)
    assert.equal(await usesLeft(server, own.id), 1)
  })

  it('A23: an id is a text: nothing that looks like a number finds anybody', async () => {
    const { userId } = await newUser(server)
    const { id, code } = await newBypassCode(server, userId)
    for (const other of ['0', '0x0', 'abc', '', '-0', '1e40', ' ', `${Number.parseInt(userId, 16)}`, `0x${userId}`]) {
      const reply = await create(server.acme.domainId, { user: { id: other }, bypasscode: code })
      assert.deepEqual(refusal(reply), { status: 404, code: 'api.error.notfound.user' }, other)
    }
    assert.equal(await usesLeft(server, id), 1)
  })

  it('T40: where the domain says so wrong codes count like wrong PINs, and revoke the token', async () => {
    const phone = await strictPhone()
    const request = await phone.ask()
    assert.equal((await phone.device.approveWithWrongPin(request)).body.remaining, 2)
    const wrong = () => use(phone.userId, '', phone.domainId)
    // One-time passwords, codes that are spent and other domains do not count.
    const { code } = await newBypassCode(server, phone.userId)
    await use(phone.userId, code)
    for (let count = 0; count < 5; count++) {
      assert.equal(await use(phone.userId, code, phone.domainId), 'code_spent')
      assert.equal(await judged(server, { id: phone.userId }, { otp: '' }, phone.domainId), 'wrong_code')
    }
    assert.equal(await use(phone.userId, ''), 'wrong_code')
    assert.equal(await wrong(), 'wrong_code')
    assert.deepEqual(await phone.details(request.sid), { state: 'pending', reason: '' })
    assert.equal(await wrong(), 'wrong_code')
    assert.deepEqual(await phone.details(request.sid), { state: 'denied', reason: 'token_revoked' })
    const { tid } = phone.device
    assert.deepEqual(await phone.device.poll(), { kid: tid, ok: false, code: 'token_revoked' })
    const revoked = (await auditOf(server, { tid })).find(({ event }) => event === 'token.revoked')
    assert.deepEqual(revoked?.data, { reason: 'bypass_retries', sessions: [request.sid] })
    // The token is gone, a right code is still one.
    const { code: right } = await newBypassCode(server, phone.userId)
    assert.equal(await use(phone.userId, right, phone.domainId), 'approved')
  })

  it('T40: a right PIN forgets the wrong codes, and codes that are not looked at count for no token', async () => {
    const phone = await strictPhone()
    for (let round = 0; round < 2; round++) {
      for (let count = 0; count < 2; count++) assert.equal(await use(phone.userId, '', phone.domainId), 'wrong_code')
      assert.equal((await phone.device.approve(await phone.ask())).body.state, 'approved')
    }
    assert.equal(await use(phone.userId, '', phone.domainId), 'wrong_code')
    for (let count = 0; count < 5; count++) assert.equal(await use(phone.userId, '', phone.domainId), 'codes_locked')
    assert.equal((await phone.device.approve(await phone.ask())).body.state, 'approved')
  })

  it('T40: of two hundred wrong codes at once no more count for the token than are looked at', async () => {
    const domainId = await newDomain(server, { keyType: 'PIN', maxAllowedRetries: 6 })
    await sql(server.database, 'update domains set bypass_counts_as_unlock = 1 where id = ?', domainId)
    const phone = await newPhone(server, { pin: true, domainId })
    await atOnce(200, () => use(phone.userId, '', domainId))
    // Five: of the six that the token has, one is left, for a PIN.
    const { body } = await phone.device.approveWithWrongPin(await phone.ask())
    assert.deepEqual([body.errors[0].code, body.remaining], ['factor_failed', 0])
  })

  it('a user with a hardware token and a bypass code may use either, and only as what it is', async () => {
    const { userId } = await newUser(server)
    const { id, code } = await newBypassCode(server, userId)
    const fob = await newFob(server, userId, { digits: 8 })
    assert.equal(await judged(server, { id: userId }, { otp: code }), 'wrong_code')
    assert.equal(await judged(server, { id: userId }, { bypasscode: fob.otp() }), 'wrong_code')
    assert.equal(await usesLeft(server, id), 1)
    assert.equal(await judged(server, { id: userId }, { otp: fob.otp() }), 'approved')
    assert.equal(await use(userId, code), 'approved')
  })

  /** A phone with a PIN in a domain where three wrong PINs or bypass codes are too many; its user is in acme's, too. */
  async function strictPhone() {
    const domainId = await newDomain(server, { keyType: 'PIN', maxAllowedRetries: 3 })
    await sql(server.database, 'update domains set bypass_counts_as_unlock = 1 where id = ?', domainId)
    const user = await newUser(server)
    return phoneOf(server, { ...user, pin: true, domainId })
  }
})
