import assert from 'node:assert/strict'
import { after, before, it } from 'node:test'
import { newBypassCode, newFob, type Presented } from '../support/codes.ts'
import { onPostgres } from '../support/engines.ts'
import { countersign, newUser } from '../support/phones.ts'
import { type Reply, startTestServer, type TestServer } from '../support/server.ts'
import { type Spy, spyOnStorage } from '../support/spied-storage.ts'

// On the embedded database units run one after another: nothing comes between the first statement of one and its last.
onPostgres((engine) => {
  let server: TestServer
  let spy: Spy
  before(async () => {
    spy = spyOnStorage()
    server = await startTestServer(engine, { storage: spy.storage })
  })
  after(() => server.stop())

  const details = ({ body }: Reply) => body.reason || body.state || body.errors[0].code

  /** Presents a code that is right when it is looked up, and does the work before it is judged. */
  async function between(userId: string, code: Presented, work: () => Promise<Reply>): Promise<string> {
    const gate = Promise.withResolvers<void>()
    spy.calls.length = 0
    spy.held = { call: 'tx.members.lock', until: gate.promise }
    const body = { user: { id: userId }, ...code }
    const path = `/api/domains/${server.acme.domainId}/sessions`
    const judged = server.call('POST', path, { body, headers: countersign })
    while (!spy.calls.includes('tx.members.lock')) await new Promise(setImmediate)
    spy.held = undefined
    assert.equal((await work()).status, 200)
    gate.resolve()
    return details(await judged)
  }

  it('A21: a token that is taken away, or given to somebody else, says nothing about its user from then on', async () => {
    const [{ userId }, { userId: next }] = [await newUser(server), await newUser(server)]
    const fob = await newFob(server, userId)
    const take = () => server.call('DELETE', `/api/users/${userId}/hardware`)
    const give = (to: string) => server.call('PUT', `/api/users/${to}/hardware/${fob.id}`)
    assert.equal(await between(userId, { otp: fob.otp() }, take), 'wrong_code')
    await give(userId)
    const hand = () => take().then(() => give(next))
    assert.equal(await between(userId, { otp: fob.otp() }, hand), 'wrong_code')
    // Nothing was used up.
    const nothing = () => server.call('GET', '/api/ping')
    assert.equal(await between(next, { otp: fob.otp() }, nothing), 'approved')
  })

  it('a token or a bypass code that is deleted in the meantime is not accepted', async () => {
    const { userId } = await newUser(server)
    const fob = await newFob(server, userId)
    const { id, code } = await newBypassCode(server, userId)
    const forget = () => server.call('DELETE', `/api/hardware/${fob.id}`)
    assert.equal(await between(userId, { otp: fob.otp() }, forget), 'wrong_code')
    const annul = () => server.call('DELETE', `/api/bypasscodes/${id}`)
    assert.equal(await between(userId, { bypasscode: code }, annul), 'code_spent')
  })

  it('A30: who is removed or deleted in the meantime is nobody, and no code is used', async () => {
    const { userId } = await newUser(server)
    const { id, code } = await newBypassCode(server, userId)
    const remove = () => server.call('DELETE', `/api/domains/${server.acme.domainId}/users/${userId}`)
    assert.equal(await between(userId, { bypasscode: code }, remove), 'api.error.notfound.user')
    assert.equal((await server.call('GET', `/api/bypasscodes/${id}`)).body.usesRemaining, 1)
    await server.call('PUT', `/api/domains/${server.acme.domainId}/users/${userId}`)
    const end = () => server.call('DELETE', `/api/users/${userId}`)
    assert.equal(await between(userId, { bypasscode: code }, end), 'api.error.notfound.user')
  })

  it('A17: of two passwords in flight the older one passes only if it is judged first', async () => {
    const { userId } = await newUser(server)
    const fob = await newFob(server, userId)
    const body = { user: { id: userId }, otp: fob.otp(1) }
    const newer = () => server.call('POST', `/api/domains/${server.acme.domainId}/sessions`, { body })
    assert.equal(await between(userId, { otp: fob.otp() }, newer), 'code_spent')
  })
})
