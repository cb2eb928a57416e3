import assert from 'node:assert/strict'
import { after, before, it } from 'node:test'
import { newBypassCode, newFob, type Presented } from '../support/codes.ts'
import { onEveryEngine } from '../support/engines.ts'
import { countersign, newUser } from '../support/phones.ts'
import { type Reply, startTestServer, type TestServer } from '../support/server.ts'
import { spyOnStorage } from '../support/spied-storage.ts'

onEveryEngine((engine) => {
  let server: TestServer
  const spy = spyOnStorage()
  before(async () => {
    server = await startTestServer(engine, { storage: spy.storage })
  })
  after(() => server.stop())

  const path = () => `/api/domains/${server.acme.domainId}/sessions`
  const approve = async (userId: string, code: Presented): Promise<string> => {
    const { body } = await server.call('POST', path(), { body: { user: { id: userId }, ...code } })
    assert.equal(body.state, 'approved')
    return body.id
  }
  const details = async (sid: string) => {
    const { body } = await server.call('GET', `${path()}/${sid}`, { headers: countersign })
    return [body.state, body.reason]
  }

  /** A user with both kinds of code, and what each approved. */
  async function newApproved() {
    const { userId } = await newUser(server)
    const [{ id: codeId, code }, fob] = [
      await newBypassCode(server, userId, { usesAllowed: 9 }),
      await newFob(server, userId),
    ]
    const [bypasscode, otp] = [await approve(userId, { bypasscode: code }), await approve(userId, { otp: fob.otp() })]
    return { userId, codeId, code, hardwareId: fob.id, fob, bypasscode, otp }
  }
  type Approved = Awaited<ReturnType<typeof newApproved>>

  const spare = async () => (await newFob(server, undefined)).id
  const removals: Record<string, ['bypasscode' | 'otp', (of: Approved) => Promise<Reply>]> = {
    'a hardware token is deleted': ['otp', ({ hardwareId }) => server.call('DELETE', `/api/hardware/${hardwareId}`)],
    'a hardware token is taken away': ['otp', ({ userId }) => server.call('DELETE', `/api/users/${userId}/hardware`)],
    'a hardware token is replaced': [
      'otp',
      async ({ userId }) => server.call('PUT', `/api/users/${userId}/hardware/${await spare()}`),
    ],
    'a hardware token is deleted by an administrator': [
      'otp',
      ({ hardwareId }) => server.call('DELETE', `/admin/v1/hardware/${hardwareId}`),
    ],
    'a hardware token is taken away by an administrator': [
      'otp',
      ({ userId, hardwareId }) => server.call('DELETE', `/admin/v1/users/${userId}/hardware/${hardwareId}`),
    ],
    'a bypass code is deleted': ['bypasscode', ({ codeId }) => server.call('DELETE', `/api/bypasscodes/${codeId}`)],
    'all bypass codes are deleted': [
      'bypasscode',
      ({ userId }) => server.call('DELETE', `/api/users/${userId}/bypasscodes`),
    ],
    'a bypass code is deleted by an administrator': [
      'bypasscode',
      ({ codeId }) => server.call('DELETE', `/admin/v1/bypass-codes/${codeId}`),
    ],
  }

  for (const [what, [method, remove]] of Object.entries(removals)) {
    it(`A40: when ${what}, what it approved is denied, and nothing else`, async () => {
      const [of, other] = [await newApproved(), await newApproved()]
      const { status, text } = await remove(of)
      assert.ok(status === 200 || status === 204, text)
      const reason = method === 'otp' ? 'hardware_removed' : 'code_deleted'
      assert.deepEqual(await details(of[method]), ['denied', reason])
      assert.deepEqual(await details(of[method === 'otp' ? 'bypasscode' : 'otp']), ['approved', ''])
      for (const sid of [other.otp, other.bypasscode]) assert.deepEqual(await details(sid), ['approved', ''])
    })
  }

  it('A40: a code that is being judged while it is taken away leaves no approval behind', async () => {
    for (const [what, [method, remove]] of Object.entries(removals)) {
      const of = await newApproved()
      const gate = Promise.withResolvers<void>()
      spy.calls.length = 0
      spy.held = { call: 'tx.sessions.insert', until: gate.promise }
      const code = method === 'otp' ? { otp: of.fob.otp(1) } : { bypasscode: of.code }
      const asked = server.call('POST', path(), { body: { user: { id: of.userId }, ...code } })
      while (!spy.calls.includes('tx.sessions.insert')) await new Promise(setImmediate)
      spy.held = undefined
      const removed = remove(of)
      for (let turns = 0; turns < 200; turns++) await new Promise(setImmediate)
      gate.resolve()
      const [{ body }] = [await asked, await removed]
      assert.equal((await details(body.id))[0], 'denied', what)
    }
  })
})
