// The way from a code to a key, as the screens see it, against a real server.
import assert from 'node:assert/strict'
import { after, afterEach, before, beforeEach, it } from 'node:test'
import { onSqlite } from '../../server/test/support/engines.ts'
import { startTestServer, type TestServer } from '../../server/test/support/server.ts'
import { type Lies, SoftAuthenticator } from '../../server/test/support/webauthn.ts'
import { askFor, codeFor, domainOf, enrol, noPush, openPhone, type Phone, shown, until } from './support/phone.ts'

const settings = { COUNTERSIGN_NAME: 'Example MFA', COUNTERSIGN_PUSH_CONTACT: 'mailto:mfa@example.org' }

onSqlite((engine) => {
  let server: TestServer
  let phone: Phone
  before(async () => {
    server = await startTestServer(engine, { settings })
  })
  after(() => server.stop())
  beforeEach(async () => {
    server.clock.advance(3_600_000)
    phone = await openPhone(server)
  })
  afterEach(() => phone.close())

  const step = () => phone.model.activation.step
  const withFinger = async (lies: Lies = {}) => {
    const finger = { authenticator: new SoftAuthenticator(server.deviceUrl), lies }
    phone.close()
    phone = await openPhone(server, { finger })
    return finger
  }
  const toConfirm = async (domainId: string) => {
    const { activation } = phone.model
    activation.start()
    activation.enterCode(await codeFor(server, domainId))
    await activation.enterUsername('alice')
  }

  it('goes from a typed code over the name, a question and a PIN to a key', async () => {
    const { activation } = phone.model
    activation.start()
    const code = await codeFor(server, server.acme.pinDomainId)
    activation.enterCode(` ${code.slice(0, 5)} - ${code.slice(5).toUpperCase()}`)
    assert.deepEqual(step(), { at: 'username', code, username: '' })
    await activation.enterUsername(' Alice ')
    const asked = step()
    assert.equal(asked.at, 'confirm')
    if (asked.at !== 'confirm') return
    const { server: name, domain, user, unlock, minLength } = asked.offer
    assert.deepEqual(
      [name.name, domain.name, user, unlock, minLength],
      ['Example MFA', 'Acme Bank', 'alice', ['pin'], 4],
    )
    assert.deepEqual(await phone.store.tokens(), [])
    await activation.confirm()
    await activation.choosePin('123456')
    assert.deepEqual(step(), { at: 'unlock', offer: asked.offer, busy: false, problem: { is: 'common' } })
    await activation.choosePin('482')
    await activation.choosePin('48a913')
    assert.deepEqual(step(), { at: 'unlock', offer: asked.offer, busy: false, problem: { is: 'not_digits' } })
    await activation.choosePin('482913')
    assert.equal(step().at, 'ready')
    const [record] = await phone.store.tokens()
    assert.equal(record?.state, 'active')
    assert.equal(record?.signKey.extractable, false)
    assert.ok(record?.unlock.method === 'pin' && !record.unlock.mixKey.extractable)
  })

  it('goes from a link to the question at once, and takes nothing without a tap', async () => {
    const code = await codeFor(server, server.acme.domainId)
    await phone.reopen(`${server.deviceUrl}/a#c=${code}&u=alice`)
    assert.deepEqual(step(), { at: 'username', code, username: 'alice' })
    await phone.model.activation.enterUsername('alice')
    assert.equal(step().at, 'confirm')
    phone.model.activation.decline()
    assert.deepEqual(step(), { at: 'idle' })
    assert.deepEqual(await phone.store.tokens(), [])
    assert.equal(phone.model.activation.readQr('https://example.org/'), false)
    assert.equal(phone.model.activation.readQr(`https://other.example/a#c=${code}&s=abc`), true)
    assert.deepEqual(step(), { at: 'code', code: '', problem: { is: 'other_server', origin: 'https://other.example' } })
  })

  it('says what is wrong with a code', async () => {
    const { activation } = phone.model
    activation.start()
    activation.enterCode('d2mejab9nu')
    assert.deepEqual(step(), { at: 'code', code: 'd2mejab9nu', problem: { is: 'malformed', character: 'u' } })
    activation.enterCode('0000000000')
    await activation.enterUsername('alice')
    assert.deepEqual(step(), { at: 'username', code: '0000000000', username: 'alice', problem: { is: 'unknown' } })
    for (let i = 0; i < 10; i++) {
      if (step().at === 'code') activation.enterCode('0000000000')
      await activation.enterUsername('alice')
    }
    const stopped = step()
    assert.ok(stopped.at === 'code' && stopped.problem?.is === 'too_many_tries' && stopped.problem.waitSeconds > 60)
  })

  it('says that there is no answer, and asks again', async () => {
    const { activation } = phone.model
    activation.start()
    activation.enterCode(await codeFor(server, server.acme.domainId))
    phone.network.down = true
    await activation.enterUsername('bob').catch(() => {})
    assert.deepEqual(step(), { at: 'asking', problem: { is: 'offline' } })
    phone.network.down = false
    await activation.retry()
    assert.equal(step().at, 'username')
  })

  it('leaves in peace whoever went back while the server was asked', async () => {
    const { activation } = phone.model
    phone.network.down = true
    activation.start()
    activation.enterCode(await codeFor(server, server.acme.domainId))
    const asking = activation.enterUsername('alice')
    activation.back()
    await asking
    assert.deepEqual(step(), { at: 'idle' })
  })

  it('does not wait for a push service that never answers', async () => {
    phone.close()
    const push = { ...noPush, permission: 'granted' as const, subscribe: () => new Promise<never>(() => {}) }
    phone = await openPhone(server, { push })
    await enrol(server, phone)
  })

  it('sends the very same finish again when its reply is lost', async () => {
    await toConfirm(server.acme.pinDomainId)
    await phone.model.activation.confirm()
    Object.assign(phone.network, { loseReplies: 3, losing: /finish/ })
    await phone.model.activation.choosePin('482913')
    assert.equal(step().at, 'ready')
    const bodies = phone.network.sent.filter(({ path }) => path === '/activation/finish').map(({ body }) => body)
    assert.deepEqual([bodies.length, new Set(bodies).size], [4, 1])
  })

  it('settles by itself, after the page was closed, what a lost reply has left open', async () => {
    await toConfirm(server.acme.pinDomainId)
    await phone.model.activation.confirm()
    Object.assign(phone.network, { loseReplies: 10_000, losing: /finish|sync/ })
    void phone.model.activation.choosePin('482913')
    await until(
      () => step().at === 'finishing' && phone.network.sent.filter(({ path }) => /finish/.test(path)).length > 1,
    )
    const [record] = await phone.store.tokens()
    assert.deepEqual([record?.state, record?.activation?.jws], ['activating', undefined])
    phone.network.loseReplies = 0
    await phone.reopen()
    await until(() => phone.model.tokens.all[0]?.state.is === 'active')
    const { sid } = await askFor(server, server.acme.pinDomainId)
    const request = await shown(phone, sid)
    await request.approve({ pin: '482913' })
    assert.equal(request.outcome.is, 'approved')
  })

  it('asks for the PIN again when finish never got through before the page was closed', async () => {
    await toConfirm(server.acme.pinDomainId)
    await phone.model.activation.confirm()
    phone.network.down = true
    void phone.model.activation.choosePin('482913')
    await until(() => phone.network.sent.some(({ path }) => path === '/activation/finish'))
    await phone.reopen()
    phone.network.down = false
    await phone.reopen()
    await until(() => step().at === 'unlock')
    await phone.model.activation.choosePin('739164')
    assert.equal(step().at, 'ready')
    const { sid } = await askFor(server, server.acme.pinDomainId)
    const request = await shown(phone, sid)
    await request.approve({ pin: '739164' })
    assert.equal(request.outcome.is, 'approved')
  })

  it('finishes what was offline for longer than the server takes a message: with the right time, and the rest as it was', async () => {
    await toConfirm(server.acme.pinDomainId)
    await phone.model.activation.confirm()
    phone.network.down = true
    const chosen = phone.model.activation.choosePin('482913')
    await until(() => phone.network.sent.some(({ path }) => path === '/activation/finish'))
    server.clock.advance(400_000)
    phone.network.down = false
    await chosen
    assert.equal(step().at, 'ready')
  })

  it('asks after an interruption for the same kind of unlock, because the first finish may have arrived', async () => {
    const domainId = await domainOf(server, { keyType: 'PIN', platformUnlockEnabled: true })
    await withFinger()
    await toConfirm(domainId)
    await phone.model.activation.confirm()
    Object.assign(phone.network, { loseReplies: 10_000, losing: /finish|sync/ })
    void phone.model.activation.choosePin('482913')
    await until(() => phone.network.sent.filter(({ path }) => /finish/.test(path)).length > 1)
    await phone.reopen()
    const asked = await until(() => {
      const now = step()
      return now.at === 'unlock' && now
    })
    assert.deepEqual(asked.offer.unlock, ['pin'])
    await phone.model.activation.choosePlatform()
    phone.network.loseReplies = 0
    await phone.model.activation.choosePin('482913')
    assert.equal(step().at, 'ready')
    const { sid } = await askFor(server, domainId)
    const request = await shown(phone, sid)
    await request.approve({ pin: '482913' })
    assert.equal(request.outcome.is, 'approved')
  })

  it('asks for another way to unlock when the server does not take the first', async () => {
    const domainId = await domainOf(server, { keyType: 'PIN', platformUnlockEnabled: true })
    const finger = await withFinger({ rpId: 'other.example' })
    await toConfirm(domainId)
    await phone.model.activation.confirm()
    await phone.model.activation.choosePlatform()
    const asked = step()
    assert.deepEqual(asked.at === 'unlock' && [asked.problem, asked.offer.unlock], [
      { is: 'not_taken' },
      ['pin', 'platform'],
    ])
    // Meanwhile the domain has come to want the other one.
    await server.call('PATCH', `/admin/v1/domains/${domainId}`, { body: { keyType: 'BIOMETRIC' } })
    await phone.model.activation.choosePin('482913')
    const again = step()
    assert.deepEqual(again.at === 'unlock' && [again.problem, again.offer.unlock], [{ is: 'not_taken' }, ['platform']])
    finger.lies = {}
    await phone.model.activation.choosePlatform()
    assert.equal(step().at, 'ready')
  })

  it('adds nothing when the code was withdrawn meanwhile, and deletes the keys once that is certain', async () => {
    await toConfirm(server.acme.domainId)
    await server.call('DELETE', `/api/domains/${server.acme.domainId}/users/${server.acme.alice}/token`)
    await phone.model.activation.confirm()
    assert.deepEqual(step(), { at: 'refused', why: 'withdrawn' })
    await until(() => phone.model.tokens.all.length === 0)
    assert.deepEqual(await phone.store.tokens(), [])
  })

  it('offers a passcode where the domain wants one', async () => {
    await toConfirm(await domainOf(server, { keyType: 'PASSCODE' }))
    const asked = step()
    assert.ok(asked.at === 'confirm')
    assert.deepEqual([asked.offer.unlock, asked.offer.minLength], [['passcode'], 8])
    await phone.model.activation.confirm()
    await phone.model.activation.choosePin('password123')
    assert.ok(step().at === 'unlock')
    await phone.model.activation.choosePin('grüne Teekanne')
    assert.equal(step().at, 'ready')
  })

  it('T33: says that the browser has thrown the keys away, until that is dismissed', async () => {
    await enrol(server, phone)
    phone.store.clear()
    await phone.reopen()
    assert.equal(phone.model.tokens.evicted, true)
    phone.model.tokens.dismissEvicted()
    await phone.reopen()
    assert.equal(phone.model.tokens.evicted, false)
  })
})
