import assert from 'node:assert/strict'
import { after, before, it } from 'node:test'
import { createOrganization } from '../../src/main.ts'
import { onEveryEngine } from '../support/engines.ts'
import { startTestServer, type TestServer } from '../support/server.ts'

onEveryEngine((engine) => {
  let server: TestServer
  before(async () => {
    server = await startTestServer(engine)
  })
  after(() => server.stop())

  it('a key is told whose it is, and never another’s', async () => {
    assert.equal((await server.call('GET', '/api/organization')).text, '{"name":"Acme"}')
    const { apiKey: key } = server.other
    assert.equal((await server.call('GET', '/api/organization', { key })).text, '{"name":"Other"}')
  })

  it('a name beyond ASCII goes out escaped', async () => {
    const { apiKey: key } = await createOrganization(server.app, { name: ' Müller & Söhne "李" 𝛼 ' })
    const reply = await server.call('GET', '/api/organization', { key })
    assert.equal(reply.text, String.raw`{"name":"M\u00fcller & S\u00f6hne \"\u674e\" \ud835\udefc"}`)
    assert.equal(reply.body.name, 'Müller & Söhne "李" 𝛼')
  })
})
