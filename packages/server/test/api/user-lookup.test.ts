import assert from 'node:assert/strict'
import { after, before, it } from 'node:test'
import { onEveryEngine } from '../support/engines.ts'
import { startTestServer, type TestServer } from '../support/server.ts'
import { exchange } from '../support/wire.ts'

onEveryEngine((engine) => {
  let server: TestServer
  before(async () => {
    server = await startTestServer(engine)
  })
  after(() => server.stop())

  const find = (query: string, key = server.acme.apiKey) =>
    exchange(server.apiUrl, `GET /api/users?${query} HTTP/1.1\r\nAuthorization: LoginTC key="${key}"\r\n\r\n`)
  const idOf = async (query: string) => {
    const { body } = await find(query)
    return JSON.parse(body).id
  }
  const create = async (username: string) => (await server.call('POST', '/api/users', { body: { username } })).body.id

  it('the name is everything after username=, percent-decoded, with + and & and what else it has', async () => {
    const names: [string, string[]][] = [
      ['a+b', ['a+b', 'a%2Bb', 'A%2bB']],
      ['a&b=c', ['a&b=c', 'a%26b%3Dc']],
      ['a b', ['a%20b']],
      ['100%', ['100%', '100%25']],
      ['50%zz', ['50%zz', '50%25zz']],
      ['q?x#y', ['q?x%23y', 'q%3Fx%23y', 'q?x#y']],
      ['username=x', ['username=x']],
      ['jürgen', ['j%C3%BCrgen', 'j\xc3\xbcrgen', 'j%FCrgen', 'j\xfcrgen', 'J%C3%9CRGEN']],
      ['李小龍', ['%E6%9D%8E%E5%B0%8F%E9%BE%8D', Buffer.from('李小龍').toString('latin1')]],
      ['corp\\jo@example.org', ['corp\\jo@example.org', 'corp%5Cjo%40example.org']],
    ]
    for (const [name, spellings] of names) {
      const id = await create(name)
      for (const spelling of spellings) assert.equal(await idOf(`username=${spelling}`), id, spelling)
      assert.equal(await idOf(`page=2&username=${spellings[0]}`), id, spellings[0])
    }
  })

  it('nobody, U+0000 and another organization’s user are not found', async () => {
    for (const query of ['username=', 'username=nobody', 'username=mallory', 'username=alice&page=1']) {
      const answer = await find(query)
      assert.equal(answer.status, 404, query)
      assert.equal(JSON.parse(answer.body).errors[0].code, 'api.error.notfound.user')
    }
    const nul = await find('username=a%00b')
    assert.equal(nul.status, 400)
    assert.equal(JSON.parse(nul.body).errors[0].message, 'username: It has the character U+0000.')
    assert.equal((await find('username=alice', server.other.apiKey)).status, 404)
  })

  it('a query that has no username lists users', async () => {
    for (const query of ['', 'xusername=alice', 'user=alice', 'usernames=alice']) {
      assert.ok(Array.isArray(JSON.parse((await find(query)).body)), query)
    }
  })

  it('A05 however a name is spelled, it is the same person, or nobody: never another', async () => {
    const id = await create('jsmith')
    const { domainId } = server.acme
    await server.call('PUT', `/api/domains/${domainId}/users/${id}`)
    for (const same of ['jsmith', 'Jsmith', 'JSMITH', 'ｊｓｍｉｔｈ', 'JＳmith']) {
      assert.equal(await idOf(`username=${encodeURIComponent(same)}`), id, same)
      const session = await server.call('POST', `/api/domains/${domainId}/sessions`, {
        body: { user: { username: same } },
      })
      // Found, and asked for the one thing that is missing: it never passes for somebody without a second factor.
      assert.equal(session.body.errors[0].code, 'api.error.notfound.token', same)
      const twin = await server.call('POST', '/api/users', { body: { username: same } })
      assert.equal(twin.body.errors[0].code, 'api.error.conflict.username', same)
    }
    for (const other of [
      'jsmith ',
      ' jsmith',
      'jsmith@realm',
      'DOM\\jsmith',
      'jsmith\u200b',
      'jsm\u0131th',
      'jsmıth',
      'jsmith\t',
    ]) {
      assert.equal((await find(`username=${encodeURIComponent(other)}`)).status, 404, other)
      const session = await server.call('POST', `/api/domains/${domainId}/sessions`, {
        body: { user: { username: other } },
      })
      assert.equal(session.body.errors[0].code, 'api.error.notfound.user', other)
    }
  })
})
