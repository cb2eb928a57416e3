import { PNG } from 'pngjs'
import type { Described, Example } from '../../src/http/openapi/described.ts'
import { filled } from '../../src/http/openapi/samples.ts'
import type { Call, Reply, TestServer } from './server.ts'
import type { World } from './worlds.ts'

/** What is sent instead of, or beside, what the example says. */
export type ExampleCall = Call & { example?: Example | undefined }

const tokenPath = '/admin/v1/domains/:domainId/members/:userId/token'

/** What must be so, beside one of each object, before an operation can do what its example says. */
const states: Record<string, (server: TestServer, world: World) => Promise<void>> = {
  [`GET ${tokenPath}/code`]: pendingToken,
  [`POST ${tokenPath}/resume`]: suspendedToken,
}

/** A body by its media type, for operations whose bodies are no JSON. */
const files: Record<string, string | Uint8Array> = {
  'image/png': PNG.sync.write(new PNG({ width: 8, height: 8 })),
  'text/csv': 'FT-1,3132333435363738393031323334353637383930\r\n',
}

/** Whether an operation needs a world of its own, prepared. */
export function needsMore({ method, path }: Described): boolean {
  return `${method} ${path}` in states
}

/** Makes a world fit for the example of an operation. */
export async function prepare(server: TestServer, world: World, { method, path }: Described): Promise<void> {
  await states[`${method} ${path}`]?.(server, world)
}

/** Sends an example of an operation, the first unless told, with the credentials that the operation is for. */
export async function sendExample(
  { apiUrl }: Pick<TestServer, 'apiUrl'>,
  world: World,
  operation: Described,
  { example = operation.examples[0], ...call }: ExampleCall = {},
): Promise<Reply> {
  const { query, mediaType } = example ?? {}
  const search = query ? `?${new URLSearchParams(inWorld(world, query))}` : ''
  const body = call.body === undefined ? bodyOf(operation, world, example) : written(call.body)
  const response = await fetch(`${apiUrl}${addressIn(world, operation.path)}${search}`, {
    method: operation.method,
    headers: { ...credentialsOf(operation, world, call.key), ...(mediaType && { accept: mediaType }), ...call.headers },
    ...(body !== undefined && { body }),
  })
  const text = await response.text()
  const isJson = /^application\/[\w.]*\+?json$/.test(response.headers.get('content-type') ?? '')
  return {
    status: response.status,
    headers: response.headers,
    text,
    body: isJson && text !== '' ? JSON.parse(text) : undefined,
  }
}

function credentialsOf({ permission, security }: Described, world: World, key?: string | null): Record<string, string> {
  if (permission === null || key === null) return {}
  if (key === undefined && security?.includes('cookie')) {
    return { cookie: nameIn(world, 'cookie'), 'sec-fetch-site': 'same-origin' }
  }
  return { authorization: `LoginTC key="${key ?? world.key}"` }
}

function bodyOf({ body, bodyType }: Described, world: World, example: Example = {}) {
  if (example.body !== undefined) return written(inWorld(world, example.body))
  if (body || bodyType.endsWith('json')) return undefined
  const file = files[bodyType]
  if (!file) throw new Error(`There is no ${bodyType} to send: add one to test/support/examples.ts.`)
  return Buffer.from(file)
}

function written(body: unknown): string {
  return typeof body === 'string' ? body : JSON.stringify(body)
}

/** A value with the world's own in the place of every `{name}`. */
function inWorld<Value>(world: World, value: Value): Value {
  return filled(value, (name) => nameIn(world, name))
}

function addressIn(world: World, path: string): string {
  return path.replace(/:(\w+)/g, (_, name: string) => nameIn(world, name))
}

function nameIn({ named }: World, name: string): string {
  const value = named[name]
  if (value === undefined) throw new Error(`No world has {${name}}: make one in test/support/worlds.ts.`)
  return value
}

async function pendingToken(server: TestServer, { key, named: { domainId, userId } }: World): Promise<void> {
  const path = `/api/domains/${domainId}/users/${userId}/token`
  await server.call('DELETE', path, { key })
  await server.call('PUT', path, { key })
}

async function suspendedToken(_server: TestServer, { phone, request }: World): Promise<void> {
  await phone.device.deny(request, 'not_me')
}
