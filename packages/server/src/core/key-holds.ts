import type { App } from '../app.ts'
import { ApiError } from './errors.ts'
import { keyIdOf } from './secrets.ts'
import type { Unit } from './transactions.ts'

/**
 * Keeps the keys of these fields in use until the unit ends. Every unit that stores an encrypted field says so, before it commits:
 * under a key that a rotation has retired meanwhile nothing may be stored (docs/decisions/0016). `api.error.unavailable` then,
 * and nothing of the unit has happened; the next try encrypts under the new key.
 */
export async function holdKeys(app: App, { tx }: Unit, ...fields: (string | null)[]): Promise<void> {
  const ids = new Set(fields.flatMap((field) => (field === null ? [] : keyIdOf(field))))
  for (const id of ids) if (!(await tx.keys.hold(id))) throw keyRetired(app)
}

function keyRetired(app: App): ApiError {
  // Whoever reloads the keys regularly learns of what goes wrong here.
  app.secrets.reload().catch(() => {})
  const message = 'The server’s keys were changed at this very moment. Please try again.'
  return new ApiError('api.error.unavailable', message, { retryAfterSeconds: 1 })
}
