import assert from 'node:assert/strict'
import { after, before, it } from 'node:test'
import { newBypassCode, newFob } from '../support/codes.ts'
import { onEveryEngine } from '../support/engines.ts'
import { newPhone, newUser, type Phone } from '../support/phones.ts'
import { type PushService, startPushService } from '../support/push-service.ts'
import { pushSettings } from '../support/pushes.ts'
import { startTestServer, type TestServer } from '../support/server.ts'
import { type Spy, spyOnStorage } from '../support/spied-storage.ts'
import { watchStatements } from '../support/statements.ts'
import { newSubscription } from '../support/subscriptions.ts'

onEveryEngine((engine) => {
  let server: TestServer
  let service: PushService
  let spy: Spy
  let phone: Phone
  let watched: ReturnType<typeof watchStatements>
  before(async () => {
    spy = spyOnStorage()
    service = await startPushService()
    server = await startTestServer(engine, { storage: spy.storage, settings: pushSettings, network: service.network })
    phone = await newPhone(server, { pin: true })
    watched = watchStatements()
  })
  after(async () => {
    watched.stop()
    await Promise.all([service.close(), server.stop()])
  })

  /** The repositories' calls of one request, each of which must be one statement. */
  async function callsOf(work: () => Promise<{ status: number; text?: string }>): Promise<string[]> {
    spy.calls = []
    watched.texts.length = 0
    const { status, text } = await work()
    assert.ok(status < 500, text)
    assert.equal(watched.texts.length, spy.calls.length, watched.texts.join('\n'))
    // A connection’s first event begins its chain; which connection of a pool is used is chance.
    const begun = spy.calls.indexOf('tx.audit.createHead')
    return begun < 0 ? spy.calls : spy.calls.toSpliced(begun, 2)
  }
  const audited = ['tx.audit.lockHead', 'tx.audit.append', 'tx.audit.moveHead']
  const key = 'apiKeys.findByHash'
  const listed = ['members.domainsOf', 'bypassCodes.idsOf', 'hardwareTokens.idsOf']
  const sync = async () =>
    server.device('sync', { wait: 0, tokens: [await phone.device.sign('sync', phone.device.common('sync'))] })

  it('who is asking costs one', async () => {
    assert.deepEqual(await callsOf(() => server.call('GET', '/api/ping')), [key])
    assert.deepEqual(await callsOf(() => server.call('GET', '/api/ping', { key: 'x'.repeat(64) })), [key])
    assert.deepEqual(await callsOf(() => server.call('GET', '/api/ping', { key: 'x' })), [])
  })

  it('a login costs a handful on its way from the application to the phone and back', async () => {
    const domain = `/api/domains/${phone.domainId}`
    let sid = ''
    const create = async () => {
      const reply = await server.call('POST', `${domain}/sessions`, { body: { user: { username: phone.username } } })
      sid = reply.body.id
      return reply
    }
    assert.deepEqual(await callsOf(create), [
      key,
      'domains.find',
      'members.findUserByName',
      'tokens.findLive',
      'tx.tokens.lock',
      'tx.limits.use',
      'tx.sessions.countPending',
      'tx.sessions.insert',
      'tx.tokens.updateCounters',
      ...audited,
    ])
    const read = () => server.call('GET', `${domain}/sessions/${sid}`)
    assert.deepEqual(await callsOf(read), [key, 'sessions.find'])
    const polled = ['tokens.findManyByTid', 'tokens.findManyByTid', 'domains.findMany', 'sessions.findPendingOf']
    assert.deepEqual(await callsOf(sync), polled)
    const request = await phone.device.request()
    const answer = await phone.device.sign('answer', await phone.device.approvalPayload(request))
    const judged = await callsOf(() => server.device('answer', answer))
    assert.deepEqual(judged.slice(-audited.length), audited)
    assert.deepEqual(judged.slice(0, -audited.length), [
      'tokens.findByTid',
      'tx.tokens.lock',
      'tx.sessions.lock',
      'tx.replies.find',
      'tx.sessions.countAnswer',
      'tx.domains.find',
      'tx.sessions.approve',
      'tx.tokens.updateCounters',
      'tx.replies.insert',
    ])
    assert.deepEqual(await callsOf(read), [key, 'sessions.find'])
  })

  it('a push costs none: a request takes the same with one as without, and its success is not written', async () => {
    const silent = await newPhone(server)
    const create = ({ userId, domainId }: Phone) =>
      callsOf(() => server.call('POST', `/api/domains/${domainId}/sessions`, { body: { user: { id: userId } } }))
    const without = [...(await create(silent))]
    await newSubscription(server, silent.device)
    assert.deepEqual(await create(silent), without)
    await service.until(1)
    while (server.app.pushes.open > 0) await new Promise(setImmediate)
    assert.equal(watched.texts.length, spy.calls.length)
    assert.equal(spy.calls.filter((call) => !call.startsWith('tx.audit')).length, without.length - audited.length)
  })

  it('a session by code costs a fixed number, however many codes the user has and whatever comes of them', async () => {
    const { userId } = await newUser(server)
    const fob = await newFob(server, userId)
    const create = (presented: object, user: object = { id: userId }) =>
      callsOf(() => server.call('POST', `/api/domains/${phone.domainId}/sessions`, { body: { user, ...presented } }))
    const asked = (lookUp: string) => [
      ...[key, 'domains.find', 'members.findUser', lookUp],
      ...['tx.members.lock', 'tx.tokens.lockLive', 'tx.limits.use', 'tx.codeFailures.lock'],
    ]
    const ended = ['tx.sessions.insert', ...audited]
    const byCode = asked('bypassCodes.listOf')
    const byOtp = asked('hardwareTokens.findOf')
    const wrong = ['tx.codeFailures.update', ...ended]
    for (let more = 0; more < 3; more++) {
      const { code } = await newBypassCode(server, userId)
      assert.deepEqual(await create({ bypasscode: '' }), [...byCode, ...wrong])
      assert.deepEqual(await create({ bypasscode: code }), [...byCode, 'tx.bypassCodes.use', ...wrong])
      assert.deepEqual(await create({ bypasscode: code }), [...byCode, 'tx.bypassCodes.use', ...ended])
    }
    const judged = [...byOtp, 'tx.hardwareTokens.lock']
    assert.deepEqual(await create({ otp: '' }), [...judged, ...wrong])
    assert.deepEqual(await create({ otp: fob.otp() }), [...judged, 'tx.hardwareTokens.moveClock', ...wrong])
    assert.deepEqual(await create({ otp: fob.otp(1) }), [...judged, 'tx.hardwareTokens.moveClock', ...ended])
    assert.deepEqual(await create({ otp: fob.otp() }), [...judged, ...ended])
    for (let count = 0; count < 5; count++) await create({ bypasscode: '' })
    assert.deepEqual(await create({ bypasscode: '' }), [...byCode, ...ended])
    assert.deepEqual(await create({ otp: fob.otp(2) }), [...byOtp, ...ended])
    // The phone is asked again after a success, for one more.
    await phone.ask()
    const { code } = await newBypassCode(server, phone.userId)
    const counted = [...byCode, 'tx.bypassCodes.use', 'tx.sessions.insert', 'tx.tokens.updateCounters', ...audited]
    assert.deepEqual(await create({ bypasscode: code }, { id: phone.userId }), counted)
  })

  it('whether a token is active costs four', async () => {
    assert.deepEqual(await callsOf(() => server.call('GET', phone.token)), [
      key,
      'domains.find',
      'members.findUser',
      'tokens.findLive',
    ])
  })

  const paged = (noun: string) => [`${noun}.pageOfIds`, 'users.findMany']

  it('a page of users costs five, however many there are', async () => {
    for (let more = 0; more < 3; more++) {
      await newUser(server)
      assert.deepEqual(await callsOf(() => server.call('GET', '/api/users')), [key, ...paged('users'), ...listed])
    }
    const { domainId } = phone
    assert.deepEqual(await callsOf(() => server.call('GET', `/api/domains/${domainId}/users`)), [
      key,
      'domains.find',
      ...paged('members'),
      ...listed,
    ])
  })

  it('a page of hardware tokens costs three, however many there are', async () => {
    for (let more = 0; more < 3; more++) {
      await newFob(server, undefined)
      const calls = await callsOf(() => server.call('GET', '/api/hardware'))
      assert.deepEqual(calls, [key, 'hardwareTokens.pageOfIds', 'hardwareTokens.findMany'])
    }
  })

  it('a list of five hundred users costs no more statements than one of two', async () => {
    const { domainId } = server.acme
    const replace = (count: number) =>
      callsOf(() => {
        const list = Array.from({ length: count }, (_, index) => ({ username: `listed${index}` }))
        return server.call('PUT', `/api/domains/${domainId}/users`, { body: list })
      })
    await replace(1)
    const few = await replace(2)
    assert.deepEqual(await replace(500), few)
    assert.ok(few.length < 15, few.join())
  })
})
