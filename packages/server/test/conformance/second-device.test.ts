import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { after, before, it } from 'node:test'
import { onEveryEngine } from '../support/engines.ts'
import { startTestServer, type TestServer } from '../support/server.ts'
import { derivePinKey, SecondDevice } from './second-device.ts'

it('a PIN becomes the key of the vectors', () => {
  const file = new URL('../../../../docs/specs/vectors/pin-key.json', import.meta.url)
  const { salt_hex, mix_hex, cases } = JSON.parse(readFileSync(file, 'utf8'))
  const store = { salt: Buffer.from(salt_hex, 'hex'), mixKey: Buffer.from(mix_hex, 'hex') }
  const { pin, tid, pinKey } = cases.at(-1)
  assert.equal(derivePinKey(pin, tid, store).toString('base64url'), pinKey)
})

onEveryEngine((engine) => {
  let server: TestServer
  let oneStep: string
  let bank: string
  /** what the device's own clock is ahead of the server's */
  let aheadMs = 0
  let network = fetch
  const now = () => server.clock.now() + aheadMs
  const device = (origin = server.deviceUrl) =>
    SecondDevice.at({ origin, now, rounds: 1, fetch: (...call) => network(...call) })

  before(async () => {
    server = await startTestServer(engine)
    oneStep = `/api/domains/${server.acme.domainId}`
    bank = `/api/domains/${server.acme.pinDomainId}`
  })
  after(() => server.stop())

  const token = (method: string, domain: string) => server.call(method, `${domain}/users/${server.acme.alice}/token`)

  /** A new phone of alice's; what she had before is gone. */
  async function enrol(domain: string, pin?: string): Promise<SecondDevice> {
    await token('DELETE', domain)
    const phone = await device()
    const { code } = (await token('PUT', domain)).body
    await phone.activate({ code: `${code.slice(0, 5).toUpperCase()}-${code.slice(5)}`, username: ' Alice ', pin })
    assert.deepEqual((await token('GET', domain)).body, { state: 'active' })
    return phone
  }

  /** A request as the device shows it, and as the application knows it. */
  async function ask(phone: SecondDevice, domain: string, more: object = {}) {
    const heard = phone.sync(25)
    const body = { user: { username: 'alice' }, ipAddress: '203.0.113.7', ...more }
    const { id, number = '' } = (await server.call('POST', `${domain}/sessions`, { body })).body
    const [request] = await heard
    assert.ok(request)
    return { request, number, state: async () => (await server.call('GET', `${domain}/sessions/${id}`)).body.state }
  }

  /** What becomes of the next message, or of its answer; those after it get through. */
  function once(way: typeof fetch): void {
    network = (...call) => {
      network = fetch
      return way(...call)
    }
  }
  const lose = () => Promise.reject(new TypeError('lost'))
  const loseAnswer: typeof fetch = async (...call) => (await fetch(...call)).text().then(lose)
  const forge: typeof fetch = async (...call) =>
    new Response((await (await fetch(...call)).text()).replace('"sid":"', '"sid":"0'))

  it('without an unlock: approved, denied by mistake, not twice, and only with the server that was named', async () => {
    await assert.rejects(device(server.deviceUrl.replace('localhost', '127.0.0.1')), /This is/)
    const phone = await enrol(oneStep)
    const { request, state } = await ask(phone, oneStep)
    assert.deepEqual([request.inside.user, request.inside.ip], ['alice', '203.0.113.7'])
    once(loseAnswer)
    assert.deepEqual([await phone.approve(request), await state()], ['approved', 'approved'])
    await assert.rejects(phone.approve(request), /409 session_closed approved/)
    const other = await ask(phone, oneStep)
    assert.deepEqual([await phone.deny(other.request, 'mistake'), await other.state()], ['denied', 'denied'])
  })

  it('with a PIN: wrong ones count, another one takes its place, the fifth in a row ends the token', async () => {
    await assert.rejects(enrol(bank, '123'), /403 factor_required/)
    const phone = await enrol(bank, '４８２９１３')
    const { request, state } = await ask(phone, bank)
    await assert.rejects(phone.approve(request, { pin: '0000' }), /403 factor_failed 4/)
    await assert.rejects(phone.changePin('0000', '7391'), /403 factor_failed 3/)
    await phone.changePin('482913', '7391')
    await assert.rejects(phone.approve(request, { pin: '482913' }), /403 factor_failed 4/)
    assert.deepEqual([await phone.approve(request, { pin: '7391' }), await state()], ['approved', 'approved'])
    for (const left of [4, 3, 2, 1, 0]) await assert.rejects(phone.rotate('0000'), RegExp(`403 factor_failed ${left}`))
    await assert.rejects(phone.sync(), /The keys of this token are gone/)
    assert.deepEqual([(await token('GET', bank)).status, await state()], [404, 'denied'])
  })

  it('with a number: the wrong one, and the right one as people type it', async () => {
    const phone = await enrol(oneStep)
    const { request, number } = await ask(phone, oneStep, { numberMatching: true })
    await assert.rejects(phone.approve(request, { number: '1' }), /403 number_mismatch 2/)
    assert.equal(await phone.approve(request, { number: `${number.slice(0, 3)} ${number.slice(3)}` }), 'approved')
  })

  it('not me: denied after the approval, too, and nothing is heard for an hour', async () => {
    const phone = await enrol(oneStep)
    const { request, state } = await ask(phone, oneStep)
    await phone.approve(request)
    assert.deepEqual([await phone.deny(request, 'not_me'), await state()], ['denied', 'denied'])
    const { body } = await server.call('POST', `${oneStep}/sessions`, { body: { user: { username: 'alice' } } })
    assert.deepEqual([body.state, await phone.sync()], ['denied', []])
    server.clock.advance(3_600_000)
    assert.equal(await phone.approve((await ask(phone, oneStep)).request), 'approved')
  })

  it('another key, also where the message or its answer is lost', async () => {
    const phone = await enrol(bank, '482913')
    await phone.rotate('482913')
    for (const way of [lose, loseAnswer]) {
      once(way)
      await assert.rejects(phone.rotate('482913'), /lost/)
      const { request } = await ask(phone, bank)
      assert.equal(await phone.approve(request, { pin: '482913' }), 'approved')
    }
  })

  it('a clock that is wrong corrects itself, and judges no request by itself', async () => {
    const phone = await enrol(oneStep)
    for (aheadMs of [1_200_000, -1_200_000, 240_000, 0]) {
      const { request } = await ask(phone, oneStep)
      await phone.rotate()
      assert.equal(await phone.approve(request), 'approved')
    }
  })

  it('a challenge that was changed on its way is not shown, or not approved', async () => {
    const phone = await enrol(oneStep)
    const { request } = await ask(phone, oneStep)
    once(forge)
    await assert.rejects(phone.sync(), /not for this token/)
    await assert.rejects(phone.approve({ ...request, hash: Buffer.alloc(32) }), /409 challenge_mismatch/)
  })

  it('removed by the device or revoked by the server: no token, no keys', async () => {
    const phone = await enrol(oneStep)
    await phone.remove()
    assert.equal((await token('GET', oneStep)).status, 404)
    const other = await enrol(oneStep)
    await token('DELETE', oneStep)
    await assert.rejects(other.sync(25), /token_revoked/)
    for (const gone of [phone, other]) await assert.rejects(gone.sync(), /The keys of this token are gone/)
  })
})
