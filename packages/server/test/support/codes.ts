import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { oathCode, stepAt } from '../../src/core/oath.ts'
import { countersign } from './phones.ts'
import type { Front, TestServer } from './server.ts'

/** A bypass code as the API shows it. */
export interface IssuedCode {
  id: string
  code: string
  usesRemaining: number
}

/** A bypass code for a user of acme. */
export async function newBypassCode(
  front: Pick<Front, 'call'>,
  userId: string,
  body: { usesAllowed?: number; expirationTime?: number } = {},
): Promise<IssuedCode> {
  const reply = await front.call('POST', `/api/users/${userId}/bypasscodes`, { body })
  assert.equal(reply.status, 200, reply.text)
  return reply.body
}

/** A server as the other organization's key sees it. */
export function asOther(server: TestServer): Pick<TestServer, 'acme' | 'call' | 'clock'> {
  const { apiKey: key } = server.other
  return { ...server, call: (method, path, call) => server.call(method, path, { key, ...call }) }
}

/** How many uses a bypass code has left. */
export async function usesLeft(front: Pick<Front, 'call'>, id: string): Promise<number> {
  return (await front.call('GET', `/api/bypasscodes/${id}`)).body.usesRemaining
}

/** A hardware token in a test's hand. */
export interface Fob {
  id: string
  serialNumber: string
  /** the step that the server's clock is in */
  step(): number
  /** What it shows when its clock is so many steps ahead of the server's. */
  otp(ahead?: number): string
  /** What it shows in this step. */
  at(step: number): string
}

let fobs = 0

/** A hardware token of acme’s, given to a user unless there is none. */
export async function newFob(
  front: Pick<Front, 'call' | 'clock'>,
  userId: string | undefined,
  { digits = 6, timeStep = 30 }: { digits?: 6 | 8; timeStep?: 30 | 60 } = {},
): Promise<Fob> {
  const serialNumber = `SN-${++fobs}`
  // The same in every run, so that none fails by the rare chance of two equal passwords.
  const seed = createHash('sha1').update(serialNumber).digest()
  const body = { serialNumber, type: `TOTP${digits}`, timeStep, seed: seed.toString('hex') }
  const reply = await front.call('POST', '/api/hardware', { body })
  assert.equal(reply.status, 200, reply.text)
  const { id } = reply.body
  if (userId !== undefined) {
    const given = await front.call('PUT', `/api/users/${userId}/hardware/${id}`)
    assert.equal(given.status, 200, given.text)
  }
  const step = () => stepAt(front.clock.now(), timeStep)
  const at = (step: number) => oathCode({ seed, step, digits })
  return { id, serialNumber, step, at, otp: (ahead = 0) => at(step() + ahead) }
}

/** Somebody who comes with a code: `{ bypasscode }` or `{ otp }`. */
export type Presented = { bypasscode: string } | { otp: string }

/** What became of a session that was asked for with a code: `approved`, or why not. */
export async function judged(
  front: Pick<Front, 'call' | 'acme'>,
  user: { id: string } | { username: string },
  code: Presented,
  domainId = front.acme.domainId,
): Promise<string> {
  const path = `/api/domains/${domainId}/sessions`
  const reply = await front.call('POST', path, { body: { user, ...code }, headers: countersign })
  assert.equal(reply.status, 200, reply.text)
  return reply.body.reason || reply.body.state
}
