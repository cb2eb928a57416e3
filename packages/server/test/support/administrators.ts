import assert from 'node:assert/strict'
import type { Role } from '../../src/core/actors.ts'
import type { Front, Reply } from './server.ts'

/** An administrator of acme's who may sign in. */
export interface TestAdministrator {
  id: string
  email: string
  /** below /admin/v1 */
  path: string
  /** The secret of a new sign-in link. */
  link(): Promise<string>
  /** Signs in; the headers that a page of the panel sends from then on. */
  signIn(): Promise<PanelHeaders>
}

export type PanelHeaders = { cookie: string; origin: string }

const administrators = '/admin/v1/administrators'
let people = 0

export async function newAdministrator(server: Front, role: Role = 'admin'): Promise<TestAdministrator> {
  const email = `admin${++people}@example.org`
  const created = await server.call('POST', administrators, { body: { email, name: `Admin ${people}`, role } })
  assert.equal(created.status, 201, created.text)
  const { id } = created.body
  const path = `${administrators}/${id}`
  const link = async () => secretOf(await server.call('POST', `${path}/sign-in-link`))
  const signIn = async () => {
    const reply = await useLink(server, await link())
    assert.equal(reply.status, 201, reply.text)
    return { cookie: cookieOf(reply), origin: server.apiUrl }
  }
  return { id, email, path, link, signIn }
}

/** What follows `#sign-in=`. */
export function secretOf(reply: Reply): string {
  assert.equal(reply.status, 201, reply.text)
  return reply.body.link.split('#sign-in=')[1]
}

export function useLink(server: Front, secret: string, headers: Record<string, string> = {}): Promise<Reply> {
  return server.call('POST', '/admin/v1/session', { key: null, body: { secret }, headers })
}

/** What a browser sends back of a Set-Cookie. */
export function cookieOf(reply: Reply): string {
  return reply.headers.get('set-cookie')?.split(';')[0] ?? ''
}

/** A call as a page of the panel makes it. */
export function asPanel(server: Front, headers: Record<string, string>) {
  return (method: string, path: string, body?: unknown): Promise<Reply> =>
    server.call(method, `/admin/v1/${path}`, { key: null, headers, body })
}
