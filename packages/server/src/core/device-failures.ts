import type { Operation } from '@countersign/protocol/device-messages.ts'
import type { App } from '../app.ts'
import { ApiError } from './errors.ts'
import { addressKey } from './limits.ts'
import { isByKnownSigner, rateLimited } from './signed-messages.ts'

/** What only somebody who holds no token, or a broken device, is answered with. */
const failures = new Set<string>(['malformed', 'unsupported_version', 'bad_signature'])
/** The same for who finishes an activation; begins have a limit of their own. */
const failuresOfFinish = new Set<string>([...failures, 'activation_failed'])

/** Where a request comes from, and the signed messages that it brings. */
export interface Sender {
  address: string
  messages: { op: Operation; text: string }[]
}

/**
 * Runs the work unless its address has failed too often of late, which is decided before any database work. What is validly
 * signed never counts, and is heard from such an address, too, if its token has signed before: thousands of phones may
 * share an address with whoever makes it wait. Other messages wait while those under way could be the last that may fail;
 * work that goes on after its messages were judged says so by `judged`.
 */
export async function limitFailures<T>(app: App, sender: Sender, work: (judged: () => void) => Promise<T>): Promise<T> {
  const judged = await beginToJudge(app, sender)
  try {
    return await work(judged)
  } catch (error) {
    if (error instanceof ApiError) countFailure(app, sender.address, error.code, sender.messages[0]?.op)
    throw error
  } finally {
    judged()
  }
}

/** Counts one message's code against its address. */
export function countFailure(app: App, address: string, code: string, op?: Operation): void {
  const counting = op === 'activate' ? failuresOfFinish : failures
  if (counting.has(code)) app.limits.deviceFailures.count(addressKey(address))
}

async function beginToJudge(app: App, sender: Sender): Promise<() => void> {
  const { deviceFailures } = app.limits
  const key = addressKey(sender.address)
  if (deviceFailures.isFull(key) && (await areByKnownSigners(app, sender))) return () => {}
  const { pause, end } = await deviceFailures.begin(key, sender.messages.length)
  if (pause > 0) throw rateLimited(pause, 'failures_of_address')
  return end
}

async function areByKnownSigners(app: App, { messages }: Sender): Promise<boolean> {
  const known = await Promise.all(messages.map(({ op, text }) => isByKnownSigner(app, op, text)))
  return known.length > 0 && known.every(Boolean)
}
