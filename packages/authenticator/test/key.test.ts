// What is done with a key that is there, as the screens see it, against a real server.
import assert from 'node:assert/strict'
import { after, afterEach, before, beforeEach, it } from 'node:test'
import { sweepOld } from '../../server/src/core/sweeper.ts'
import { onSqlite } from '../../server/test/support/engines.ts'
import { startTestServer, type TestServer } from '../../server/test/support/server.ts'
import { type Lies, SoftAuthenticator } from '../../server/test/support/webauthn.ts'
import type { NewUnlock, Token } from '../src/model/model.ts'
import { askFor, domainOf, enrol, openPhone, type Phone, shown, until } from './support/phone.ts'

const [old, fresh] = ['482913', '739164']

onSqlite((engine) => {
  let server: TestServer
  let phone: Phone
  let finger: { authenticator: SoftAuthenticator; lies: Lies }
  /** a domain that takes a PIN or what unlocks the phone */
  let either: string
  before(async () => {
    server = await startTestServer(engine)
    either = await domainOf(server, { keyType: 'PIN', platformUnlockEnabled: true })
  })
  after(() => server.stop())
  beforeEach(async () => {
    server.clock.advance(3_600_000)
    finger = { authenticator: new SoftAuthenticator(server.deviceUrl), lies: {} }
    phone = await openPhone(server, { finger })
  })
  afterEach(() => phone.close())

  const lose = (loseReplies: number) => Object.assign(phone.network, { loseReplies, losing: /factor/ })
  const changes = () => phone.network.sent.filter(({ path }) => path === '/factor').map(({ body }) => body)
  /** The key when the page was closed before anybody saw that a change had arrived. */
  const afterLostReply = async (token: Token, next: NewUnlock) => {
    lose(10_000)
    const sent = changes().length
    void token.changeUnlock(old, next)
    await until(() => changes().length > sent + 1)
    const [reopened] = (await phone.reopen()).tokens.all
    lose(0)
    return reopened ?? assert.fail('The key is gone')
  }
  const approve = async (proof: { pin?: string }, domainId = server.acme.pinDomainId) => {
    const { sid } = await askFor(server, domainId)
    const request = await shown(phone, sid)
    await request.approve(proof)
    phone.model.requests.dismiss(sid)
    return request.outcome
  }

  it('T32: is removed here and on the server, gets another PIN, gets a name', async () => {
    const token = await enrol(server, phone, old)
    await token.rename(' Work ')
    assert.equal(token.name, 'Work')
    assert.deepEqual(token.unlocks, ['pin'])
    assert.deepEqual(await token.changeUnlock('482914', { pin: fresh }), { is: 'wrong_pin', remaining: 4 })
    assert.deepEqual(await token.changeUnlock(old, { pin: '1234' }), { is: 'refused', problem: { is: 'common' } })
    assert.deepEqual(await token.changeUnlock(old, { pin: fresh }), { is: 'done' })
    assert.equal((await approve({ pin: fresh })).is, 'approved')
    phone.network.down = true
    assert.deepEqual(await token.remove(), { is: 'not_sent', problem: { is: 'offline' } })
    phone.network.down = false
    assert.deepEqual(await token.remove(), { is: 'done' })
    assert.deepEqual(await phone.store.tokens(), [])
    const path = `/api/domains/${server.acme.pinDomainId}/users/${server.acme.alice}/token`
    assert.equal((await server.call('GET', path)).status, 404)
    assert.deepEqual(phone.model.tokens.ended, [])
  })

  it('gets another PIN when the reply is lost: the very same message is sent again, and the old PIN is not counted', async () => {
    const token = await enrol(server, phone, old)
    lose(4)
    assert.deepEqual(await token.changeUnlock(old, { pin: fresh }), { is: 'not_sent', problem: { is: 'offline' } })
    assert.equal(token.unconfirmedChange, true)
    assert.deepEqual([await token.retryChange(), token.unconfirmedChange], [{ is: 'done' }, false])
    assert.deepEqual([changes().length, new Set(changes()).size], [5, 1])
    assert.equal((await approve({ pin: fresh })).is, 'approved')
  })

  it('gets another PIN when the page was closed meanwhile, by the same two PINs; no secret was kept for that', async () => {
    const token = await afterLostReply(await enrol(server, phone, old), { pin: fresh })
    const [record] = await phone.store.tokens()
    assert.deepEqual(Object.keys(record?.unsettled?.id ?? {}), ['jti', 'iat'])
    assert.deepEqual(await token.changeUnlock(old, { pin: fresh }), { is: 'done' })
    assert.equal((await approve({ pin: fresh })).is, 'approved')
  })

  it('does not use up a try to find out what became of a change', async () => {
    const token = await afterLostReply(await enrol(server, phone, old), { pin: fresh })
    assert.deepEqual(await token.changeUnlock(old, { pin: '907315' }), { is: 'unknown' })
    assert.deepEqual(await token.changeUnlock('482914', { pin: fresh }), { is: 'wrong_pin', remaining: 4 })
    lose(4)
    await token.changeUnlock(fresh, { pin: old })
    server.clock.advance(700_000)
    await sweepOld(server.app)
    assert.deepEqual(await token.retryChange(), { is: 'unknown' })
  })

  it('gets another PIN that was offline for longer than the server takes a message', async () => {
    const token = await enrol(server, phone, old)
    phone.network.down = true
    assert.equal((await token.changeUnlock(old, { pin: fresh })).is, 'not_sent')
    phone.network.down = false
    server.clock.advance(400_000)
    assert.deepEqual(await token.retryChange(), { is: 'done' })
    assert.equal((await approve({ pin: fresh })).is, 'approved')
  })

  for (const { what, settle } of [
    { what: 'sent again', settle: (token: Token) => token.retryChange() },
    {
      what: 'typed again after the page was closed',
      async settle() {
        const [reopened] = (await phone.reopen()).tokens.all
        return reopened?.changeUnlock(old, { pin: fresh })
      },
    },
  ]) {
    it(`gets another PIN that is ${what}, when it was signed anew with the right time and that reply was lost`, async () => {
      const token = await enrol(server, phone, old)
      phone.network.down = true
      assert.equal((await token.changeUnlock(old, { pin: fresh })).is, 'not_sent')
      phone.network.down = false
      server.clock.advance(400_000)
      Object.assign(phone.network, { loseReplies: 4, losing: /factor 200/ })
      assert.equal((await token.retryChange()).is, 'not_sent')
      assert.deepEqual(await settle(token), { is: 'done' })
    })
  }

  it('says of a change that it has no answer yet while it is being sent, and sends it once however often it is asked', async () => {
    const token = await enrol(server, phone, old)
    lose(3)
    const changing = token.changeUnlock(old, { pin: fresh })
    await until(() => token.lateChange)
    assert.deepEqual(
      await Promise.all([changing, token.retryChange(), token.retryChange()]),
      Array(3).fill({ is: 'done' }),
    )
    assert.deepEqual([changes().length, token.lateChange], [4, undefined])
  })

  it('is unlocked by fingerprint instead of its PIN, and by a PIN again, where the domain takes both', async () => {
    const token = await enrol(server, phone, old, either)
    assert.deepEqual([token.unlock, token.unlocks], ['pin', ['pin', 'platform']])
    finger.lies = { rpId: 'other.example' }
    const refused = await token.changeUnlock(old, 'platform')
    assert.deepEqual(refused, { is: 'refused', problem: { is: 'not_taken' } })
    finger.lies = {}
    assert.deepEqual(await token.changeUnlock('482914', 'platform'), { is: 'wrong_pin', remaining: 4 })
    assert.deepEqual(await token.changeUnlock(old, 'platform'), { is: 'done' })
    assert.deepEqual([token.unlock, token.unlocks], ['platform', ['pin']])
    assert.equal((await approve({}, either)).is, 'approved')
    assert.deepEqual(await token.changeUnlock('', { pin: fresh }), { is: 'done' })
    assert.equal((await approve({ pin: fresh }, either)).is, 'approved')
  })

  for (const { what, settle } of [
    { what: 'at the next request', settle: async () => assert.equal((await approve({}, either)).is, 'approved') },
    {
      what: 'when it is changed again',
      async settle(token: Token) {
        assert.deepEqual(await token.changeUnlock(old, 'platform'), { is: 'unknown' })
        assert.equal(token.unlock, 'platform')
        assert.deepEqual(await token.changeUnlock('', { pin: fresh }), { is: 'done' })
      },
    },
  ]) {
    it(`finds out ${what} that it is unlocked by fingerprint, when nobody saw the reply`, async () => {
      const token = await afterLostReply(await enrol(server, phone, old, either), 'platform')
      assert.equal(token.unlock, 'pin')
      await settle(token)
      assert.equal((await phone.store.tokens())[0]?.unsettled, undefined)
    })
  }

  for (const { what, from, to } of [
    { what: 'a PIN', from: 'platform', to: { pin: fresh } },
    { what: 'fingerprint', from: 'pin', to: 'platform' },
  ] as const) {
    it(`stays usable when ${what} that is in force was to be set again, and nothing of that got through`, async () => {
      const token = await enrol(server, phone, old, either)
      if (from === 'platform') assert.deepEqual(await token.changeUnlock(old, from), { is: 'done' })
      const proof = from === 'platform' ? '' : old
      const again = await afterLostReply(token, to)
      phone.network.down = true
      finger.authenticator = new SoftAuthenticator(server.deviceUrl)
      assert.equal((await again.changeUnlock(proof, to)).is, 'not_sent')
      phone.network.down = false
      await phone.reopen()
      const { sid } = await askFor(server, either)
      const request = await shown(phone, sid)
      // One try at most goes to find out which credential counts.
      await request.approve({ pin: fresh })
      if (request.outcome.is === 'open') await request.approve({ pin: fresh })
      assert.equal(request.outcome.is, 'approved')
      assert.equal((await phone.store.tokens())[0]?.unsettled, undefined)
    })
  }

  it('asks for the other of two PINs, after a wrong one, when it is changed again', async () => {
    const domainId = await domainOf(server, { keyType: 'PIN' })
    await enrol(server, phone, old, domainId)
    await server.call('PATCH', `/admin/v1/domains/${domainId}`, { body: { keyType: 'PASSCODE' } })
    await phone.reopen()
    const token = await until(() => phone.model.tokens.all.find(({ unlocks }) => unlocks[0] === 'passcode'))
    const again = await afterLostReply(token, { pin: 'a long way to Tipperary' })
    server.clock.advance(700_000)
    await sweepOld(server.app)
    assert.equal(again.unlock, 'pin')
    assert.deepEqual(await again.changeUnlock(old, { pin: 'my heart is right there' }), {
      is: 'wrong_pin',
      remaining: 4,
    })
    assert.equal(again.unlock, 'passcode')
    const changed = await again.changeUnlock('a long way to Tipperary', { pin: 'my heart is right there' })
    assert.deepEqual(changed, { is: 'done' })
  })

  it('says that the domain wants another unlock, and changes it', async () => {
    const domainId = await domainOf(server, { keyType: 'PIN' })
    await enrol(server, phone, old, domainId)
    await server.call('PATCH', `/admin/v1/domains/${domainId}`, { body: { keyType: 'BIOMETRIC' } })
    await phone.reopen()
    const token = await until(() => phone.model.tokens.all.find(({ state }) => state.is === 'unlock_required'))
    assert.deepEqual(token.unlocks, ['platform'])
    assert.deepEqual(await token.changeUnlock(old, 'platform'), { is: 'done' })
    assert.equal(token.state.is, 'active')
    assert.equal((await approve({}, domainId)).is, 'approved')
  })
})
