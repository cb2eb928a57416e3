import type { Scope } from '../../src/core/actors.ts'
import { issueApiKey } from '../../src/core/api-keys.ts'
import { addMember, createDomain, createOrganization, createUser, operatorOf } from '../../src/main.ts'
import { newBypassCode, newFob } from './codes.ts'
import type { Request } from './device.ts'
import { type Phone, phoneOf } from './phones.ts'
import type { TestServer } from './server.ts'

/** An organization with one of each object, all of one another, and everything that a path or an example may name. */
export interface World {
  key: string
  organizationId: string
  /** by the names that stand in paths and examples; `cookie` is of an administrator who is signed in */
  named: Record<string, string>
  /** of the user, and the request that waits on it */
  phone: Phone
  request: Request
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
  const request = await phone.ask()
  const code = await newBypassCode(front, userId)
  const fob = await newFob(front, userId)
  const { row } = issueApiKey(server.app, { organizationId, name: 'another key', scope: 'read' })
  await server.app.storage.transaction(({ apiKeys }) => apiKeys.insert(row))
  const [otp1, otp2] = [fob.at(fob.step()), fob.at(fob.step() + 1)]
  const named = {
    ...(await newAdministrator(front, username)),
    ...{ organizationId, domainId, userId, username, sessionId: request.sid, tokenId: phone.device.tid },
    ...{ bypassCodeId: code.id, bypassCode: code.code, hardwareId: fob.id, otp1, otp2 },
    ...{ keyId: row.id, apiKeyId: row.id },
  }
  return { key, organizationId, named, phone, request }
}

/** The server as a world's own application sees it. */
function asApplication(
  server: TestServer,
  { key, organizationId: id, domainId }: { key: string; organizationId: string; domainId: string },
): TestServer {
  const acme = { ...server.acme, id, apiKey: key, domainId, pinDomainId: domainId }
  return { ...server, acme, call: (method, path, call) => server.call(method, path, { key, ...call }) }
}

/** Another key of a world, with that scope. */
export async function newKeyOf(
  server: TestServer,
  { organizationId }: World,
  { scope, ...changes }: { scope: Scope } & Partial<ReturnType<typeof issueApiKey>['row']>,
): Promise<string> {
  const { apiKey, row } = issueApiKey(server.app, { organizationId, name: `a key to ${scope}`, scope })
  await server.app.storage.transaction(({ apiKeys }) => apiKeys.insert({ ...row, ...changes }))
  return apiKey
}

/** An administrator with a session and a link to open another one, made over the wire where the API has them. */
async function newAdministrator({ call }: Pick<TestServer, 'call'>, name: string): Promise<Record<string, string>> {
  const path = '/admin/v1/administrators'
  const made = await call('POST', path, { body: { email: `${name}@example.org`, name, role: 'admin' } })
  if (made.status === 404) return {}
  const link = async () => {
    const { body } = await call('POST', `${path}/${made.body.id}/sign-in-link`)
    return String(body.link).split('#sign-in=')[1] ?? ''
  }
  const opened = await call('POST', '/admin/v1/session', { key: null, body: { secret: await link() } })
  const cookie = opened.headers.get('set-cookie')?.split(';')[0] ?? ''
  return { administratorId: made.body.id, cookie, signInSecret: await link() }
}
