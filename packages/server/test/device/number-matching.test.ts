import assert from 'node:assert/strict'
import { after, before, it } from 'node:test'
import { onEveryEngine } from '../support/engines.ts'
import { newDomain, newPhone, type Phone, refusal } from '../support/phones.ts'
import { startTestServer, type TestServer } from '../support/server.ts'
import { sql } from '../support/sql.ts'

const asking = { numberMatching: true }
const mismatch = (remaining: number) => ({ status: 403, code: 'number_mismatch', remaining })
const closed = (state: string) => ({ status: 409, code: 'session_closed', state })

onEveryEngine((engine) => {
  let server: TestServer
  before(async () => {
    server = await startTestServer(engine)
  })
  after(() => server.stop())

  it('the number of the login screen approves', async () => {
    const phone = await newPhone(server)
    const request = await phone.ask(asking)
    assert.match(request.number ?? '', /^[0-9]{6}$/)
    assert.deepEqual(request.challenge.match, { type: 'enter', len: 6 })
    assert.ok(!JSON.stringify(request.challenge).includes(`"${request.number}"`))
    assert.equal((await phone.device.approve(request, { num: request.number })).body.state, 'approved')
  })

  it('the third wrong number denies, and the number is never renewed', async () => {
    const phone = await newPhone(server)
    const request = await phone.ask(asking)
    for (const remaining of [2, 1]) {
      assert.deepEqual(refusal(await phone.device.approve(request, { num: wrong(request) })), mismatch(remaining))
      assert.equal(await phone.verdict(request.sid), 'pending')
    }
    assert.deepEqual(refusal(await phone.device.approve(request, { num: wrong(request) })), mismatch(0))
    assert.deepEqual(await phone.details(request.sid), { state: 'denied', reason: 'number_mismatch' })
    assert.deepEqual(refusal(await phone.device.approve(request, { num: request.number })), closed('denied'))
  })

  it('the right number after two wrong ones approves, and the token’s count begins anew', async () => {
    const phone = await newPhone(server)
    const request = await phone.ask(asking)
    for (const remaining of [2, 1]) {
      assert.deepEqual(refusal(await phone.device.approve(request, { num: wrong(request) })), mismatch(remaining))
    }
    assert.equal(await numberFailures(phone), 2)
    assert.equal((await phone.device.approve(request, { num: request.number })).body.state, 'approved')
    assert.equal(await numberFailures(phone), 0)
  })

  it('T25: no number, and anything but exactly these digits, is a wrong one', async () => {
    const phone = await newPhone(server)
    const digits = (number = '') => [...number].map((digit) => String.fromCharCode(0xff10 + Number(digit))).join('')
    const tries: ((number: string) => unknown)[] = [
      () => undefined,
      (number) => Number(number),
      (number) => ` ${number}`,
      (number) => `${number} `,
      (number) => `${number.slice(0, 3)} ${number.slice(3)}`,
      digits,
      (number) => `+${number}`,
      (number) => `${number}0`,
      (number) => number.slice(0, 5),
      (number) => [number],
      () => null,
      () => true,
      () => '',
      (number) => `${number}\u0000`,
      (number) => number.replace(/^0*/, ''),
    ]
    for (const [index, mistype] of tries.entries()) {
      const request = await phone.ask(asking)
      const num = mistype(request.number ?? '')
      if (num === request.number) continue
      assert.deepEqual(refusal(await phone.device.approve(request, { num })), mismatch(2), `${index}: ${num}`)
      assert.equal((await phone.device.approve(request, { num: request.number })).body.state, 'approved')
      server.clock.advance(60_000)
    }
  })

  it('T25: a domain that requires the number takes no session without it', async () => {
    const phone = await newPhone(server, { domainId: await newDomain(server, { numberMatching: 'required' }) })
    const path = `/api/domains/${phone.domainId}/sessions`
    for (const member of [{}, { numberMatching: false }]) {
      const reply = await server.call('POST', path, { body: { user: { id: phone.userId }, ...member } })
      assert.deepEqual(refusal(reply), { status: 400, code: 'api.error.numbermatching' })
    }
    assert.deepEqual(await phone.device.requests(), [])
    const request = await phone.ask(asking)
    assert.deepEqual(refusal(await phone.device.approve(request)), mismatch(2))
  })

  it('a domain with the policy off shows no number and asks for none', async () => {
    const phone = await newPhone(server, { domainId: await newDomain(server, { numberMatching: 'off' }) })
    const request = await phone.ask(asking)
    assert.equal(request.number, undefined)
    assert.deepEqual(request.challenge.match, { type: 'none' })
    assert.equal((await phone.device.approve(request)).body.state, 'approved')
  })

  it('twenty wrong numbers in a row suspend the token for an hour', async () => {
    const phone = await newPhone(server)
    let waiting = await phone.ask()
    for (let failures = 1; failures <= 19; ) {
      const request = await phone.ask(asking)
      for (let tries = 0; tries < 3 && failures <= 19; tries++, failures++) {
        assert.equal((await phone.device.approve(request, { num: wrong(request) })).status, 403)
      }
      server.clock.advance(60_000)
    }
    assert.equal(await numberFailures(phone), 19)
    waiting = await phone.ask()
    const last = await phone.ask(asking)
    assert.deepEqual(refusal(await phone.device.approve(last, { num: wrong(last) })), mismatch(2))
    assert.deepEqual(await phone.details(last.sid), { state: 'denied', reason: 'suspended' })
    assert.deepEqual(await phone.details(waiting.sid), { state: 'denied', reason: 'suspended' })
    assert.deepEqual(refusal(await phone.device.approve(waiting)), closed('denied'))
    server.clock.advance(3_600_000)
    const request = await phone.ask(asking)
    assert.deepEqual(refusal(await phone.device.approve(request, { num: wrong(request) })), mismatch(2), 'counted anew')
    assert.equal((await phone.device.approve(request, { num: request.number })).body.state, 'approved')
  })

  it('a wrong PIN is judged before the number, and a right one counts although the number is wrong', async () => {
    const phone = await newPhone(server, { pin: true })
    const request = await phone.ask(asking)
    const pin = { m: 'pin', p: Buffer.alloc(32).toString('base64url') }
    const both = await phone.device.approve(request, { num: wrong(request), uv: pin })
    assert.deepEqual(refusal(both), { status: 403, code: 'factor_failed', remaining: 4 })
    assert.equal(await numberFailures(phone), 0)
    assert.deepEqual(refusal(await phone.device.approve(request, { num: wrong(request) })), mismatch(2))
    const again = await phone.device.approve(request, { num: request.number, uv: pin })
    assert.deepEqual(refusal(again), { status: 403, code: 'factor_failed', remaining: 4 })
    assert.equal((await phone.device.approve(request, { num: request.number })).body.state, 'approved')
  })

  it('the number is nowhere but in the answer to the creation', async () => {
    const phone = await newPhone(server)
    const request = await phone.ask(asking)
    const path = `/api/domains/${phone.domainId}/sessions/${request.sid}`
    assert.equal((await server.call('GET', path)).text, `{"id":"${request.sid}","state":"pending"}`)
    assert.equal(
      (await server.call('GET', path, { headers: { accept: 'application/vnd.countersign.v1+json' } })).body.number,
      undefined,
    )
    assert.ok(!JSON.stringify(await phone.device.poll()).includes(`"${request.number}"`))
  })

  async function numberFailures({ device }: Phone): Promise<number> {
    const [row] = await sql(server.database, 'select number_failures from tokens where tid = ?', device.tid)
    return Number(row?.number_failures)
  }
})

/** Another number of the same length. */
function wrong({ number = '' }: { number: string | undefined }): string {
  return `${number.slice(0, -1)}${(Number(number.at(-1)) + 1) % 10}`
}
