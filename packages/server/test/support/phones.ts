import assert from 'node:assert/strict'
import { createDomain, operatorOf } from '../../src/main.ts'
import { type Request, TestDevice, type UnlockedBy } from './device.ts'
import { member } from './people.ts'
import type { Reply, TestServer } from './server.ts'

/** A member of acme with an activated authenticator, and the application that asks for its approval. */
export interface Phone {
  device: TestDevice
  userId: string
  username: string
  domainId: string
  /** path of the token in the REST API */
  token: string
  /** The application's request; `number` if it asked for one. */
  ask(body?: object): Promise<Request & { number: string | undefined }>
  /** The session's state as the application sees it. */
  verdict(sid: string): Promise<string>
  /** The same with the reason. */
  details(sid: string): Promise<{ state: string; reason: string }>
}

export const countersign = { accept: 'application/vnd.countersign.v1+json' }

let people = 0

/** A user of acme that no other test knows. */
export async function newUser(server: TestServer): Promise<{ userId: string; username: string }> {
  const username = `user${++people}`
  return { userId: await member(server.app, server.acme, username), username }
}

/** A domain of acme with rules of its own. */
export async function newDomain(server: TestServer, rules: Record<string, unknown>): Promise<string> {
  const actor = await operatorOf(server.app, server.acme.id)
  const { id } = await createDomain(server.app, actor, { name: `Domain ${++people}`, ...rules })
  return id
}

/** A new user with a phone in one of acme's domains: the ONE_STEP one, or with `pin` the PIN one. */
export async function newPhone(server: TestServer, options: UnlockedBy & { domainId?: string } = {}): Promise<Phone> {
  return phoneOf(server, { ...(await newUser(server)), ...options })
}

/** Another phone of a user, in another domain. */
export async function phoneOf(
  server: TestServer,
  { userId, username, ...options }: { userId: string; username: string; domainId?: string } & UnlockedBy,
): Promise<Phone> {
  const { pin = false, platform = false } = options
  const domainId = options.domainId ?? (pin ? server.acme.pinDomainId : server.acme.domainId)
  const domain = `/api/domains/${domainId}`
  if (options.domainId) await server.call('PUT', `${domain}/users/${userId}`)
  const device = await TestDevice.enrol(server, { userId, domainId, pin, platform })
  const details = async (sid: string) => {
    const reply = await server.call('GET', `${domain}/sessions/${sid}`, { headers: countersign })
    assert.equal(reply.status, 200, reply.text)
    return { state: reply.body.state, reason: reply.body.reason }
  }
  return {
    device,
    userId,
    username,
    domainId,
    token: `${domain}/users/${userId}/token`,
    async ask(body = {}) {
      const { body: session } = await server.call('POST', `${domain}/sessions`, {
        body: { user: { id: userId }, ...body },
      })
      const request = (await device.requests()).find(({ sid }) => sid === session.id)
      assert.ok(request, `${JSON.stringify(session)} did not reach the phone`)
      return { ...request, number: session.number }
    },
    details,
    verdict: async (sid) => (await details(sid)).state,
  }
}

/** Status, code and what else a refusal says. */
export function refusal(reply: Reply): Record<string, unknown> {
  const { errors, ...extra } = reply.body
  return { status: reply.status, code: errors?.[0]?.code, ...extra }
}
