import assert from 'node:assert/strict'
import { after, before, it } from 'node:test'
import { newFob } from '../support/codes.ts'
import { onEveryEngine, type TestEngine } from '../support/engines.ts'
import { newPhone, newUser, type Phone } from '../support/phones.ts'
import { startTestServer, type TestServer } from '../support/server.ts'
import { sql } from '../support/sql.ts'
import { watchStatements } from '../support/statements.ts'

onEveryEngine((engine) => {
  let server: TestServer
  let phone: Phone
  before(async () => {
    server = await startTestServer(engine)
    phone = await newPhone(server)
    for (let n = 0; n < 2; n++) {
      await newUser(server)
      await newFob(server, undefined)
      server.clock.advance(1)
      await phone.ask()
    }
  })
  after(() => server.stop())

  it('a page of the compatible API passes over the pages before it in an index of ids, and reads its own rows by them', async () => {
    for (const path of ['/api/users', `/api/domains/${phone.domainId}/users`, '/api/hardware']) {
      const watched = watchStatements()
      const reply = await server.call('GET', `${path}?page=1`)
      watched.stop()
      assert.ok(reply.body.length > 1)
      const texts = watched.texts.filter((text) => ofRequest.test(text) && !text.includes('"api_keys"'))
      const [passing, ...others] = texts.toSorted(
        (a, b) => Number(b.includes(' offset ')) - Number(a.includes(' offset ')),
      )
      assert.match((await planOf(server, engine.name, passing ?? '')).join(), idsOnly[engine.name], path)
      for (const text of others) {
        assert.doesNotMatch(text, / offset /)
        for (const line of await planOf(server, engine.name, text)) {
          // What was found of so many users may be sorted.
          if (!/Sort|B-TREE/.test(line)) assert.doesNotMatch(line, walks[engine.name], `${path}\n${text}\n${line}`)
        }
      }
    }
  })

  it('no list of the management API walks what it does not show, with any filter, in its first part or a later one', async () => {
    const plans = planner(server, engine)
    for (const [path, filters] of lists(server, phone)) {
      const counts = new Set<number>()
      for (const filter of subsetsOf(filters)) {
        const query = filter.join('&')
        const watched = watchStatements()
        const first = await server.call('GET', `${path}?limit=1&${query}`)
        assert.equal(first.status, 200, first.text)
        const { next } = first.body
        if (next !== undefined) await server.call('GET', `${path}?limit=1&${query}&after=${next}`)
        watched.stop()
        const texts = watched.texts.filter((text) => ofRequest.test(text))
        if (first.body.items.length > 0) counts.add(texts.length / (next === undefined ? 1 : 2))
        for (const text of texts) await plans.refuseWalk(text, `${path}?${query}`)
      }
      assert.equal(counts.size, 1, `the number of statements of ${path} is fixed: ${[...counts]}`)
    }
    assert.ok(plans.judged > 30)
  })
})

function lists({ acme, clock }: TestServer, { userId, domainId }: Phone): [string, string[]][] {
  const since = `since=${new Date(clock.now() - 1).toISOString()}`
  const until = `until=${new Date(clock.now() + 1).toISOString()}`
  return [
    ['/admin/v1/users', ['q=user']],
    [`/admin/v1/domains/${acme.domainId}/members`, ['q=user']],
    ['/admin/v1/tokens', [`domain=${domainId}`, `user=${userId}`, 'state=active']],
    [`/admin/v1/users/${userId}/tokens`, []],
    ['/admin/v1/sessions', [`domain=${domainId}`, `user=${userId}`, 'state=pending', since, until]],
    ['/admin/v1/sessions', [`domain=${domainId}`, `user=${userId}`, 'state=denied', since]],
  ]
}

function subsetsOf([first, ...others]: string[]): string[][] {
  if (first === undefined) return [[]]
  return subsetsOf(others).flatMap((set) => [set, [first, ...set]])
}

// Whatever a sweeper asks at the same time, by the real clock, is about all organizations.
const ofRequest = /^select .* where .*organization_id/

// Everything that an organization has, or a sort of more than a part of the list.
const walks = {
  sqlite:
    /^SCAN (?!\(|(\d+ )?CONSTANT|\d+-ROW VALUES)|^SEARCH (tokens|sessions|users|members|code_failures|hardware_tokens|bypass_codes) .*\(organization_id=\?\)$|TEMP B-TREE/,
  postgres: /Seq Scan|Sort|Index Cond: \(organization_id = \S+\)$/,
}
// The first part of a list without a filter begins at the end of what the organization has, in order, and stops at its limit.
const firstPart = /^select [^(]* where organization_id = (\?|\$1) order by .* limit (\?|\$2)$/

// Of all that is asked for what leaves the fewest rows; an index of something else would be walked past most of them.
const narrowest: [RegExp, RegExp][] = [
  [/from "tokens" .* "user_id" = /, /tokens_user/],
  [/from "sessions" .*"user_id"/, /sessions_user/],
  [/from "sessions" .*\("domain_id", "created_at"/, /sessions_domain\b/],
  [/from "sessions" .*\("domain_id", "state"/, /sessions_domain_state/],
  [/from "sessions" .*\("state", /, /sessions_(domain_)?state/],
]

const idsOnly = {
  sqlite: /^SEARCH \w+ USING COVERING INDEX (users|members|hardware_tokens)_order/,
  postgres: /Limit.*Index Only Scan using (users|members|hardware_tokens)_order/,
}

function planner(server: TestServer, { name }: TestEngine) {
  const known = new Set<string>()
  return {
    get judged() {
      return known.size
    },
    async refuseWalk(text: string, query: string) {
      if (known.has(text)) return
      known.add(text)
      const plan = await planOf(server, name, text)
      for (const [asked, index] of narrowest)
        if (asked.test(text)) assert.match(plan.join(), index, `${query}\n${text}`)
      for (const line of plan) {
        if (firstPart.test(text.replaceAll('"', '')) && !/Sort|Seq Scan|B-TREE/.test(line)) continue
        assert.doesNotMatch(line, walks[name], `${query}\n${text}\n${line}`)
      }
    },
  }
}

async function planOf(server: TestServer, name: TestEngine['name'], text: string): Promise<string[]> {
  if (name === 'sqlite') {
    const rows = await sql(server.database, `explain query plan ${text.replaceAll('?', 'null')}`)
    return rows.map(({ detail }) => String(detail))
  }
  // On so few rows it would take none of the indexes; that it can is what matters.
  for (const kind of ['seqscan', 'bitmapscan', 'sort']) await sql(server.database, `set enable_${kind} = off`)
  const rows = await sql(server.database, `explain (generic_plan) ${text}`)
  return rows.map((row) => String(row['QUERY PLAN']).trim())
}
