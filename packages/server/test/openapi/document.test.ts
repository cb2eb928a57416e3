import assert from 'node:assert/strict'
import { after, before, it } from 'node:test'
import { Validator } from '@seriousme/openapi-schema-validator'
import { mayAnywhere, scopes } from '../../src/core/actors.ts'
import { adminRoutes, adminTable } from '../../src/http/admin/routes.ts'
import { apiRoutes } from '../../src/http/api/routes.ts'
import { compatible } from '../../src/http/openapi/compatible.ts'
import { chapters } from '../../src/http/openapi/document.ts'
import { template } from '../../src/http/openapi/names.ts'
import type { OpenApi, OperationObject } from '../../src/http/openapi/open-api.ts'
import { newApiKey } from '../support/api-keys.ts'
import { onSqlite } from '../support/engines.ts'
import { startTestServer, type TestServer } from '../support/server.ts'

onSqlite((engine) => {
  let server: TestServer
  let document: OpenApi
  before(async () => {
    server = await startTestServer(engine)
    const reply = await server.call('GET', '/openapi.json', { key: null })
    assert.equal(reply.headers.get('content-type'), 'application/json')
    document = reply.body
  })
  after(() => server.stop())

  it('the document is valid OpenAPI 3.1, and nobody needs a key to read it', async () => {
    const { valid, errors } = await new Validator().validate({ ...structuredClone(document) })
    assert.ok(valid, JSON.stringify(errors))
    assert.equal(document.openapi, '3.1.0')
    assert.deepEqual(document.servers, [{ url: server.apiUrl }])
  })

  it('every route is in it, and nothing else is', () => {
    const served = [...apiRoutes, ...adminRoutes].map(({ method, path }) => `${method} ${template(path)}`)
    const missing = served.filter((route) => !told().has(route))
    const hint = 'Describe it in http/openapi/compatible/<noun>.ts.'
    assert.deepEqual([...told().keys()].sort(), served.sort(), `not described: ${missing.join(', ')}. ${hint}`)
  })

  it('every operation has a name of its own, a section, a summary, a permission and an example of what it takes', () => {
    const ids = new Set<string>()
    const tags = new Set(document.tags.map(({ name }) => name))
    for (const [route, operation] of told()) {
      const { operationId, tags: [tag = ''] = [], summary, requestBody } = operation
      assert.ok(!ids.has(operationId), `${operationId} is the name of two operations: ${route}`)
      ids.add(operationId)
      assert.ok(
        tags.has(tag) && tag !== 'Other',
        `${route} has no section: add its noun to http/openapi/management.ts.`,
      )
      assert.match(summary, /^[A-Z].*[^.]$/, route)
      for (const { schema, example, examples } of Object.values(requestBody?.content ?? {})) {
        assert.ok(!schema || example !== undefined || examples, `${route} has a body and no example of it.`)
      }
    }
  })

  it('x-permission is what the table says', () => {
    for (const [method, path, permission] of adminTable) {
      assert.equal(
        told().get(`${method} /admin/v1/${template(path)}`)?.['x-permission'],
        permission ?? undefined,
        `${method} ${path}`,
      )
    }
  })

  it('x-permission is what a key without it is told that it lacks', async () => {
    for (const { method, path, permission, examples } of compatible.operations) {
      for (const scope of scopes) {
        const actor = { kind: 'api-key', organizationId: '', id: '', scope } as const
        if (permission === null || permission === 'anyone' || mayAnywhere(actor, permission)) continue
        const { body } = examples[0] ?? {}
        const address = path.replaceAll(/:\w+/g, 'a'.repeat(40))
        const key = await newApiKey(server, scope)
        const reply = await server.call(method, address, { key, ...(body !== undefined && { body }) })
        const message = `This API key (scope "${scope}") may not do that: it needs ${permission}.`
        assert.deepEqual([reply.status, reply.body.errors[0].message], [403, message], `${method} ${path}`)
      }
    }
  })

  it('what it refers to is there', () => {
    const { schemas, parameters, responses, securitySchemes } = document.components
    const kinds: Record<string, object> = { schemas, parameters, responses }
    for (const [, kind = '', name = ''] of JSON.stringify(document).matchAll(/"#\/components\/(\w+)\/([^"]+)"/g)) {
      assert.ok(name in (kinds[kind] ?? {}), `${kind}/${name}`)
    }
    for (const scheme of [...told().values()].flatMap(({ security }) => security.flatMap(Object.keys))) {
      assert.ok(scheme in securitySchemes, scheme)
    }
  })

  it('every operation is in the section that its chapter lists', () => {
    const listed = document['x-tagGroups'].flatMap(({ tags }) => tags)
    assert.deepEqual(
      listed,
      document.tags.map(({ name }) => name),
    )
    for (const { operations, sections } of chapters) {
      for (const { tag } of sections)
        assert.ok(
          operations.some((operation) => operation.tag === tag),
          tag,
        )
    }
  })

  function told(): Map<string, OperationObject> {
    const entries = Object.entries(document.paths).flatMap(([path, methods]) =>
      Object.entries(methods).map(([method, operation]) => [`${method.toUpperCase()} ${path}`, operation] as const),
    )
    return new Map(entries)
  }
})
