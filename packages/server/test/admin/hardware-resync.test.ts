import assert from 'node:assert/strict'
import { after, before, it } from 'node:test'
import { auditOf } from '../support/audit.ts'
import { type Fob, judged, newFob } from '../support/codes.ts'
import { onEveryEngine } from '../support/engines.ts'
import { newUser, refusal } from '../support/phones.ts'
import { startTestServer, type TestServer } from '../support/server.ts'

onEveryEngine((engine) => {
  let server: TestServer
  before(async () => {
    server = await startTestServer(engine)
  })
  after(() => server.stop())

  const resync = (fob: Fob, otp1: string, otp2: string) =>
    server.call('POST', `/admin/v1/hardware/${fob.id}/resync`, { body: { otp1, otp2 } })
  const holder = async () => {
    const { userId } = await newUser(server)
    return { userId, fob: await newFob(server, userId) }
  }
  const login = (userId: string, otp: string) => judged(server, { id: userId }, { otp })

  it('A18: two passwords in a row find a clock that is hours off, and both of them are used up', async () => {
    for (const ahead of [400, -400]) {
      const { userId, fob } = await holder()
      const reply = await resync(fob, fob.otp(ahead), fob.otp(ahead + 1))
      assert.deepEqual([reply.status, reply.body.syncState, reply.body.drift], [200, 'Synchronized', ahead + 1])
      for (const used of [ahead, ahead + 1]) assert.equal(await login(userId, fob.otp(used)), 'code_spent')
      assert.equal(await login(userId, fob.otp(ahead + 2)), 'approved')
      const [event] = await auditOf(server, { user_id: userId, event: 'hardware.resynchronized' })
      assert.deepEqual(event?.data, { id: fob.id, serialNumber: fob.serialNumber, drift: ahead + 1 })
    }
  })

  it('A18: a pair that is not after the last password accepted is refused, and changes nothing', async () => {
    const { userId, fob } = await holder()
    assert.equal(await login(userId, fob.otp()), 'approved')
    for (const first of [-300, -2, -1, 0]) {
      const reply = await resync(fob, fob.otp(first), fob.otp(first + 1))
      assert.match(reply.body.errors[0].message, /^otp1: One of them was used before/)
    }
    assert.equal((await server.call('GET', `/admin/v1/hardware/${fob.id}`)).body.drift, 0)
    assert.equal(await login(userId, fob.otp(1)), 'approved')
  })

  it('A18: the same pair passes once, in parallel, too', async () => {
    const { fob } = await holder()
    const pair = [fob.otp(50), fob.otp(51)] as const
    const replies = await Promise.all([1, 2, 3, 4].map(() => resync(fob, ...pair)))
    assert.deepEqual(replies.map(({ status }) => status).sort(), [200, 400, 400, 400])
  })

  it('two passwords that are not in a row, or too far away, or none at all, find nothing', async () => {
    const { userId, fob } = await holder()
    for (const [otp1, otp2] of [
      [fob.otp(5), fob.otp(7)],
      [fob.otp(6), fob.otp(5)],
      [fob.otp(5), fob.otp(5)],
      [fob.otp(600), fob.otp(601)],
      ['', ''],
      [`${fob.otp(5)} `, fob.otp(6)],
    ] as const) {
      const reply = await resync(fob, otp1, otp2)
      assert.equal(reply.status, 400)
      assert.match(reply.body.errors[0].message, /^otp1: These are not two passwords/)
    }
    assert.equal(await login(userId, fob.otp()), 'approved')
  })

  it('ten wrong pairs lock the codes of the user, or the token that is nobody’s, for an hour', async () => {
    const { userId, fob } = await holder()
    for (const one of [fob, await newFob(server, undefined)]) {
      const good = [one.otp(10), one.otp(11)] as const
      for (let n = 0; n < 10; n++) assert.equal((await resync(one, one.otp(2), one.otp(9))).status, 400)
      const locked = await resync(one, ...good)
      assert.deepEqual([refusal(locked).code, locked.headers.get('retry-after')], ['api.error.toomanyrequests', '3600'])
    }
    assert.equal(await login(userId, fob.otp()), 'codes_locked')
    server.clock.advance(3_600_000)
    assert.equal((await resync(fob, fob.otp(10), fob.otp(11))).status, 200)
  })
})
