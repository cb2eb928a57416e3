import assert from 'node:assert/strict'
import { after, before, it } from 'node:test'
import { auditOf } from '../support/audit.ts'
import { type Fob, judged, newFob } from '../support/codes.ts'
import { onEveryEngine } from '../support/engines.ts'
import { newUser } from '../support/phones.ts'
import { startTestServer, type TestServer } from '../support/server.ts'

const stepMs = 30_000

onEveryEngine((engine) => {
  let server: TestServer
  before(async () => {
    server = await startTestServer(engine)
  })
  after(() => server.stop())

  const use = (userId: string, otp: string) => judged(server, { id: userId }, { otp })
  const syncState = async ({ id }: Fob) => (await server.call('GET', `/api/hardware/${id}`)).body.syncState

  async function newHolder(options = {}): Promise<{ userId: string; fob: Fob }> {
    const { userId } = await newUser(server)
    return { userId, fob: await newFob(server, userId, options) }
  }

  it('the password of the moment is approved at once, of either length and step', async () => {
    for (const digits of [6, 8] as const) {
      for (const timeStep of [30, 60] as const) {
        const { userId, fob } = await newHolder({ digits, timeStep })
        assert.equal(fob.otp().length, digits)
        const body = { user: { id: userId }, otp: fob.otp() }
        const reply = await server.call('POST', `/api/domains/${server.acme.domainId}/sessions`, { body })
        const { id: sid } = reply.body
        assert.equal(reply.text, `{"id":"${sid}","state":"approved"}`)
        const read = await server.call('GET', `/api/domains/${server.acme.domainId}/sessions/${sid}`)
        assert.equal(read.text, reply.text)
        const event = { event: 'session.approved', data: { method: 'otp' } }
        assert.deepEqual(await auditOf(server, { sid }), [event])
        server.clock.advance(timeStep * 1000)
        assert.equal(await use(userId, fob.otp()), 'approved')
      }
    }
  })

  it('A15: a password is good for one step to either side of its own, and no further', async () => {
    for (const [ahead, outcome] of [
      [-2, 'wrong_code'],
      [-1, 'approved'],
      [0, 'approved'],
      [1, 'approved'],
      [2, 'wrong_code'],
    ] as const) {
      const { userId, fob } = await newHolder()
      assert.equal(await use(userId, fob.otp(ahead)), outcome, `${ahead}`)
    }
  })

  it('A17 T40: neither a password that was accepted nor an older one passes again, in whatever interval', async () => {
    for (const ahead of [-1, 0, 1]) {
      const { userId, fob } = await newHolder()
      const accepted = fob.step() + ahead
      assert.equal(await use(userId, fob.at(accepted)), 'approved')
      for (const laterMs of [0, 1, stepMs - 1, stepMs, 2 * stepMs - 1, 2 * stepMs]) {
        server.clock.advance(laterMs)
        assert.equal(await use(userId, fob.at(accepted)), 'code_spent', `${ahead}, ${laterMs}`)
        const older = await use(userId, fob.at(accepted - 1))
        assert.ok(['code_spent', 'wrong_code'].includes(older), older)
      }
    }
  })

  it('A17: an older password within reach is refused and not counted, and the next one passes', async () => {
    const { userId, fob } = await newHolder()
    assert.equal(await use(userId, fob.otp()), 'approved')
    for (let count = 0; count < 12; count++) {
      assert.equal(await use(userId, fob.otp(-1)), 'code_spent')
      assert.equal(await use(userId, fob.otp()), 'code_spent')
    }
    assert.equal(await use(userId, fob.otp(1)), 'approved')
    assert.equal(await use(userId, fob.otp()), 'code_spent')
  })

  it('A19: a password has one spelling', async () => {
    const { userId, fob } = await newHolder()
    const otp = fob.otp()
    const wide = [...otp].map((digit) => String.fromCodePoint(0xff10 + Number(digit))).join('')
    const others = [` ${otp}`, `${otp} `, `${otp}\n`, `${otp.slice(0, 3)} ${otp.slice(3)}`, `+${otp}`, wide]
    others.push(`0${otp}`, `${otp}0`, otp.slice(1))
    for (const other of others) assert.equal(await use(userId, other), 'wrong_code', JSON.stringify(other))
    assert.equal(await use(userId, otp), 'approved')
    for (const other of others) assert.equal(await use(userId, other), 'wrong_code', JSON.stringify(other))
    assert.equal(await use(userId, fob.otp(1)), 'approved')
  })

  it('A20: of a hundred equal passwords at once exactly one is approved, and nobody is locked out', async () => {
    const { userId, fob } = await newHolder()
    const outcomes = await Promise.all(Array.from({ length: 100 }, () => use(userId, fob.otp())))
    assert.equal(outcomes.filter((outcome) => outcome === 'approved').length, 1)
    assert.equal(outcomes.filter((outcome) => outcome === 'code_spent').length, 99)
    server.clock.advance(stepMs)
    assert.equal(await use(userId, fob.otp()), 'approved')
  })

  it('A21: another user’s password is wrong, is counted, and is not used', async () => {
    const [{ fob }, { userId: b }] = [await newHolder(), await newHolder()]
    const { body: token } = await server.call('GET', `/api/hardware/${fob.id}`)
    for (let count = 0; count < 10; count++) assert.equal(await use(b, fob.otp()), 'wrong_code')
    assert.equal(await use(b, fob.otp()), 'codes_locked')
    assert.equal(await use(token.user, fob.otp()), 'approved')
  })

  it('A21: a token that changes hands works for its new owner only, from the next password on', async () => {
    const { userId, fob } = await newHolder()
    const { userId: next } = await newUser(server)
    assert.equal(await use(userId, fob.otp()), 'approved')
    assert.equal((await server.call('DELETE', `/api/users/${userId}/hardware`)).status, 200)
    assert.equal(await use(userId, fob.otp(1)), 'wrong_code')
    assert.equal((await server.call('PUT', `/api/users/${next}/hardware/${fob.id}`)).status, 200)
    assert.equal(await use(next, fob.otp()), 'code_spent')
    assert.equal(await use(userId, fob.otp(1)), 'wrong_code')
    assert.equal(await use(next, fob.otp(1)), 'approved')
  })

  it('who has no token, or had one that was deleted, has no password', async () => {
    const { userId, fob } = await newHolder()
    await server.call('DELETE', `/api/hardware/${fob.id}`)
    assert.equal(await use(userId, fob.otp()), 'wrong_code')
    const { userId: other } = await newUser(server)
    assert.equal(await use(other, fob.otp()), 'wrong_code')
  })

  it('a clock that drifts is followed, however far it gets, in either direction', async () => {
    for (const direction of [1, -1]) {
      const { userId, fob } = await newHolder()
      for (let drift = 1; drift <= 25; drift++) {
        server.clock.advance(2 * stepMs)
        assert.equal(await use(userId, fob.otp(drift * direction)), 'approved', `${drift * direction}`)
      }
      server.clock.advance(4 * stepMs)
      assert.equal(await use(userId, fob.otp(0)), 'wrong_code', 'the window has moved along')
    }
  })

  it('what the clock was known to be survives a restart', async () => {
    const { userId, fob } = await newHolder()
    assert.equal(await use(userId, fob.otp(1)), 'approved')
    server.clock.advance(stepMs)
    await server.restart()
    assert.equal(await use(userId, fob.otp()), 'code_spent')
    assert.equal(await use(userId, fob.otp(2)), 'approved')
  })

  it('A18: two passwords in a row find a clock that is far off, and both of them are used up', async () => {
    for (const ahead of [2, 19, -3, -20]) {
      const { userId, fob } = await newHolder()
      const [first, second] = [fob.otp(ahead), fob.otp(ahead + 1)]
      assert.equal(await syncState(fob), 'Never Used')
      assert.equal(await use(userId, first), 'wrong_code')
      assert.equal(await syncState(fob), 'Out of Sync')
      server.clock.advance(stepMs)
      assert.equal(await use(userId, second), 'approved', `${ahead}`)
      assert.equal(await syncState(fob), 'Synchronized')
      for (let later = 0; later < 3; later++) {
        for (const used of [first, second, first, second]) assert.notEqual(await use(userId, used), 'approved')
        server.clock.advance(stepMs)
        assert.equal(await use(userId, fob.otp(ahead)), 'approved', `${ahead}, ${later}`)
      }
    }
  })

  it('A18: one far password twice, two with a gap or in the wrong order, or too far away, find nothing', async () => {
    for (const pair of [
      [10, 10],
      [10, 12],
      [11, 10],
      [21, 22],
      [-22, -21],
    ]) {
      const { userId, fob } = await newHolder()
      for (const ahead of pair) assert.equal(await use(userId, fob.otp(ahead)), 'wrong_code', pair.join())
      assert.equal(await use(userId, fob.otp()), 'approved', 'the clock as it was known is still good')
    }
  })

  it('A18: a clock that is found again is never one that runs before the last password accepted', async () => {
    const { userId, fob } = await newHolder()
    const accepted = fob.step()
    assert.equal(await use(userId, fob.at(accepted)), 'approved')
    server.clock.advance(10 * stepMs)
    // Those who watched may know every password until then.
    for (const step of [accepted - 2, accepted - 1, accepted]) {
      assert.notEqual(await use(userId, fob.at(step)), 'approved')
      assert.equal(await syncState(fob), 'Synchronized')
    }
    assert.equal(await use(userId, fob.at(accepted)), 'code_spent')
    assert.equal(await use(userId, fob.at(accepted + 1)), 'wrong_code')
    assert.equal(await syncState(fob), 'Out of Sync')
    assert.equal(await use(userId, fob.otp()), 'approved')
    assert.equal(await syncState(fob), 'Synchronized')
  })
})
