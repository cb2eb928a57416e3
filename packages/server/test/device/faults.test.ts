import assert from 'node:assert/strict'
import { after, before, it } from 'node:test'
import type { App } from '../../src/main.ts'
import { StorageUnavailable } from '../../src/storage/engines/engine.ts'
import { onEveryEngine } from '../support/engines.ts'
import { newPhone, type Phone, refusal } from '../support/phones.ts'
import { type Reply, startTestServer, type TestServer } from '../support/server.ts'
import { type Spy, spyOnStorage } from '../support/spied-storage.ts'

const injected = new Error('injected')
const fail = () => {
  throw injected
}

/** Everything that a verdict asks besides the database, each with a way to make it fail. */
const dependencies: Record<string, (app: App) => Partial<App>> = {
  clock: () => ({ now: fail }),
  'number MAC': ({ secrets }) => ({ secrets: { ...secrets, mac: failingFor('number', secrets.mac) } }),
  'row MAC': ({ secrets }) => ({ secrets: { ...secrets, mac: failingFor('row', secrets.mac) } }),
  'verdict MAC': ({ secrets }) => ({ secrets: { ...secrets, mac: failingFor('verdict', secrets.mac) } }),
  'audit MAC': ({ secrets }) => ({ secrets: { ...secrets, mac: failingFor('audit', secrets.mac) } }),
  'PIN key': ({ secrets }) => ({ secrets: { ...secrets, decrypt: fail } }),
  evidence: ({ secrets }) => ({ secrets: { ...secrets, encrypt: fail } }),
  'public keys': () => ({ publicKeys: new FailingMap() }),
  limits: ({ limits }) => ({ limits: { ...limits, signedMessages: { retryAfter: fail, count: fail } } }),
}

class FailingMap<Key, Value> extends Map<Key, Value> {
  override get = fail
}

onEveryEngine((engine) => {
  let server: TestServer
  let spy: Spy
  before(async () => {
    spy = spyOnStorage()
    server = await startTestServer(engine, { storage: spy.storage })
  })
  after(() => server.stop())

  for (const [what, error, status] of [
    ['fails', injected, 500],
    ['cannot be reached', new StorageUnavailable('injected'), 503],
  ] as const) {
    it(`A32: whichever statement of an approval ${what}, nothing is approved, and the same approval works later`, async () => {
      const phone = await newPhone(server, { pin: true })
      const calls = await callsOf(async () => approve(phone, await asked(phone)))
      assert.ok(calls.length >= 12, calls.join())
      for (const call of calls) {
        const request = await asked(phone)
        const message = await approvalOf(phone, request)
        spy.failing = { call, error }
        const reply = await server.device('answer', message)
        spy.failing = undefined
        assert.equal(reply.status, status, `${call} ${reply.text}`)
        assert.equal(reply.headers.get('retry-after'), status === 503 ? '1' : null)
        assert.ok(!reply.text.includes('injected'))
        assert.equal(await phone.verdict(request.sid), 'pending', call)
        assert.equal((await server.device('answer', message)).body.state, 'approved', call)
      }
    })
  }

  it('A32: whichever statement of a read fails, nothing reads as approved', async () => {
    const phone = await newPhone(server, { pin: true })
    const request = await asked(phone)
    await approve(phone, request)
    const path = `/api/domains/${phone.domainId}/sessions/${request.sid}`
    for (const url of [path, `${path}?wait=25`]) {
      const calls = await callsOf(() => server.call('GET', url))
      assert.deepEqual(calls, ['apiKeys.findByHash', 'sessions.find'])
      for (const call of calls) {
        spy.failing = { call, error: injected }
        assert.deepEqual(refusal(await server.call('GET', url)), { status: 500, code: 'api.error.internal' }, call)
        spy.failing = undefined
      }
    }
    assert.equal(await phone.verdict(request.sid), 'approved')
  })

  it('A32: whatever else fails, nothing is approved', async () => {
    const phone = await newPhone(server, { pin: true })
    for (const [name, broken] of Object.entries(dependencies)) {
      const request = await asked(phone)
      const message = await approvalOf(phone, request)
      const reply = await without(broken, () => server.device('answer', message))
      assert.deepEqual(refusal(reply), { status: 500, code: 'internal' }, name)
      assert.equal(await phone.verdict(request.sid), 'pending', name)
      assert.equal((await server.device('answer', message)).body.state, 'approved', name)
    }
  })

  it('A32: a verdict whose MAC or time cannot be judged is not read as approved', async () => {
    const phone = await newPhone(server)
    const request = await asked(phone)
    await phone.device.approve(request, { num: request.number })
    const path = `/api/domains/${phone.domainId}/sessions/${request.sid}`
    for (const name of ['verdict MAC', 'clock']) {
      const reply = await without(dependencies[name] ?? assert.fail(), () => server.call('GET', path))
      assert.deepEqual(refusal(reply), { status: 500, code: 'api.error.internal' }, name)
    }
    const failing = { watch: { value: fail } }
    const waiting = ({ events }: App) => ({ events: Object.create(events, failing) })
    const reply = await without(waiting, () => server.call('GET', `${path}?wait=25`))
    assert.deepEqual(refusal(reply), { status: 500, code: 'api.error.internal' })
  })

  it('A32: a bell that does not ring changes no verdict: a denial stays one, an approval is the one that was signed', async () => {
    const phone = await newPhone(server)
    const silent = ({ events }: App) => ({ events: Object.create(events, { wake: { value: fail } }) })
    const denied = await asked(phone)
    await without(silent, () => phone.device.deny(denied))
    assert.equal(await phone.verdict(denied.sid), 'denied')
    const request = await asked(phone)
    await without(silent, () => phone.device.approve(request, { num: '' }))
    assert.equal(await phone.verdict(request.sid), 'pending')
    const message = await approvalOf(phone, request)
    await without(silent, () => server.device('answer', message))
    assert.equal((await server.device('answer', message)).body.state, 'approved', 'the repeat says what was decided')
    assert.equal(await phone.verdict(request.sid), 'approved')
  })

  it('A32: a session whose challenge was spoilt is not approved', async () => {
    const phone = await newPhone(server)
    const request = await asked(phone)
    const { organization_id } = (await server.app.storage.tokens.findByTid(phone.device.tid)) ?? assert.fail()
    const row = (await server.app.storage.sessions.find(organization_id, request.sid)) ?? assert.fail()
    const spoilt = { ...row, sid: 'a'.repeat(40), challenge: 'AAAA' }
    await server.app.storage.transaction(({ sessions }) => sessions.insert(spoilt))
    const reply = await phone.device.approve({ sid: spoilt.sid, ch: request.ch }, { num: request.number })
    assert.deepEqual(refusal(reply), { status: 500, code: 'internal' })
    assert.equal(await phone.verdict(spoilt.sid), 'pending')
  })

  /** A request with a number, in a minute of its own: these tests are not about limits. */
  function asked(phone: Phone) {
    server.clock.advance(60_000)
    return phone.ask({ numberMatching: true })
  }

  type Asked = Awaited<ReturnType<typeof asked>>

  async function approvalOf({ device }: Phone, request: Asked): Promise<string> {
    return device.sign('answer', await device.approvalPayload(request, { num: request.number }))
  }

  async function approve(phone: Phone, request: Asked): Promise<Reply> {
    const reply = await server.device('answer', await approvalOf(phone, request))
    assert.equal(reply.body.state, 'approved')
    return reply
  }

  /** What the last of some requests asked the database. */
  async function callsOf(work: () => Promise<Reply>): Promise<string[]> {
    spy.calls.length = 0
    await work()
    const last = spy.calls.lastIndexOf('domains.findMany')
    // The poll before ends with the first; a chain of the log is begun once, not with every approval.
    const others = ['sessions.findPendingOf', 'tx.audit.createHead']
    return [...new Set(spy.calls.slice(last + 1))].filter((call) => !others.includes(call))
  }

  /** Runs something while a part of the server is broken. */
  async function without<T>(broken: (app: App) => Partial<App>, work: () => Promise<T>): Promise<T> {
    const { app } = server
    const whole = { ...app }
    Object.assign(app, broken(whole))
    try {
      return await work()
    } finally {
      Object.assign(app, whole)
    }
  }
})

function failingFor(purpose: string, mac: App['secrets']['mac']): App['secrets']['mac'] {
  return (asked, text) => (asked === purpose ? fail() : mac(asked, text))
}
