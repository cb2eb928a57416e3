import assert from 'node:assert/strict'
import { after, before, it } from 'node:test'
import { sweepOld } from '../../src/core/sweeper.ts'
import { judged, newBypassCode } from '../support/codes.ts'
import { onEveryEngine } from '../support/engines.ts'
import { newUser } from '../support/phones.ts'
import { startTestServer, type TestServer } from '../support/server.ts'

const minuteMs = 60_000
const retentionMs = 90 * 1_440 * minuteMs

onEveryEngine((engine) => {
  let server: TestServer
  before(async () => {
    server = await startTestServer(engine)
  })
  after(() => server.stop())

  const idsOf = async (userId: string): Promise<string[]> =>
    (await server.call('GET', `/api/users/${userId}/bypasscodes`)).body.map(({ id }: { id: string }) => id)
  async function useUp(userId: string, { code }: { code: string }): Promise<void> {
    assert.equal(await judged(server, { id: userId }, { bypasscode: code }), 'approved')
  }

  it('a bypass code goes 90 days after it was used up or expired, whichever was first, and no other goes', async () => {
    const { userId } = await newUser(server)
    const used = await newBypassCode(server, userId, { expirationTime: 10 })
    const expired = await newBypassCode(server, userId, { expirationTime: 2 })
    const half = await newBypassCode(server, userId, { usesAllowed: 2 })
    const unused = await newBypassCode(server, userId)
    server.clock.advance(minuteMs)
    await useUp(userId, used)
    await useUp(userId, half)
    const left = async () => {
      await sweepOld(server.app)
      return (await idsOf(userId)).sort()
    }
    server.clock.advance(retentionMs - 1)
    assert.deepEqual(await left(), [used.id, expired.id, half.id, unused.id].sort())
    server.clock.advance(1)
    assert.deepEqual(await left(), [expired.id, half.id, unused.id].sort())
    server.clock.advance(minuteMs)
    assert.deepEqual(await left(), [half.id, unused.id].sort())
    server.clock.advance(10 * retentionMs)
    assert.deepEqual(await left(), [half.id, unused.id].sort())
    await useUp(userId, half)
  })

  it('of codes that have ended a user keeps the last hundred, and each that can be used', async () => {
    const [{ userId }, { userId: other }] = [await newUser(server), await newUser(server)]
    const theirs = await newBypassCode(server, other)
    await useUp(other, theirs)
    const live = await newBypassCode(server, userId)
    server.clock.advance(minuteMs)
    const late = await newBypassCode(server, userId)
    const ended: string[] = []
    for (let count = 0; count < 102; count++) {
      server.clock.advance(10 * minuteMs)
      ended.push((await newBypassCode(server, userId, { expirationTime: 1 })).id)
    }
    server.clock.advance(10 * minuteMs)
    await useUp(userId, late)
    const next = await newBypassCode(server, userId)
    assert.deepEqual(await idsOf(userId), [live.id, late.id, ...ended.slice(-99), next.id])
    assert.equal(await judged(server, { id: userId }, { bypasscode: late.code }), 'code_spent')
    assert.equal((await server.call('GET', `/api/bypasscodes/${ended[0]}`)).status, 404)
    assert.deepEqual(await idsOf(other), [theirs.id])
    await useUp(userId, live)
  })
})
