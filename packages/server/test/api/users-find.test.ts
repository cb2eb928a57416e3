import assert from 'node:assert/strict'
import { after, before, it } from 'node:test'
import { onEveryEngine } from '../support/engines.ts'
import { refusal } from '../support/phones.ts'
import { startTestServer, type TestServer } from '../support/server.ts'
import { type Spy, spyOnStorage } from '../support/spied-storage.ts'

const noSuchUser = { status: 404, code: 'api.error.notfound.user' }

// How the name is taken out of the address is the matter of user-lookup.test.ts.
onEveryEngine((engine) => {
  let server: TestServer
  let spy: Spy
  before(async () => {
    spy = spyOnStorage()
    server = await startTestServer(engine, { storage: spy.storage })
  })
  after(() => server.stop())

  const find = (username: string, key = server.acme.apiKey) =>
    server.call('GET', `/api/users?username=${encodeURIComponent(username)}`, { key })

  it('one user is answered, not a list, as written when created', async () => {
    const username = 'Jürgen.Öz'
    const { text } = await server.call('POST', '/api/users', { body: { username } })
    for (const spelling of [username, 'JÜRGEN.ÖZ', 'jürgen.öz', 'Ju\u0308rgen.O\u0308z', 'ｊürgen．öz']) {
      assert.equal((await find(spelling)).text, text, spelling)
    }
    const { alice } = server.acme
    assert.equal((await find('ALICE')).text, (await server.call('GET', `/api/users/${alice}`)).text)
  })

  it('A43: another organization’s user costs and says the same as nobody', async () => {
    const watched = async (username: string) => {
      spy.calls = []
      const reply = await find(username)
      assert.deepEqual(refusal(reply), noSuchUser)
      return { text: reply.text, calls: spy.calls }
    }
    const nobody = await watched('nobody')
    for (const username of [
      'mallory',
      'MALLORY',
      'alice ',
      ' alice',
      'alic\u200be',
      '',
      ' ',
      'alice\n',
      "' or 1=1 --",
      '%',
    ]) {
      assert.deepEqual(await watched(username), nobody, username)
    }
    assert.equal((await find('mallory', server.other.apiKey)).body.id, server.other.mallory)
  })

  it('who is renamed keeps the user name, and who is deleted is not found', async () => {
    const { body: user } = await server.call('POST', '/api/users', { body: { username: 'constant' } })
    await server.call('PUT', `/api/users/${user.id}`, { body: { name: 'Changed', username: 'other' } })
    assert.equal((await find('constant')).body.name, 'Changed')
    assert.deepEqual(refusal(await find('other')), noSuchUser)
    await server.call('DELETE', `/api/users/${user.id}`)
    assert.deepEqual(refusal(await find('constant')), noSuchUser)
  })
})
