import assert from 'node:assert/strict'
import { after, before, it } from 'node:test'
import { auditOf } from '../support/audit.ts'
import { onEveryEngine } from '../support/engines.ts'
import { newDomain, newPhone, newUser, type Phone, refusal } from '../support/phones.ts'
import { startTestServer, type TestServer } from '../support/server.ts'
import { spyOnStorage } from '../support/spied-storage.ts'
import { dump, sql } from '../support/sql.ts'

const badRequest = { status: 400, code: 'api.error.badrequest' }

onEveryEngine((engine) => {
  let server: TestServer
  const spy = spyOnStorage()
  before(async () => {
    server = await startTestServer(engine, { storage: spy.storage })
  })
  after(() => server.stop())

  const replace = (domainId: string, body: unknown) => server.call('PUT', `/api/domains/${domainId}/users`, { body })
  async function members(domainId: string): Promise<string[]> {
    const { body } = await server.call('GET', `/api/domains/${domainId}/users`)
    return body.map(({ username, name, email }: Record<string, string>) => `${username}|${name}|${email}`).sort()
  }
  const summaries = async (domainId: string) =>
    (await auditOf(server, { domain_id: domainId, event: 'members.replaced' })).map(({ data }) => data)

  it('users are created, added, updated and removed until the list is the domain’s', async () => {
    const domainId = await newDomain(server, {})
    const [kept, added, gone] = [await newUser(server), await newUser(server), await newUser(server)]
    for (const { userId } of [kept, gone]) await server.call('PUT', `/api/domains/${domainId}/users/${userId}`)
    const reply = await replace(domainId, [
      { username: kept.username.toUpperCase(), name: 'Kept' },
      { username: added.username },
      { username: 'Brand.New', name: 'New', email: 'new@example.org' },
      { username: 'Bare', name: null, email: '' },
    ])
    assert.deepEqual([reply.status, reply.text, reply.headers.get('content-length')], [200, '', '0'])
    const mail = (username: string) => `${username}@example.org`
    assert.deepEqual(
      await members(domainId),
      [
        `${kept.username}|Kept|${mail(kept.username)}`,
        `${added.username}|${added.username}|${mail(added.username)}`,
        'Brand.New|New|new@example.org',
        'Bare|Bare|',
      ].sort(),
    )
    assert.deepEqual(await summaries(domainId), [{ created: 2, added: 3, removed: 1, listed: 4 }])
    // Who is removed from a domain is still a user, and a member elsewhere.
    assert.equal((await server.call('GET', `/api/users/${gone.userId}`)).body.domains.length, 2)
  })

  it('what is not given, or given empty, stays as it is', async () => {
    const domainId = await newDomain(server, {})
    const { username } = await newUser(server)
    const was = `${username}|${username}|${username}@example.org`
    for (const entry of [{}, { name: null, email: null }, { name: '', email: '' }]) {
      await replace(domainId, [{ username, ...entry }])
      assert.deepEqual(await members(domainId), [was])
    }
  })

  it('the same list again changes nothing, and `[]` removes everybody', async () => {
    const domainId = await newDomain(server, {})
    const list = Array.from({ length: 7 }, (_, index) => ({ username: `again${index}`, name: `N${index}` }))
    await replace(domainId, list)
    const before = await members(domainId)
    assert.equal((await replace(domainId, list)).status, 200)
    assert.deepEqual(await members(domainId), before)
    assert.equal((await replace(domainId, [])).status, 200)
    assert.deepEqual(await members(domainId), [])
    assert.equal((await replace(domainId, [])).status, 200)
    assert.deepEqual(
      (await summaries(domainId)).map(({ created, added, removed }) => [created, added, removed]).sort(),
      [
        [0, 0, 0],
        [0, 0, 0],
        [0, 0, 7],
        [7, 7, 0],
      ],
    )
  })

  it('A05: of entries for one person, however spelled, the later counts, and there is one person', async () => {
    const domainId = await newDomain(server, {})
    const entries = ['Double', 'double', 'DOUBLE', 'ｄouble'].map((username, n) => ({ username, name: `Name ${n}` }))
    await replace(domainId, [...entries, { username: 'other' }, { username: 'dOuble', name: 'Last', email: 'l@st' }])
    assert.deepEqual(await members(domainId), ['dOuble|Last|l@st', 'other|other|'])
    await replace(domainId, [{ username: 'double', name: 'First' }, { username: 'DOUBLE' }])
    assert.deepEqual(await members(domainId), ['dOuble|Last|l@st'])
  })

  it('T17 T07: who is not listed loses the token, which is written down for each; who is keeps it', async () => {
    const domainId = await newDomain(server, {})
    const phones = [
      await newPhone(server, { domainId }),
      await newPhone(server, { domainId }),
      await newPhone(server, { domainId }),
    ]
    const [kept, lost, alsoLost] = phones as [Phone, Phone, Phone]
    const [open, approved] = [await lost.ask(), await alsoLost.ask()]
    await alsoLost.device.approve(approved)
    const fine = await kept.ask()
    const pending = await newUser(server)
    await server.call('PUT', `/api/domains/${domainId}/users/${pending.userId}`)
    const { code } = (await server.call('PUT', `/api/domains/${domainId}/users/${pending.userId}/token`)).body

    await replace(domainId, [{ username: kept.username }])
    assert.equal(await lost.verdict(open.sid), 'denied')
    assert.equal(await alsoLost.verdict(approved.sid), 'denied')
    assert.equal((await lost.device.approve(open)).status, 410)
    assert.equal((await server.device('activation/begin', { v: 1, code, username: pending.username })).status, 400)
    assert.equal((await kept.device.approve(fine)).body.state, 'approved')
    const revoked = await sql(
      server.database,
      `select chain, seq, user_id from audit_events where domain_id = ? and event = 'token.revoked'`,
      domainId,
    )
    assert.deepEqual(
      new Set(revoked.map(({ user_id }) => user_id)),
      new Set([lost.userId, alsoLost.userId, pending.userId]),
    )
    // The summary is written last, in the chain of what it sums up.
    const [summary, ...more] = await sql(
      server.database,
      `select chain, seq from audit_events where domain_id = ? and event = 'members.replaced'`,
      domainId,
    )
    assert.equal(more.length, 0)
    for (const { chain, seq } of revoked) {
      assert.equal(chain, summary?.chain)
      assert.ok(Number(seq) < Number(summary?.seq))
    }
  })

  it('one bad entry, wherever it stands, changes nothing and is named', async () => {
    const domainId = await newDomain(server, {})
    const phone = await newPhone(server, { domainId })
    const list: unknown[] = Array.from({ length: 1_200 }, (_, index) => ({ username: `never${index}` }))
    const before = await dump(server.database)
    for (const [entry, field] of [
      [{ username: '' }, 'username'],
      [{ username: ' x' }, 'username'],
      [{ username: 'a\u200bb' }, 'username'],
      [{ username: 7 }, 'username'],
      [{}, 'username'],
      [{ username: 'x', name: 'x'.repeat(257) }, 'name'],
      [{ username: 'x', name: 7 }, 'name'],
      [{ username: 'x', email: 'nobody' }, 'email'],
      [{ username: 'x', email: {} }, 'email'],
      [null, ''],
      ['x', ''],
      [[], ''],
      [7, ''],
    ] as const) {
      for (const place of [0, 600, 1_199]) {
        const reply = await replace(domainId, list.with(place, entry))
        assert.deepEqual(refusal(reply), badRequest)
        const named = field ? `[${place}].${field}: ` : `[${place}]: `
        assert.ok(reply.body.errors[0].message.startsWith(named), reply.text)
      }
    }
    assert.deepEqual(await dump(server.database), before)
    assert.equal((await server.call('GET', phone.token)).text, '{"state":"active"}')
  })

  it('a failure in the middle leaves nothing of it', async () => {
    const domainId = await newDomain(server, {})
    const phone = await newPhone(server, { domainId })
    const list = Array.from({ length: 1_200 }, (_, index) => ({ username: `half${index}` }))
    const before = await dump(server.database)
    for (const call of [
      'tx.members.insert',
      'tx.members.delete',
      'tx.tokens.revoke',
      'tx.audit.append',
      'tx.audit.moveHead',
    ]) {
      spy.failing = { call, error: new Error('injected') }
      assert.deepEqual(refusal(await replace(domainId, list)), { status: 500, code: 'api.error.internal' }, call)
    }
    spy.failing = undefined
    assert.deepEqual(await dump(server.database), before)
    assert.equal((await server.call('GET', phone.token)).text, '{"state":"active"}')
    assert.equal((await replace(domainId, list)).status, 200)
    assert.equal((await server.call('GET', phone.token)).status, 404)
  })

  it('of lists at once each holds as a whole for a moment, and one at the end', async () => {
    const domainId = await newDomain(server, {})
    const lists = Array.from({ length: 6 }, (_, n) =>
      Array.from({ length: 600 }, (_, index) => ({ username: `of-list-${n}-${index}` })).concat({ username: 'common' }),
    )
    const replies = await Promise.all(lists.map((list, n) => replace(domainId, n % 2 ? list.toReversed() : list)))
    assert.ok(replies.every(({ status }) => status === 200))
    const rows = await sql(
      server.database,
      'select users.username from members join users on users.id = members.user_id where members.domain_id = ?',
      domainId,
    )
    const held = rows.map(({ username }) => String(username))
    assert.equal(held.length, 601)
    assert.equal(new Set(held.map((username) => username.replace(/-\d+$/, ''))).size, 2)
  })
})
