import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { mayAnywhere, type Scope, scopes } from '../../src/core/actors.ts'
import { parametersOf } from '../../src/http/openapi/described.ts'
import { management } from '../../src/http/openapi/management.ts'
import { onEveryEngine } from '../support/engines.ts'
import { type ExampleCall, needsMore, prepare, sendExample } from '../support/examples.ts'
import { refusal } from '../support/phones.ts'
import { type Reply, startTestServer, type TestServer } from '../support/server.ts'
import { dump } from '../support/sql.ts'
import { newKeyOf, newWorld, type World } from '../support/worlds.ts'

// The same questions for every route of the management API, from its table. A new route is asked by itself; what its path and
// example name must be in test/support/worlds.ts.

const unknownId = '0123456789abcdef0123456789abcdef01234567'
const malformedIds = ['x', unknownId.slice(1), `${unknownId}0`, '%27%20or%201=1--', '%F0%9F%98%80']
/** what no path may name: U+0000, and half of an escape */
const unfitIds = ['%00', '%E2%82']

onEveryEngine((engine) => {
  let server: TestServer
  let own: World
  let foreign: World
  before(async () => {
    server = await startTestServer(engine)
    own = await newWorld(server)
    foreign = await newWorld(server)
  })
  after(() => server.stop())

  for (const operation of management.operations) {
    const { method, path, permission, status } = operation
    const ask = (world: World, call: ExampleCall = {}) => sendExample(server, world, operation, call)

    describe(`${method} ${path}`, () => {
      if (permission !== null && permission !== 'anyone') {
        it('is for nobody without a live key', async () => {
          const now = server.clock.now()
          const ended = [await keyOf(own, 'admin', { revoked_at: now }), await keyOf(own, 'admin', { expires_at: now })]
          await changingNothing(async () => {
            for (const key of [null, 'a'.repeat(64), ...ended]) {
              const replies = [await ask(own, { key })]
              if (key) replies.push(await ask(own, { key: null, headers: { authorization: `Bearer ${key}` } }))
              for (const reply of replies) {
                assert.deepEqual(refusal(reply), { status: 401, code: 'api.error.unauthorized' })
                assert.equal(reply.headers.get('www-authenticate'), 'LoginTC realm="countersign"')
              }
            }
          })
        })

        it(`T38: is for the scopes that have ${permission}, and for no other`, async () => {
          for (const scope of scopes.filter((scope) => !grants(scope))) {
            const key = await keyOf(own, scope)
            await changingNothing(async () => {
              const reply = await ask(own, { key })
              const message = `This API key (scope "${scope}") may not do that: it needs ${permission}.`
              assert.deepEqual([reply.status, reply.body?.errors?.[0].message], [403, message])
            })
          }
          for (const scope of scopes.filter(grants)) {
            const world = method === 'GET' && !needsMore(operation) ? own : await newWorld(server)
            await prepare(server, world, operation)
            const reply = await ask(world, { key: await keyOf(world, scope) })
            assert.equal(reply.status, status, `${scope}: ${reply.text}`)
          }
        })

        it('T38: a key that is bound to a domain does nothing outside of it', async () => {
          if (permission === 'organization:read') return
          const key = await keyOf(own, 'admin', { domain_ids: JSON.stringify([unknownId]) })
          await changingNothing(async () => {
            const reply = await ask(own, { key })
            assert.ok([403, 404].includes(reply.status), reply.text)
          })
        })
      }

      if (permission === 'anyone') {
        it('is for nobody without credentials', async () => {
          await changingNothing(async () => {
            const headers = { cookie: `__Host-countersign=${'a'.repeat(43)}`, 'sec-fetch-site': 'same-origin' }
            for (const call of [{ key: null }, { key: 'a'.repeat(64) }]) {
              const reply = await ask(own, { ...call, headers })
              assert.deepEqual(refusal(reply), { status: 401, code: 'api.error.unauthorized' })
            }
          })
        })
      }

      for (const name of parametersOf(path)) {
        it(`A43: {${name}} of another organization says what one says that never was, and changes nothing`, async () => {
          const withId = (id: string) => ({ ...own, named: { ...own.named, [name]: id } })
          await changingNothing(async () => {
            const never = await ask(withId(unknownId))
            assert.equal(never.status, 404, never.text)
            const ids = [foreign.named[name] ?? '', (foreign.named[name] ?? '').toUpperCase(), ...malformedIds]
            for (const id of ids) assert.deepEqual(seen(await ask(withId(id))), seen(never), id)
            for (const id of unfitIds) assert.equal((await ask(withId(id))).status, 400, id)
          })
        })
      }

      it('what it does not know is refused by its name, and changes nothing', async () => {
        await changingNothing(async () => {
          const [example = {}] = operation.examples
          const odd = await ask(own, { example: { ...example, query: { ...example.query, colour: 'red' } } })
          assert.deepEqual([odd.status, about(odd)], [400, 'colour'], odd.text)
          if (!isObject(example.body)) return
          const reply = await ask(own, { example: { ...example, body: { ...example.body, colour: 'red' } } })
          assert.deepEqual([reply.status, about(reply)], [400, 'colour'], reply.text)
        })
      })

      it('a body that is no JSON, or of another kind, is refused, and changes nothing', async () => {
        if (!operation.body) return
        await changingNothing(async () => {
          for (const body of ['{', '[[]]', '"text"', '7', 'true']) {
            const reply = await ask(own, { body })
            assert.equal(reply.status, 400, `${body}: ${reply.text}`)
          }
        })
      })
    })

    function grants(scope: Scope): boolean {
      const actor = { kind: 'api-key', organizationId: '', id: '', scope } as const
      return permission !== null && permission !== 'anyone' && mayAnywhere(actor, permission)
    }
  }

  const keyOf = (
    world: World,
    scope: Scope,
    changes: { revoked_at?: number; expires_at?: number; domain_ids?: string } = {},
  ) => newKeyOf(server, world, { scope, ...changes })

  /** Refusals, after which every row of the database is as it was. */
  async function changingNothing(work: () => Promise<void>): Promise<void> {
    const rows = await dump(server.database)
    await work()
    assert.deepEqual(await dump(server.database), rows)
  }
})

function seen({ status, text }: Reply): unknown {
  return { status, text }
}

/** The member or parameter that a refusal begins with. */
function about({ body }: Reply): string | undefined {
  return body?.errors?.[0].message.split(':')[0]
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
