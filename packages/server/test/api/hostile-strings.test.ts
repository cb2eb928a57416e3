import assert from 'node:assert/strict'
import { after, before, it } from 'node:test'
import { onEveryEngine } from '../support/engines.ts'
import { newPhone } from '../support/phones.ts'
import { type Reply, startTestServer, type TestServer } from '../support/server.ts'

const latencyMaxMs = 2_000
const mebibyte = 1024 * 1024

const strings = {
  empty: '',
  space: ' ',
  spaces: '   \t\r\n ',
  nul: '\0',
  'nul inside': 'a\0b',
  'right to left': '\u202egnp.exe\u202c',
  'zero width': '\u200b\u200d\ufeff',
  'lone surrogate': '\ud83d',
  'line separators': 'a\u2028b\u2029c',
  combining: `e${'\u0301'.repeat(10_000)}`,
  // One character that normalizes to eighteen.
  expanding: '\ufdfa'.repeat(300_000),
  long: 'a'.repeat(mebibyte - 200),
  sql: `'; drop table users; --`,
  pattern: '%_*?[a-z]+(a+)+$',
  path: '../../../etc/passwd',
  prototype: '__proto__',
  constructor: 'constructor',
  json: '{"$ne":null}',
  emoji: '👩‍👩‍👧‍👦'.repeat(20),
}

onEveryEngine((engine) => {
  let server: TestServer
  let domain: string
  let userId: string
  before(async () => {
    server = await startTestServer(engine)
    domain = `/api/domains/${server.acme.domainId}`
    userId = (await newPhone(server)).userId
  })
  after(() => server.stop())

  /** A call that must be answered in time, and as what it is: done or refused, never as a failure of the server. */
  async function prompt(about: string, method: string, path: string, body?: unknown): Promise<Reply> {
    const begun = performance.now()
    const reply = await server.call(method, path, { body })
    assert.ok(performance.now() - begun < latencyMaxMs, `${about}: ${Math.round(performance.now() - begun)} ms`)
    assert.ok([200, 400, 403, 404, 413, 414, 431].includes(reply.status), `${about}: ${reply.status} ${reply.text}`)
    if (reply.status !== 200) assert.match(reply.body.errors[0].code, /^api\.error\./)
    return reply
  }

  for (const [kind, text] of Object.entries(strings)) {
    it(`A35 a text that is ${kind} is answered promptly wherever it stands`, async () => {
      const session = (body: object) => ({ user: { id: userId }, ...body })
      const bodies: [string, string, unknown][] = [
        ['POST', '/api/users', { username: text }],
        ['POST', '/api/users', { username: `named ${kind}`, name: text }],
        ['POST', '/api/users', { username: `mailed ${kind}`, email: text }],
        ['POST', '/api/users', { [text]: text }],
        ['PUT', `/api/users/${userId}`, { name: text, email: text }],
        ['PUT', `/api/domains/${'0'.repeat(40)}/users`, [{ username: text, name: text, email: text }]],
        ['POST', `${domain}/sessions`, { user: { username: text } }],
        ['POST', `${domain}/sessions`, { user: { id: text } }],
        ['POST', `${domain}/sessions`, session({ ipAddress: text })],
        ['POST', `${domain}/sessions`, session({ attributes: { [text]: 'x' } })],
        ['POST', `${domain}/sessions`, session({ attributes: [{ key: 'x', value: text }] })],
        ['POST', `${domain}/sessions`, session({ bypasscode: text })],
        ['POST', `${domain}/sessions`, session({ otp: text })],
      ]
      for (const [method, path, body] of bodies) await prompt(`${method} ${path}`, method, path, body)
      const inPath = encodeURIComponent(text.toWellFormed().slice(0, 20_000))
      for (const path of [
        `/api/users?username=${inPath}`,
        `/api/users/${inPath}`,
        `${domain}/sessions/${inPath}?wait=${inPath}`,
      ]) {
        await prompt(path.slice(0, 40), 'GET', path)
      }
    })
  }

  it('A35 nothing of it was taken for an approval, a user or a command', async () => {
    const users = await server.call('GET', '/api/users')
    for (const { username, name } of users.body) {
      assert.doesNotMatch(username, /[\0\u200b\u202e]|^\s|\s$/u)
      assert.ok(name !== '' && !name.includes('\0'))
    }
    assert.equal((await server.call('GET', `/api/users/${server.acme.alice}`)).status, 200)
    assert.equal(({} as Record<string, unknown>).username, undefined)
    assert.ok(
      !server.logged.some(({ level }) => Number(level) >= 50),
      JSON.stringify(server.logged.find(({ level }) => Number(level) >= 50)),
    )
  })
})
