import assert from 'node:assert/strict'
import { after, before, it } from 'node:test'
import fc from 'fast-check'
import { apiRoutes } from '../../src/http/api/routes.ts'
import { onEveryEngine } from '../support/engines.ts'
import { newPhone } from '../support/phones.ts'
import { startTestServer, type TestServer } from '../support/server.ts'
import { dump } from '../support/sql.ts'
import { exchange } from '../support/wire.ts'

const runs = 300
const latencyMaxMs = 5_000

const awkward = [
  '',
  ' ',
  '\0',
  '\u202e',
  '\u200f',
  '\ufeff',
  '\ud800',
  '__proto__',
  'constructor',
  "' or 1=1 --",
  '%',
  '😀',
]
const text = fc.oneof(
  fc.constantFrom(...awkward),
  fc.string({ unit: 'binary', maxLength: 40 }),
  fc.string({ unit: 'grapheme', maxLength: 20 }),
  fc.string({ unit: fc.constantFrom('\u05d0', '\u0627', '\u202b', 'a', ' '), maxLength: 300 }),
  fc.nat({ max: 100_000 }).map((length) => 'x'.repeat(length)),
)
const members = [
  'user',
  'id',
  'username',
  'name',
  'email',
  'attributes',
  'key',
  'value',
  'ipAddress',
  'otp',
  'bypasscode',
  'numberMatching',
]
const { value: json } = fc.letrec((tie) => ({
  value: fc.oneof(
    { depthSize: 'small' },
    text,
    fc.double(),
    fc.boolean(),
    fc.constant(null),
    tie('list'),
    tie('object'),
  ),
  list: fc.array(tie('value'), { maxLength: 4 }),
  object: fc.dictionary(
    fc.oneof({ weight: 4, arbitrary: fc.constantFrom(...members) }, { weight: 1, arbitrary: text }),
    tie('value'),
    {
      maxKeys: 5,
    },
  ),
}))
const body = fc.oneof(
  { weight: 6, arbitrary: json.map((value) => Buffer.from(JSON.stringify(value))) },
  { weight: 1, arbitrary: json.map((value) => Buffer.from(JSON.stringify(value).slice(1), 'latin1')) },
  { weight: 1, arbitrary: fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes)) },
)

onEveryEngine((engine) => {
  let server: TestServer
  let userId: string
  before(async () => {
    server = await startTestServer(engine)
    userId = (await newPhone(server)).userId
  })
  after(() => server.stop())

  it('A35: whatever stands in path, query and body, it is done or refused in time, and never a failure of the server', async () => {
    const { apiKey, domainId } = server.acme
    const request = fc.record({
      route: fc.constantFrom(...apiRoutes),
      // As often as not the names are right, so that the body is what is looked at.
      id: fc.oneof({ weight: 2, arbitrary: fc.constant(undefined) }, { weight: 1, arbitrary: text }),
      query: fc.oneof(
        fc.constant(''),
        fc
          .tuple(fc.constantFrom('username', 'page', 'wait'), text)
          .map(([name, value]) => `?${name}=${percent(value.slice(0, 500))}`),
      ),
      body,
      key: fc.oneof(
        { weight: 9, arbitrary: fc.constant(`LoginTC key="${apiKey}"`) },
        { weight: 1, arbitrary: fc.string({ maxLength: 80 }) },
      ),
    })
    await fc.assert(
      fc.asyncProperty(request, async ({ route, id, query, body, key }) => {
        const nobody = '0'.repeat(40)
        const removes = route.method === 'DELETE' || route.path === '/api/domains/:domainId/users'
        const named: Record<string, string> = { domainId, userId: removes ? nobody : userId, sessionId: nobody }
        const path = route.path.replace(/:(\w+)/g, (_, name) => percent(id?.slice(0, 200) ?? named[name] ?? ''))
        const head = `${route.method} ${path}${query.startsWith('?wait') ? '?wait=0' : query} HTTP/1.1\r\nHost: x\r\nAuthorization: ${key}`
        const began = performance.now()
        const answer = await exchange(server.apiUrl, `${head}\r\nContent-Length: ${body.length}\r\n\r\n`, body)
        const about = `${head.slice(0, 200)}: ${answer.status} ${answer.body.slice(0, 200)}`
        assert.ok(performance.now() - began < latencyMaxMs, about)
        assert.ok([200, 400, 401, 403, 404, 405, 413, 414, 429, 431].includes(answer.status), about)
        if (answer.status === 200 && route.path.endsWith('/image')) return
        // biome-ignore lint/suspicious/noControlCharactersInRegex: ASCII as a whole
        assert.match(answer.body, /^[\x00-\x7f]*$/)
        if (answer.status === 200) return
        const { errors } = JSON.parse(answer.body)
        assert.match(errors[0].code, /^api\.error\.[a-z.]+$/, about)
        assert.equal(typeof errors[0].message, 'string')
        assert.ok(answer.body.length < 2_000, about)
      }),
      { numRuns: runs, endOnFailure: true, interruptAfterTimeLimit: 60_000 },
    )
    const failures = server.logged.filter(({ level }) => Number(level) >= 50)
    assert.deepEqual(failures, [])
    assert.equal((await server.call('GET', '/api/ping')).status, 200)
  })

  it('A35: a mebibyte of anything in each text is answered in time, and nothing of it is kept', async () => {
    const before = await dump(server.database)
    for (const unit of [' ', '\0', '\u202e', 'a', '\u0301', '\ufdfa', '"', '\\', '[', '{"a":']) {
      const long = unit.repeat(Math.floor(1_000_000 / Buffer.byteLength(JSON.stringify(unit).slice(1, -1))))
      for (const wrap of [
        (value: unknown) => ({ username: value }),
        (value: unknown) => ({ username: 'x', name: value }),
        (value: unknown) => ({ username: 'x', email: value }),
        (value: unknown) => ({ [String(value)]: value && '' }),
        (value: unknown) => value,
      ]) {
        const began = performance.now()
        const reply = await server.call('POST', '/api/users', { body: JSON.stringify(wrap(long)) })
        assert.equal(reply.status, 400, reply.text)
        assert.ok(reply.text.length < 2_000)
        assert.ok(performance.now() - began < latencyMaxMs)
      }
      const nested = await server.call('POST', '/api/users', { body: unit.repeat(100_000) })
      assert.equal(nested.status, 400)
    }
    assert.deepEqual(await dump(server.database), before)
  })
})

function percent(value: string): string {
  return encodeURIComponent(value.toWellFormed()).replaceAll('.', '%2E') || '%20'
}
