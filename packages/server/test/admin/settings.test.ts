import assert from 'node:assert/strict'
import { after, before, beforeEach, it } from 'node:test'
import { newAdministrator } from '../support/administrators.ts'
import { judged, newBypassCode, newFob } from '../support/codes.ts'
import { onEveryEngine } from '../support/engines.ts'
import { countersign, newPhone, newUser } from '../support/phones.ts'
import { startTestServer, type TestServer } from '../support/server.ts'
import { sql } from '../support/sql.ts'

const path = '/admin/v1/settings'
const defaults = {
  sessionsPerDayMax: 1_000,
  pendingSessionsMax: 3,
  activationCodeMinutesMax: null,
  bypassCodeMinutesMax: null,
  wrongBypassCodesMax: 5,
  wrongOneTimePasswordsMax: 10,
}
const minuteMs = 60_000

onEveryEngine((engine) => {
  let server: TestServer
  before(async () => {
    server = await startTestServer(engine)
  })
  beforeEach(() => set(defaults))
  after(() => server.stop())

  async function set(settings: object): Promise<void> {
    const reply = await server.call('PATCH', path, { body: settings })
    assert.equal(reply.status, 200, reply.text)
  }

  it('nothing is set at first; what is named changes, the rest stays, and another organization’s is its own', async () => {
    const { body, headers } = await server.call('GET', path)
    assert.deepEqual(body, defaults)
    const changed = await server.call('PATCH', path, { body: { pendingSessionsMax: 1, bypassCodeMinutesMax: 60 } })
    assert.deepEqual(changed.body, { ...defaults, pendingSessionsMax: 1, bypassCodeMinutesMax: 60 })
    const shown = await server.call('GET', path)
    assert.deepEqual([shown.body, shown.headers.get('etag')], [changed.body, changed.headers.get('etag')])
    assert.notEqual(headers.get('etag'), shown.headers.get('etag'))
    assert.deepEqual((await server.call('GET', path, { key: server.other.apiKey })).body, defaults)
  })

  it('a change is in the audit log with what it was, and what changes nothing is not', async () => {
    const log = () =>
      sql(
        server.database,
        `select data from audit_events where event = 'organization.settings_changed' order by at, seq`,
      )
    server.clock.advance(1)
    const { length } = await log()
    await set({ wrongBypassCodesMax: 3, pendingSessionsMax: 3 })
    await set({ wrongBypassCodesMax: 3 })
    const events = await log()
    assert.equal(events.length, length + 1)
    assert.ok(events.some(({ data }) => data === '{"changed":{"wrongBypassCodesMax":{"was":5,"is":3}}}'))
  })

  it('what somebody else has changed meanwhile is not overwritten; of two at once one wins', async () => {
    const etag = (await server.call('GET', path)).headers.get('etag') ?? ''
    const change = (pendingSessionsMax: number) =>
      server.call('PATCH', path, { body: { pendingSessionsMax }, headers: { 'if-match': etag } })
    const statuses = (await Promise.all([change(1), change(2)])).map(({ status }) => status)
    assert.deepEqual(statuses.sort(), [200, 412])
  })

  it('nothing can be laxer than the server, and nothing so strict that nobody can work', async () => {
    const wrong = [
      ...[{ sessionsPerDayMax: 1_001 }, { sessionsPerDayMax: 4 }, { pendingSessionsMax: 4 }, { pendingSessionsMax: 0 }],
      ...[{ wrongBypassCodesMax: 6 }, { wrongBypassCodesMax: 1 }, { wrongOneTimePasswordsMax: 11 }],
      ...[{ activationCodeMinutesMax: 4 }, { bypassCodeMinutesMax: 525_601 }, { bypassCodeMinutesMax: 1.5 }],
      ...[{ pendingSessionsMax: null }, { pendingSessionsMax: '1' }, { others: 1 }],
    ]
    for (const body of wrong) {
      const reply = await server.call('PATCH', path, { body })
      assert.deepEqual([reply.status, reply.body.errors[0].code], [400, 'api.error.badrequest'], JSON.stringify(body))
    }
    assert.deepEqual((await server.call('GET', path)).body, defaults)
  })

  it('T38: an administrator changes them, the help desk and auditors read them', async () => {
    for (const [role, status] of [
      ['admin', 200],
      ['helpdesk', 403],
      ['auditor', 403],
    ] as const) {
      const headers = await (await newAdministrator(server, role)).signIn()
      assert.equal((await server.call('GET', path, { key: null, headers })).status, 200)
      const body = { pendingSessionsMax: 2 }
      assert.equal((await server.call('PATCH', path, { key: null, headers, body })).status, status, role)
    }
  })

  it('sessionsPerDayMax: one more session of a user in a day is refused at once, and the next day there are new ones', async () => {
    const { userId } = await newUser(server)
    const create = () =>
      server.call('POST', `/api/domains/${server.acme.domainId}/sessions`, { body: { user: { id: userId }, otp: '1' } })
    for (let count = 0; count < 6; count++) assert.equal((await create()).status, 200)
    await set({ sessionsPerDayMax: 6 })
    assert.equal((await create()).status, 429)
    server.clock.advance(24 * 60 * minuteMs)
    assert.equal((await create()).status, 200)
  })

  it('pendingSessionsMax: one more request than may wait is denied, and those that wait can be approved', async () => {
    const phone = await newPhone(server)
    const create = async () =>
      (
        await server.call('POST', `/api/domains/${phone.domainId}/sessions`, {
          body: { user: { id: phone.userId } },
          headers: countersign,
        })
      ).body
    const [first, second] = [await create(), await create()]
    await set({ pendingSessionsMax: 2 })
    const third = await create()
    assert.deepEqual(
      [first.state, second.state, third.state, third.reason],
      ['pending', 'pending', 'denied', 'throttled'],
    )
    for (const request of await phone.device.requests()) assert.equal((await phone.device.approve(request)).status, 200)
    assert.equal((await create()).state, 'pending')
  })

  it('activationCodeMinutesMax: a new code ends when it says, at most; the codes that there are keep their ends', async () => {
    const issue = async () => {
      const { userId } = await newUser(server)
      const token = `/api/domains/${server.acme.domainId}/users/${userId}/token`
      assert.equal((await server.call('PUT', token)).status, 200)
      return async () => (await server.call('GET', token)).status
    }
    const older = await issue()
    await set({ activationCodeMinutesMax: 30 })
    const newer = await issue()
    server.clock.advance(30 * minuteMs - 1)
    assert.deepEqual([await older(), await newer()], [200, 200])
    server.clock.advance(1)
    assert.deepEqual([await older(), await newer()], [200, 404])
  })

  it('bypassCodeMinutesMax: no new code lives for longer or for ever, and one of no stated end ends then', async () => {
    const { userId } = await newUser(server)
    const forEver = await newBypassCode(server, userId)
    await set({ bypassCodeMinutesMax: 60 })
    for (const expirationTime of [0, 61, 525_600]) {
      const reply = await server.call('POST', `/api/users/${userId}/bypasscodes`, { body: { expirationTime } })
      assert.deepEqual([reply.status, reply.body.errors[0].code], [400, 'api.error.badrequest'])
    }
    const managed = `/admin/v1/users/${userId}/bypass-codes`
    const later = new Date(server.clock.now() + 61 * minuteMs).toISOString()
    for (const expiresAt of [null, later])
      assert.equal((await server.call('POST', managed, { body: { expiresAt } })).status, 400)
    const codes = [await newBypassCode(server, userId), await newBypassCode(server, userId, { expirationTime: 60 })]
    const made = await server.call('POST', managed, { body: {} })
    assert.equal(made.body.expiresAt, new Date(server.clock.now() + 60 * minuteMs).toISOString())
    server.clock.advance(60 * minuteMs)
    for (const { code } of [...codes, made.body])
      assert.equal(await judged(server, { id: userId }, { bypasscode: code }), 'code_spent')
    assert.equal(await judged(server, { id: userId }, { bypasscode: forEver.code }), 'approved')
  })

  for (const [setting, kind] of [
    ['wrongBypassCodesMax', 'bypasscode'],
    ['wrongOneTimePasswordsMax', 'otp'],
  ] as const) {
    it(`${setting}: so many wrong codes in a row lock the user’s codes, counted from before the change`, async () => {
      const { userId } = await newUser(server)
      const { code } = await newBypassCode(server, userId)
      await newFob(server, userId)
      const wrong = () => judged(server, { id: userId }, kind === 'otp' ? { otp: 'x' } : { bypasscode: 'x' })
      assert.deepEqual([await wrong(), await wrong()], ['wrong_code', 'wrong_code'])
      await set({ [setting]: 3 })
      assert.equal(await wrong(), 'wrong_code')
      assert.equal(await judged(server, { id: userId }, { bypasscode: code }), 'codes_locked')
      server.clock.advance(60 * minuteMs)
      assert.equal(await judged(server, { id: userId }, { bypasscode: code }), 'approved')
    })
  }
})
