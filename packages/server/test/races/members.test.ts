import assert from 'node:assert/strict'
import { after, afterEach, before, it } from 'node:test'
import { onEveryEngine } from '../support/engines.ts'
import {
  type Arena,
  Duel,
  enrol,
  expectOk,
  newMember,
  outcomeOf,
  rounds,
  soon,
  startArena,
  Tally,
} from '../support/races.ts'
import { sql } from '../support/sql.ts'

const noUser = '404 api.error.notfound.user'

onEveryEngine((engine) => {
  let arena: Arena
  before(async () => {
    arena = await startArena(engine)
  })
  after(() => arena.stop())

  afterEach(async () => {
    const orphans = `select tid from tokens where state in ('pending', 'active') and not exists (
      select 1 from members where members.domain_id = tokens.domain_id and members.user_id = tokens.user_id)`
    assert.deepEqual(await sql(arena.database, orphans), [], 'somebody who is no member has a token')
    const ghosts = 'select user_id from members where not exists (select 1 from users where users.id = members.user_id)'
    assert.deepEqual(await sql(arena.database, ghosts), [], 'somebody who does not exist is a member')
  })

  const memberPath = (userId: string) => `/api/domains/${arena.acme.domainId}/users/${userId}`

  it('a member who is removed while a token is created keeps no token', async () => {
    const [duel, tally] = [new Duel(), new Tally()]
    const [here, there] = arena.fronts
    const users = await Promise.all([1, 2, 3, 4].map(() => newMember(here)))
    await rounds({ count: 200, lanes: 4 }, async (lane) => {
      const path = memberPath(users[lane]?.userId ?? '')
      await expectOk(here.call('PUT', path))
      const [put] = await duel.run(
        () => there.call('PUT', `${path}/token`),
        () => expectOk(here.call('DELETE', path)),
        ({ status }) => status === 200,
      )
      tally.add(outcomeOf(put))
      await expectOk(there.call('PUT', path))
      assert.equal(outcomeOf(await there.call('GET', `${path}/token`)), '404 api.error.notfound.token')
    })
    tally.assertOnly('ok', noUser)
  })

  it('a user who is deleted while added to a domain is a member of none', async () => {
    const [duel, tally] = [new Duel(), new Tally()]
    const [here, there] = arena.fronts
    await rounds({ count: 100, lanes: 4 }, async () => {
      const { userId } = await newMember(here)
      const path = memberPath(userId)
      await expectOk(here.call('DELETE', path))
      const [added] = await duel.run(
        () => there.call('PUT', path),
        () => expectOk(here.call('DELETE', `/api/users/${userId}`)),
        ({ status }) => status === 200,
      )
      tally.add(outcomeOf(added))
      assert.equal(outcomeOf(await there.call('GET', path)), noUser)
    })
    tally.assertOnly('ok', noUser)
  })

  it('a user who is deleted while a token and a session are created has neither', async () => {
    const [duel, tally] = [new Duel(), new Tally()]
    const [here, there] = arena.fronts
    await rounds({ count: 60, lanes: 4 }, async (lane) => {
      const user = await newMember(here)
      const { device, sessions } = await enrol(here, user)
      const bank = `/api/domains/${arena.acme.pinDomainId}/users/${user.userId}/token`
      const asked = soon(() => there.call('POST', sessions, { body: { user: { id: user.userId } } }))
      const [created] = await duel.run(
        () => there.call('PUT', bank),
        () => expectOk((lane % 2 ? here : there).call('DELETE', `/api/users/${user.userId}`)),
        ({ status }) => status === 200,
      )
      const session = await asked
      tally.add(outcomeOf(created))
      assert.match(outcomeOf(session), /^(ok|404 api\.error\.notfound\.(user|token))$/)
      if (session.status === 200) {
        const { body } = await expectOk(here.call('GET', `${sessions}/${session.body.id}`))
        assert.equal(body.state, 'denied')
      }
      assert.deepEqual(await device.poll(), { kid: device.tid, ok: false, code: 'token_revoked' })
    })
    tally.assertOnly('ok', noUser)
  })

  for (const [kind, lists] of Object.entries({
    'with common users': [
      [...names('common'), ...names('first')],
      [...names('common').reverse(), ...names('second')],
    ],
    'without a common user': [names('third'), names('fourth')],
    'one of them empty': [[], names('fifth')],
  })) {
    it(`of two lists at once, ${kind}, one holds`, async () => {
      const [here, there] = arena.fronts
      const path = `/api/domains/${arena.acme.domainId}/users`
      await rounds({ count: 10, lanes: 1 }, async () => {
        await Promise.all(
          lists.map((usernames, index) => {
            const body = usernames.map((username) => ({ username }))
            return soon(() => expectOk((index ? here : there).call('PUT', path, { body })))
          }),
        )
        const members = (await expectOk(here.call('GET', path))).body.map((user: { username: string }) => user.username)
        const holding = lists.filter((usernames) => usernames.toSorted().join() === members.toSorted().join())
        assert.equal(holding.length, 1, `neither of the lists: ${members}`)
      })
    })
  }

  it('everybody on a list is a member afterwards, also who was deleted at that moment', async () => {
    const [here, there] = arena.fronts
    const path = `/api/domains/${arena.acme.domainId}/users`
    const body = ['gail', 'hank'].map((username) => ({ username }))
    await rounds({ count: 60, lanes: 1 }, async () => {
      await expectOk(here.call('PUT', path, { body }))
      const { body: gail } = await expectOk(here.call('GET', '/api/users?username=gail'))
      const [, deleted] = await Promise.all([
        soon(() => expectOk(here.call('PUT', path, { body }))),
        soon(() => there.call('DELETE', `/api/users/${gail.id}`)),
      ])
      assert.equal(deleted.status, 200)
      const members = (await expectOk(there.call('GET', path))).body.map((user: { username: string }) => user.username)
      const again = await here.call('GET', '/api/users?username=gail')
      // Deleted after the list, she is gone; deleted before it, the list has created her anew.
      assert.deepEqual(members.toSorted(), again.status === 200 ? ['gail', 'hank'] : ['hank'])
    })
  })
})

function names(prefix: string): string[] {
  return Array.from({ length: 30 }, (_, number) => `${prefix}${number}`)
}
