import type { Scope } from '../../src/core/actors.ts'
import { issueApiKey } from '../../src/core/api-keys.ts'
import type { Described, Example } from '../../src/http/openapi/described.ts'
import { filled } from '../../src/http/openapi/samples.ts'
import { addMember, createDomain, createOrganization, createUser, operatorOf } from '../../src/main.ts'
import { newBypassCode, newFob } from './codes.ts'
import { phoneOf } from './phones.ts'
import type { Call, Reply, TestServer } from './server.ts'

/** An organization with one of each object, all of one another, and everything that a path or an example may name. */
export interface World {
  key: string
  organizationId: string
  /** by the name of a path's parameter */
  named: Record<string, string>
}

let worlds = 0

/** Makes one that no other test knows. */
export async function newWorld(server: TestServer): Promise<World> {
  const number = ++worlds
  const { id: organizationId, apiKey: key } = await createOrganization(server.app, { name: `World ${number}` })
  const actor = await operatorOf(server.app, organizationId)
  const { id: domainId } = await createDomain(server.app, actor, { name: 'VPN', type: 'RADIUS', keyType: 'ONE_STEP' })
  const username = `inhabitant${number}`
  const { id: userId } = await createUser(server.app, actor, { username })
  await addMember(server.app, actor, { domainId, userId })

  const front = asApplication(server, { key, organizationId, domainId })
  const phone = await phoneOf(front, { userId, username })
  const { sid: sessionId } = await phone.ask()
  const code = await newBypassCode(front, userId)
  const fob = await newFob(front, userId)
  const { row } = issueApiKey(server.app, { organizationId, name: 'another key', scope: 'read' })
  await server.app.storage.transaction(({ apiKeys }) => apiKeys.insert(row))
  const named = {
    ...{ organizationId, domainId, userId, username, sessionId, tokenId: phone.device.tid },
    ...{ bypassCodeId: code.id, bypassCode: code.code, hardwareId: fob.id, hardwareTokenId: fob.id, apiKeyId: row.id },
  }
  return { key, organizationId, named }
}

/** The server as a world's own application sees it. */
function asApplication(
  server: TestServer,
  { key, organizationId: id, domainId }: { key: string; organizationId: string; domainId: string },
): TestServer {
  const acme = { ...server.acme, id, apiKey: key, domainId, pinDomainId: domainId }
  return { ...server, acme, call: (method, path, call) => server.call(method, path, { key, ...call }) }
}

/** A value with the world's own in the place of every `{name}`. */
export function inWorld<Value>(world: World, value: Value): Value {
  return filled(value, (name) => nameIn(world, name))
}

/** The address of an operation in a world. */
export function addressIn(world: World, path: string): string {
  return path.replace(/:(\w+)/g, (_, name: string) => nameIn(world, name))
}

/** Another key of a world, with that scope. */
export async function newKeyOf(
  server: TestServer,
  { organizationId }: World,
  scope: Scope,
  changes: Partial<ReturnType<typeof issueApiKey>['row']> = {},
): Promise<string> {
  const { apiKey, row } = issueApiKey(server.app, { organizationId, name: `a key to ${scope}`, scope })
  await server.app.storage.transaction(({ apiKeys }) => apiKeys.insert({ ...row, ...changes }))
  return apiKey
}

/** What is sent instead of, or beside, what the example says. */
export type ExampleCall = Call & { example?: Example | undefined }

/** Sends an example of an operation, the first unless told. */
export function sendExample(
  server: TestServer,
  world: World,
  { method, path, examples }: Described,
  { example = examples[0], ...call }: ExampleCall = {},
): Promise<Reply> {
  const { query, body, mediaType } = example ?? {}
  const search = query ? `?${new URLSearchParams(inWorld(world, query))}` : ''
  const headers = { ...(mediaType && { accept: mediaType }), ...call.headers }
  return server.call(method, addressIn(world, path) + search, {
    key: world.key,
    ...(body !== undefined && { body: inWorld(world, body) }),
    ...call,
    headers,
  })
}

function nameIn({ named }: World, name: string): string {
  const value = named[name]
  if (value === undefined) throw new Error(`No world has {${name}}: make one in test/support/worlds.ts.`)
  return value
}
