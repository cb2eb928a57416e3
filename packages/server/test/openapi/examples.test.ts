import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import type { Described, Example } from '../../src/http/openapi/described.ts'
import { chapters } from '../../src/http/openapi/document.ts'
import { template } from '../../src/http/openapi/names.ts'
import { type MediaType, type OpenApi, resolved } from '../../src/http/openapi/open-api.ts'
import { onEveryEngine } from '../support/engines.ts'
import { needsMore, prepare, sendExample } from '../support/examples.ts'
import { type Reply, startTestServer, type TestServer } from '../support/server.ts'
import { newWorld, type World } from '../support/worlds.ts'
import { flaws } from './schemas.ts'

// What readers are told to send is sent, and what they are told to expect is what comes. A new route is asked by itself.
onEveryEngine((engine) => {
  let server: TestServer
  let document: OpenApi
  /** for what changes nothing */
  let still: World
  before(async () => {
    server = await startTestServer(engine)
    document = (await server.call('GET', '/openapi.json')).body
    still = await newWorld(server)
  })
  after(() => server.stop())

  for (const operation of chapters.flatMap(({ operations }) => operations)) {
    describe(`${operation.method} ${operation.path}`, () => {
      for (const example of operation.examples) {
        it(`the example ${example.title ?? ''} does what it says`.replace('  ', ' '), async () => {
          const reply = await sendExample(server, await worldFor(operation), operation, { example })
          assert.equal(reply.status, operation.status, `${operation.id}: ${reply.text}`)
          judge(operation, example, reply)
        })
      }

      it('what the examples say is as the schemas say', () => {
        const { requestBody } = told(operation)
        for (const { schema, shown } of media(requestBody?.content)) {
          for (const value of shown) assert.equal(flaws(document, schema, value), '')
        }
        for (const { schema, shown } of media(success(operation).content)) {
          assert.ok(shown.length > 0, `${operation.id} answers something and its example does not say what.`)
          for (const value of shown) assert.equal(flaws(document, schema, value), '')
        }
      })

      if (operation.method === 'GET' || !operation.path.startsWith('/admin/')) return
      it('If-Match is told of where it is heeded', async () => {
        const reply = await sendExample(server, await worldFor(operation), operation, {
          headers: { 'if-match': '"never"' },
        })
        const hint = `${operation.id} answered ${reply.status}; its operation should say takesIfMatch or not.`
        assert.equal(reply.status === 412, operation.takesIfMatch, hint)
      })
    })
  }

  async function worldFor(operation: Described): Promise<World> {
    if (operation.method === 'GET' && !needsMore(operation)) return still
    const world = await newWorld(server)
    await prepare(server, world, operation)
    return world
  }

  function judge(operation: Described, example: Example, reply: Reply): void {
    const { content, headers = {} } = success(operation)
    for (const name of ['etag', 'link']) {
      const promised = Object.keys(headers).some((header) => header.toLowerCase() === name)
      if (reply.headers.has(name))
        assert.ok(promised, `${operation.id} answers with ${name}: does what edits it say takesIfMatch?`)
    }
    if (!content) assert.equal(reply.text, '', operation.id)
    if (!content) return
    const type = example.mediaType ?? Object.keys(content)[0] ?? ''
    assert.equal(reply.headers.get('content-type'), type)
    const schema = content[type]?.schema
    if (schema) assert.equal(flaws(document, schema, reply.body), '', operation.id)
  }

  function told({ method, path }: Described) {
    const operation = document.paths[template(path)]?.[method.toLowerCase()]
    assert.ok(operation)
    return operation
  }

  function success(operation: Described) {
    const response = told(operation).responses[operation.status]
    assert.ok(response, `${operation.id} does not say what it answers.`)
    return resolved(response, document.components.responses)
  }
})

function media(content: Record<string, MediaType> = {}) {
  return Object.values(content).flatMap(({ schema, example, examples }) => {
    const several = Object.values(examples ?? {}).map(({ value }) => value)
    return schema ? [{ schema, shown: example === undefined ? several : [example] }] : []
  })
}
