import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { after, before, it } from 'node:test'
import { toBase64url } from '@countersign/protocol/base64url.ts'
import { challengeHash } from '../support/device.ts'
import { onEveryEngine } from '../support/engines.ts'
import { newDomain, newPhone, type Phone, refusal } from '../support/phones.ts'
import { startTestServer, type TestServer } from '../support/server.ts'
import { sql } from '../support/sql.ts'

const required = { status: 403, code: 'factor_required' }
const revoked = { status: 410, code: 'token_revoked' }
const failed = (remaining: number) => ({ status: 403, code: 'factor_failed', remaining })

onEveryEngine((engine) => {
  let server: TestServer
  before(async () => {
    server = await startTestServer(engine)
  })
  after(() => server.stop())

  it('the right PIN approves', async () => {
    const phone = await newPhone(server, { pin: true })
    const request = await phone.ask()
    assert.equal(request.challenge.unlock, 'pin')
    assert.equal((await phone.device.approve(request)).body.state, 'approved')
    assert.equal(await phone.verdict(request.sid), 'approved')
  })

  it('T08: the fifth wrong PIN in a row revokes the token; a right one before it begins the count anew', async () => {
    const phone = await newPhone(server, { pin: true })
    const [first, second, third] = [await phone.ask(), await phone.ask(), await phone.ask()]
    for (const remaining of [4, 3, 2, 1]) {
      assert.deepEqual(refusal(await phone.device.approveWithWrongPin(first)), failed(remaining))
      assert.equal(await phone.verdict(first.sid), 'pending')
    }
    assert.equal((await phone.device.approve(first)).body.state, 'approved')
    for (const remaining of [4, 3, 2, 1, 0]) {
      assert.deepEqual(refusal(await phone.device.approveWithWrongPin(second)), failed(remaining))
    }
    assert.deepEqual(await phone.details(second.sid), { state: 'denied', reason: 'token_revoked' })
    assert.deepEqual(await phone.details(third.sid), { state: 'denied', reason: 'token_revoked' })
    assert.deepEqual(
      await phone.details(first.sid),
      { state: 'denied', reason: 'token_revoked' },
      'also what was approved',
    )
    assert.deepEqual(refusal(await phone.device.approve(third)), revoked)
    assert.equal((await server.call('GET', phone.token)).status, 404)
    const [row] = await sql(server.database, 'select * from tokens where tid = ?', phone.device.tid)
    assert.equal(row?.ended_reason, 'pin_retries')
    for (const column of ['public_key', 'pin_key_cipher', 'row_mac']) assert.equal(row?.[column], null)
  })

  it('T08: the domain says how many wrong ones it takes', async () => {
    for (const maxAllowedRetries of [1, 10]) {
      const phone = await newPhone(server, {
        pin: true,
        domainId: await newDomain(server, { keyType: 'PIN', maxAllowedRetries }),
      })
      const request = await phone.ask()
      for (let remaining = maxAllowedRetries - 1; remaining >= 0; remaining--) {
        assert.deepEqual(refusal(await phone.device.approveWithWrongPin(request)), failed(remaining))
      }
      assert.deepEqual(refusal(await phone.device.approve(request)), revoked)
    }
  })

  it('T08: a limit that was lowered takes effect at the next wrong one', async () => {
    const phone = await newPhone(server, { pin: true, domainId: await newDomain(server, { keyType: 'PIN' }) })
    const request = await phone.ask()
    for (const remaining of [4, 3])
      assert.deepEqual(refusal(await phone.device.approveWithWrongPin(request)), failed(remaining))
    await sql(server.database, 'update domains set max_allowed_retries = 1 where id = ?', phone.domainId)
    assert.ok((await phone.device.poll()).ok)
    assert.deepEqual(refusal(await phone.device.approveWithWrongPin(request)), failed(0))
    assert.deepEqual(refusal(await phone.device.approve(request)), revoked)
  })

  it('T08: wrong ones count over sessions and over time', async () => {
    const phone = await newPhone(server, { pin: true })
    for (const remaining of [4, 3, 2, 1, 0]) {
      const request = await phone.ask()
      assert.deepEqual(refusal(await phone.device.approveWithWrongPin(request)), failed(remaining))
      server.clock.advance(86_400_000)
    }
  })

  it('T08: the same wrong message is counted once', async () => {
    const phone = await newPhone(server, { pin: true })
    const request = await phone.ask()
    const uv = { m: 'pin', p: wrongProof() }
    const message = await phone.device.sign('answer', await phone.device.approvalPayload(request, { uv }))
    for (let again = 0; again < 6; again++) {
      assert.deepEqual(refusal(await server.device('answer', message)), failed(4))
    }
    assert.deepEqual(refusal(await phone.device.approveWithWrongPin(request)), failed(3))
  })

  it('T09: a stolen key without the PIN approves nothing: what gives no proof is refused, what gives a wrong one is counted', async () => {
    const phone = await newPhone(server, { pin: true })
    const [request, other] = [await phone.ask(), await phone.ask()]
    const { device } = phone
    const hash = await challengeHash(request.ch)
    const proofOf = async (binding: Parameters<typeof device.proof>[0]) => ({
      m: 'pin',
      p: await device.proof(binding),
    })
    const bound = { op: 'answer', ref: request.sid, ans: 'approve', hash } as const
    const tries: [uv: unknown, refusal: object][] = [
      [undefined, required],
      [{ m: 'none' }, required],
      [{ m: 'webauthn', resp: {} }, required],
      [{ m: 'pin', p: wrongProof() }, failed(4)],
      [await proofOf({ ...bound, ref: other.sid }), failed(3)],
      [await proofOf({ ...bound, hash: await challengeHash(other.ch) }), failed(2)],
      [await proofOf({ ...bound, op: 'factor', ans: 'change' }), failed(1)],
      [undefined, required],
    ]
    for (const [uv, expected] of tries) assert.deepEqual(refusal(await device.approve(request, { uv })), expected)
    assert.equal(await phone.verdict(request.sid), 'pending')
    assert.equal((await device.approve(request)).status, 200)
  })

  it('a wrong PIN to a denial does not exist: denying needs none', async () => {
    const phone = await newPhone(server, { pin: true })
    const request = await phone.ask()
    assert.equal((await phone.device.deny(request)).body.state, 'denied')
  })

  it('nobody without the phone counts: badly signed and malformed messages leave the counter alone', async () => {
    const phone = await newPhone(server, { pin: true })
    const stranger = await newPhone(server, { pin: true })
    const request = await phone.ask()
    const wrong = await phone.device.approvalPayload(request, { uv: { m: 'pin', p: wrongProof() } })
    for (let tries = 0; tries < 6; tries++) {
      const forged = await phone.device.sign('answer', wrong, stranger.device.keys.privateKey)
      assert.deepEqual(refusal(await server.device('answer', forged)), { status: 401, code: 'bad_signature' })
      const broken = await phone.device.approve(request, { uv: { m: 'pin', p: 'short' } })
      assert.deepEqual(refusal(broken), { status: 400, code: 'malformed' })
    }
    assert.deepEqual(refusal(await phone.device.approveWithWrongPin(request)), failed(4))
  })

  it('A08: of two hundred wrong PINs at once five are judged, and the token is gone', async () => {
    const phone = await newPhone(server, { pin: true })
    const requests = [await phone.ask(), await phone.ask(), await phone.ask()]
    const judged = countDecryptions(phone)
    const replies = await Promise.all(
      Array.from({ length: 200 }, (_, index) => phone.device.approveWithWrongPin(requests[index % 3] ?? assert.fail())),
    )
    assert.equal(judged(), 5)
    const remaining = replies
      .filter(({ body }) => body.errors[0].code === 'factor_failed')
      .map(({ body }) => body.remaining)
    assert.deepEqual(remaining.sort(), [0, 1, 2, 3, 4])
    for (const reply of replies) assert.ok([403, 410, 429].includes(reply.status), reply.text)
    assert.deepEqual(await phone.device.poll(), { kid: phone.device.tid, ok: false, code: 'token_revoked' })
  })

  it('A08: a right PIN among the wrong ones approves at most its own request', async () => {
    const phone = await newPhone(server, { pin: true })
    const request = await phone.ask()
    const tries = Array.from({ length: 9 }, (_, index) =>
      index === 4 ? phone.device.approve(request) : phone.device.approveWithWrongPin(request),
    )
    const replies = await Promise.all(tries)
    const codes = replies.map((reply) => (reply.status === 200 ? 'approved' : refusal(reply).code))
    const state = await phone.verdict(request.sid)
    // Ended by the right one, or by the fifth wrong one: never both, and never more than four wrong ones before an approval.
    if (codes.includes('approved'))
      assert.ok(codes.filter((code) => code === 'factor_failed').length <= 4, codes.join())
    else assert.equal(codes.filter((code) => code === 'factor_failed').length, 5, codes.join())
    assert.equal(state, codes.includes('approved') ? 'approved' : 'denied')
  })

  it('A12: the wrong PIN is counted although the request fails: each count is there before the answer is', async () => {
    const phone = await newPhone(server, { pin: true })
    const request = await phone.ask()
    for (const failures of [1, 2, 3]) {
      assert.equal((await phone.device.approveWithWrongPin(request)).status, 403)
      const [row] = await sql(server.database, 'select unlock_failures from tokens where tid = ?', phone.device.tid)
      assert.equal(Number(row?.unlock_failures), failures)
    }
    const events = await sql(
      server.database,
      `select data from audit_events where event = 'token.unlock_failed' and tid = ?`,
      phone.device.tid,
    )
    assert.deepEqual(events.map(({ data }) => JSON.parse(String(data)).failures).sort(), [1, 2, 3])
  })

  it('A13: a restart gives no further tries', async () => {
    const phone = await newPhone(server, { pin: true })
    const request = await phone.ask()
    for (const remaining of [4, 3, 2, 1, 0]) {
      assert.deepEqual(refusal(await phone.device.approveWithWrongPin(request)), failed(remaining))
      await server.restart()
    }
    assert.deepEqual(refusal(await phone.device.approve(request)), revoked)
  })

  /** How many times the token's PIN key was used from now on. */
  function countDecryptions({ device }: Phone): () => number {
    const { secrets } = server.app
    let count = 0
    server.app.secrets = {
      ...secrets,
      decrypt(place, cipher) {
        if (place.column === 'pin_key_cipher' && place.row === device.tid) count++
        return secrets.decrypt(place, cipher)
      },
    }
    return () => {
      server.app.secrets = secrets
      return count
    }
  }
})

function wrongProof(): string {
  return toBase64url(new Uint8Array(randomBytes(32)))
}
