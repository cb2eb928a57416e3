import type { App } from '../app.ts'
import { ApiError } from './errors.ts'
import { addressKey } from './limits.ts'
import { rateLimited } from './signed-messages.ts'

/** What only somebody who holds no token, or a broken device, is answered with. */
const failures = new Set<string>(['malformed', 'unsupported_version', 'bad_signature'])

/**
 * Runs the work for an address that has not failed too often of late, which is decided before any database work. What is
 * validly signed never counts: thousands of phones may share an address.
 */
export async function limitFailures<T>(app: App, address: string, work: () => Promise<T>): Promise<T> {
  const key = addressKey(address)
  const pause = app.limits.deviceFailures.retryAfter(key)
  if (pause > 0) throw rateLimited(pause)
  try {
    return await work()
  } catch (error) {
    if (error instanceof ApiError) countFailure(app, address, error.code)
    throw error
  }
}

/** Counts one message's code against its address. */
export function countFailure(app: App, address: string, code: string): void {
  if (failures.has(code)) app.limits.deviceFailures.count(addressKey(address))
}
