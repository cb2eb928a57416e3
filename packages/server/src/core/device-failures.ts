import type { Operation } from '@countersign/protocol/device-messages.ts'
import type { App } from '../app.ts'
import { ApiError } from './errors.ts'
import { addressKey } from './limits.ts'
import { isByKnownSigner, rateLimited } from './signed-messages.ts'

/** What only somebody who holds no token, or a broken device, is answered with. */
const failures = new Set<string>(['malformed', 'unsupported_version', 'bad_signature'])

/** Where a request comes from, and the signed messages that it brings. */
export interface Sender {
  address: string
  messages: { op: Operation; text: string }[]
}

/**
 * Runs the work unless its address has failed too often of late, which is decided before any database work. What is validly
 * signed never counts, and is heard from such an address, too, if its token has signed before: thousands of phones may
 * share an address with whoever makes it wait.
 */
export async function limitFailures<T>(app: App, sender: Sender, work: () => Promise<T>): Promise<T> {
  const pause = app.limits.deviceFailures.retryAfter(addressKey(sender.address))
  if (pause > 0 && !(await areByKnownSigners(app, sender))) throw rateLimited(pause)
  try {
    return await work()
  } catch (error) {
    if (error instanceof ApiError) countFailure(app, sender.address, error.code)
    throw error
  }
}

/** Counts one message's code against its address. */
export function countFailure(app: App, address: string, code: string): void {
  if (failures.has(code)) app.limits.deviceFailures.count(addressKey(address))
}

async function areByKnownSigners(app: App, { messages }: Sender): Promise<boolean> {
  const known = await Promise.all(messages.map(({ op, text }) => isByKnownSigner(app, op, text)))
  return known.length > 0 && known.every(Boolean)
}
