import assert from 'node:assert/strict'
import { after, before, it } from 'node:test'
import { onEveryEngine } from '../support/engines.ts'
import {
  type Arena,
  Duel,
  enrol,
  expectOk,
  newMember,
  outcomeOf,
  type Racer,
  rounds,
  startArena,
} from '../support/races.ts'
import type { Reply } from '../support/server.ts'

/** What may happen at the moment of a fraud report. */
interface Rival {
  /** whether it, too, ends what is pending in the user's other domain */
  endsOther: boolean
  prepare(about: { arena: Arena; own: Racer; other: Racer; userId: string }): Promise<() => Promise<Reply>>
}

const reportOf = (phone: Racer, request: { sid: string; ch: string }) =>
  phone.approval(request, { ans: 'deny', why: 'not_me', uv: undefined })

const call = (
  endsOther: boolean,
  path: (about: { arena: Arena; own: Racer; other: Racer; userId: string }) => string,
) => ({
  endsOther,
  prepare: async (about: Parameters<typeof path>[0]) => () => about.arena.fronts[1].call('DELETE', path(about)),
})

const rivals: Record<string, Rival> = {
  'a request in another domain': {
    endsOther: false,
    async prepare({ arena, other, userId }) {
      return () => arena.fronts[1].call('POST', other.sessions, { body: { user: { id: userId } } })
    },
  },
  'an approval in another domain': {
    endsOther: false,
    async prepare({ arena, other }) {
      const message = await other.approval(await other.ask())
      return () => arena.fronts[1].device('answer', message)
    },
  },
  'a fraud report in another domain': {
    endsOther: true,
    async prepare({ arena, other }) {
      const message = await reportOf(other, await other.ask())
      return () => arena.fronts[1].device('answer', message)
    },
  },
  'the revocation of the token': call(false, ({ own }) => own.token),
  'the revocation of the other token': call(true, ({ other }) => other.token),
  'the removal of the member': call(false, ({ own }) => own.token.replace(/\/token$/, '')),
  'the deletion of the user': call(true, ({ userId }) => `/api/users/${userId}`),
}

onEveryEngine((engine) => {
  let arena: Arena
  before(async () => {
    arena = await startArena(engine)
  })
  after(() => arena.stop())

  for (const [name, { endsOther, prepare }] of Object.entries(rivals)) {
    it(`a fraud report and ${name} at once: what was pending is denied, and nobody is told of a failure`, async () => {
      const duel = new Duel()
      await rounds({ count: 16, lanes: 4 }, async () => {
        const member = await newMember(arena.fronts[0])
        const own = await enrol(arena.fronts[0], member)
        const other = await enrol(arena.fronts[0], { ...member, pin: true })
        const reported = await own.ask()
        const bystander = await own.open()
        const elsewhere = await other.open()
        const report = await reportOf(own, reported)
        const compete = await prepare({ arena, own, other, userId: member.userId })
        const stateOf = async (phone: Racer, sid: string) =>
          (await expectOk(arena.fronts[1].call('GET', `${phone.sessions}/${sid}`))).body.state

        const [denied, answer] = await duel.run(
          () => arena.fronts[0].device('answer', report),
          compete,
          ({ status }) => status === 200,
        )

        assert.match(outcomeOf(denied), /^(ok|410 token_revoked|409 session_closed)$/)
        assert.match(outcomeOf(answer), /^(ok|409 session_closed)$/)
        assert.equal(await stateOf(own, reported.sid), 'denied')
        assert.equal(await stateOf(own, bystander), 'denied')
        const reaches = denied.status === 200 || endsOther
        assert.equal(await stateOf(other, elsewhere), reaches ? 'denied' : 'pending')
      })
    })
  }
})
