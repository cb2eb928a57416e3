import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { after, before, it } from 'node:test'
import { challengeHash } from '../support/device.ts'
import { onEveryEngine } from '../support/engines.ts'
import { newDomain, newPhone, type Phone, refusal } from '../support/phones.ts'
import { startTestServer, type TestServer } from '../support/server.ts'
import { sql } from '../support/sql.ts'
import { type Lies, SoftAuthenticator } from '../support/webauthn.ts'

const required = { status: 403, code: 'factor_required' }
const revoked = { status: 410, code: 'token_revoked' }
const failed = (remaining: number) => ({ status: 403, code: 'factor_failed', remaining })
const anyPin = { m: 'pin', p: Buffer.alloc(32).toString('base64url') }

onEveryEngine((engine) => {
  let server: TestServer
  let domainId: string
  before(async () => {
    server = await startTestServer(engine)
    domainId = await newDomain(server, { keyType: 'BIOMETRIC', maxAllowedRetries: 10 })
  })
  after(() => server.stop())

  const newPlatformPhone = (rules?: object) =>
    rules
      ? newDomain(server, { keyType: 'BIOMETRIC', ...rules }).then((id) =>
          newPhone(server, { platform: true, domainId: id }),
        )
      : newPhone(server, { platform: true, domainId })
  const bindingTo = async (request: { sid: string; ch: string }) =>
    ({ op: 'answer', ref: request.sid, ans: 'approve', hash: await challengeHash(request.ch) }) as const
  const count = async ({ device }: Phone) => {
    const [row] = await sql(server.database, 'select * from tokens where tid = ?', device.tid)
    return [row?.credential_sign_count, row?.unlock_failures].map(Number)
  }
  /** An approval whose assertion lies; the count goes on unless the lie is about that. */
  const approveWith = async ({ device }: Phone, request: { sid: string; ch: string }, lies: Lies) => {
    if (device.platform) device.platform.signCount++
    return device.approve(request, {
      uv: { m: 'webauthn', resp: await device.assertion(await bindingTo(request), lies) },
    })
  }

  for (const algorithm of [-7, -257] as const) {
    it(`an assertion of the token’s credential (COSE ${algorithm}) approves, and its count is kept`, async () => {
      const device = await newPlatformPhone()
      device.device.platform = new SoftAuthenticator(server.deviceUrl, algorithm)
      const phone = await enrolAgain(device)
      const request = await phone.ask()
      assert.equal(request.challenge.unlock, 'platform')
      assert.equal((await phone.device.approve(request)).body.state, 'approved')
      assert.equal(await phone.verdict(request.sid), 'approved')
      assert.deepEqual(await count(phone), [1, 0])
    })
  }

  it('T09 A38: an assertion that lies in any one thing is a wrong proof, and is counted; an honest one then approves', async () => {
    const phone = await newPlatformPhone()
    const [request, other] = [await phone.ask(), await phone.ask()]
    const { device } = phone
    const stranger = new SoftAuthenticator(server.deviceUrl)
    const uvb = Buffer.from(await challengeHash(request.ch))
    const honest = async (change: (resp: Record<string, unknown>) => unknown) => {
      if (device.platform) device.platform.signCount++
      return change(await device.assertion(await bindingTo(request)))
    }
    const lie = async (lies: Lies, about: object = {}) => {
      if (device.platform) device.platform.signCount++
      return device.assertion({ ...(await bindingTo(request)), ...about }, lies)
    }
    const lies: [what: string, resp: () => Promise<unknown>][] = [
      ['the challenge of another session', () => lie({}, { ref: other.sid })],
      ['another request', async () => lie({}, { hash: await challengeHash(other.ch) })],
      ['another operation', () => lie({}, { op: 'factor', ans: 'change' })],
      ['a challenge of chance', () => lie({ challenge: randomBytes(32).toString('base64url') })],
      ['the challenge, padded', async () => lie({ challenge: `${uvb.toString('base64')}` })],
      ['another origin', () => lie({ origin: 'https://mfa.example.com' })],
      ['the origin with a slash', () => lie({ origin: `${server.deviceUrl}/` })],
      ['another rpId', () => lie({ rpId: 'example.com' })],
      ['a user who was not verified', () => lie({ flags: 1 })],
      ['a user who was not present', () => lie({ flags: 4 })],
      ['backed up without being eligible', () => lie({ flags: 1 | 4 | 16 })],
      ['a registration', () => lie({ type: 'webauthn.create' })],
      ['a frame of another site', () => lie({ crossOrigin: true })],
      ['a frame of a named site', () => lie({ crossOrigin: true, topOrigin: 'https://evil.example' })],
      ['another signature', () => lie({ signature: stranger.signed(uvb, uvb).toString('base64url') })],
      ['no signature', () => lie({ signature: '' })],
      ['another credential', async () => stranger.assert(uvb)],
      ['another credential’s id', () => lie({ id: stranger.id.toString('base64url') })],
      ['an id without end', () => lie({ id: 'A'.repeat(4_000) })],
      ['two ids', () => honest((resp) => ({ ...resp, rawId: stranger.id.toString('base64url') }))],
      ['another type', () => honest((resp) => ({ ...resp, type: 'password' }))],
      ['nothing', async () => ({})],
      ['no response', () => honest(({ response: _, ...resp }) => resp)],
      ['a response of another type', () => honest((resp) => ({ ...resp, response: [1, null] }))],
      ['members of other types', () => honest((resp) => ({ ...resp, response: { clientDataJSON: 1 } }))],
      ['client data that is no JSON', () => honest((resp) => ({ ...resp, response: { clientDataJSON: 'AAAA' } }))],
      [
        'authenticator data that is too short',
        () => honest((resp) => ({ ...resp, response: { ...(resp.response as object), authenticatorData: 'AAAA' } })),
      ],
    ]
    for (const [index, [what, resp]] of lies.entries()) {
      await sql(server.database, 'update tokens set unlock_failures = 0 where tid = ?', device.tid)
      if (index % 6 === 5) server.clock.advance(60_000)
      const fresh = index < 6 ? request : await renewed(phone, request)
      request.sid = fresh.sid
      request.ch = fresh.ch
      const reply = await device.approve(fresh, { uv: { m: 'webauthn', resp: await resp() } })
      assert.deepEqual(refusal(reply), failed(9), what)
      assert.equal(await phone.verdict(fresh.sid), 'pending', what)
    }
    assert.equal((await device.approve(request)).body.state, 'approved')
  })

  it('T09: what is no assertion is no proof where the platform is demanded, nor the other way round', async () => {
    const phone = await newPlatformPhone()
    const request = await phone.ask()
    for (const uv of [undefined, { m: 'none' }, anyPin])
      assert.deepEqual(refusal(await phone.device.approve(request, { uv })), required)
    const pinPhone = await newPhone(server, { pin: true })
    const asked = await pinPhone.ask()
    const resp = new SoftAuthenticator(server.deviceUrl).assert(await challengeHash(asked.ch))
    assert.deepEqual(refusal(await pinPhone.device.approve(asked, { uv: { m: 'webauthn', resp } })), required)
    assert.deepEqual(refusal(await phone.device.approve(request, { uv: { m: 'webauthn' } })), {
      status: 400,
      code: 'malformed',
    })
    assert.deepEqual(await count(phone), [0, 0])
  })

  it('T08: wrong assertions count like wrong PINs: the fifth in a row revokes the token, and its credential is erased', async () => {
    const phone = await newPlatformPhone({})
    const [first, second] = [await phone.ask(), await phone.ask()]
    for (const remaining of [4, 3, 2, 1])
      assert.deepEqual(refusal(await approveWith(phone, first, { flags: 1 })), failed(remaining))
    assert.equal((await phone.device.approve(first)).body.state, 'approved')
    for (const remaining of [4, 3, 2, 1, 0])
      assert.deepEqual(refusal(await approveWith(phone, second, { flags: 1 })), failed(remaining))
    assert.deepEqual(refusal(await phone.device.approve(second)), revoked)
    assert.equal(await phone.verdict(first.sid), 'denied', 'also what was approved')
    const [row] = await sql(server.database, 'select * from tokens where tid = ?', phone.device.tid)
    assert.equal(row?.ended_reason, 'pin_retries')
    for (const column of ['credential_id', 'credential_public_key', 'credential_sign_count'])
      assert.equal(row?.[column], null)
  })

  it('a count that stands still or goes back is a copy’s, and is counted; without counts 0 stays 0', async () => {
    const phone = await newPlatformPhone({})
    const { device } = phone
    const approved = async (signCount: number) => {
      const request = await phone.ask()
      const reply = await approveWith(phone, request, { signCount })
      if (reply.status !== 200) await device.deny(request)
      return reply.status === 200 ? 'approved' : refusal(reply).remaining
    }
    assert.deepEqual([await approved(0), await approved(0)], ['approved', 'approved'])
    assert.equal(await approved(7), 'approved')
    for (const [index, signCount] of [7, 6, 0].entries()) assert.equal(await approved(signCount), 4 - index)
    assert.deepEqual(await count(phone), [7, 3])
    assert.equal(await approved(8), 'approved')
    assert.deepEqual(await count(phone), [8, 0])
    assert.equal(await approved(2 ** 32 - 1), 'approved')
  })

  it('T10: the same message gets the same reply; its assertion in another message is a replay, and counted', async () => {
    const phone = await newPlatformPhone()
    const { device } = phone
    const request = await phone.ask({ numberMatching: true })
    const payload = await device.approvalPayload(request, { num: 'wrong' })
    const message = await device.sign('answer', payload)
    for (let again = 0; again < 3; again++)
      assert.equal(refusal(await server.device('answer', message)).code, 'number_mismatch')
    assert.deepEqual(await count(phone), [1, 0], 'the right assertion is used up although the number was wrong')
    const { jti } = device.common('answer')
    const replay = await device.sign('answer', { ...payload, jti, num: request.number })
    assert.deepEqual(refusal(await server.device('answer', replay)), failed(9))
    assert.equal((await device.approve(request, { num: request.number })).body.state, 'approved')
  })

  it('A08: of many wrong assertions at once five are counted, and the token is gone', async () => {
    const phone = await newPlatformPhone({})
    const requests = [await phone.ask(), await phone.ask(), await phone.ask()]
    const messages = await Promise.all(
      Array.from({ length: 30 }, async (_, index) =>
        approveWith(phone, requests[index % 3] ?? assert.fail(), { flags: 1 }),
      ),
    )
    const remaining = messages.filter(({ status }) => status === 403).map(({ body }) => body.remaining)
    assert.deepEqual(remaining.sort(), [0, 1, 2, 3, 4])
    assert.deepEqual(await phone.device.poll(), { kid: phone.device.tid, ok: false, code: 'token_revoked' })
  })

  it('of two assertions with one count, sent at once, one approves', async () => {
    const phone = await newPlatformPhone()
    const [first, second] = [await phone.ask(), await phone.ask()]
    const replies = await Promise.all([
      approveWith(phone, first, { signCount: 5 }),
      approveWith(phone, second, { signCount: 5 }),
    ])
    assert.deepEqual(replies.map(({ status }) => status).sort(), [200, 403])
    assert.equal((await count(phone))[0], 5)
  })

  it('T37: another’s credential id or credential key in the row is noticed', async () => {
    for (const column of ['credential_id', 'credential_public_key']) {
      const [phone, mallory] = [await newPlatformPhone(), await newPlatformPhone()]
      const request = await phone.ask()
      const [theirs] = await sql(server.database, 'select * from tokens where tid = ?', mallory.device.tid)
      const set = `update tokens set ${column} = ? where tid = ?`
      await sql(server.database, set, String(theirs?.[column]), phone.device.tid)
      const bad = { status: 401, code: 'bad_signature' }
      assert.deepEqual(refusal(await phone.device.approve(request)), bad, column)
      assert.equal((await phone.device.poll()).ok, false, column)
      assert.ok(server.logged.some(({ alarm, tid }) => alarm === 'token.tampered' && tid === phone.device.tid))
    }
  })

  /** The same user with the authenticator that the test has put in. */
  async function enrolAgain(phone: Phone): Promise<Phone> {
    const { platform } = phone.device
    await server.call('DELETE', phone.token)
    const { code } = (await server.call('PUT', phone.token)).body
    const begun = await server.device('activation/begin', { v: 1, code, username: phone.username })
    Object.assign(phone.device, { tid: begun.body.tid, platform })
    const finished = await server.device('activation/finish', await phone.device.finishMessage(begun.body))
    assert.equal(finished.status, 200, finished.text)
    return phone
  }

  /** A session takes ten answers: the next lie gets one of its own. */
  async function renewed(phone: Phone, old: { sid: string; ch: string }) {
    await server.call('DELETE', `/api/domains/${phone.domainId}/sessions/${old.sid}`)
    await sql(server.database, 'update tokens set unapproved_sessions = 0 where tid = ?', phone.device.tid)
    return phone.ask()
  }
})
