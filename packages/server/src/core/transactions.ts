import type { App } from '../app.ts'
import type { Transaction } from '../storage/storage.ts'
import { type AuditEvent, appendEvents } from './audit.ts'
import { ApiError } from './errors.ts'
import { countEvents } from './event-metrics.ts'

/** What a unit of work may use: the repositories, the log, and the bell for those who wait. */
export interface Unit {
  tx: Transaction
  /** Written in this unit's transaction, after everything else. */
  audit(event: AuditEvent): void
  /** After the commit, whoever watches these tokens or sessions reads again. */
  wake(...ids: string[]): void
}

/** A refusal that counts: the unit commits, and only then the error is thrown. */
class Refusal {
  readonly error: ApiError
  constructor(error: ApiError) {
    this.error = error
  }
}

/** Ends a unit with an error that must not undo what the unit wrote (a counter, an audit event). */
export function refuse(error: ApiError): Refusal {
  return new Refusal(error)
}

/**
 * Runs the work and its audit events in one transaction and wakes those who wait once it is durable. An exception inside
 * rolls everything back; a refusal does not. The work may run more than once and awaits nothing but the database.
 */
export async function transact<T>(app: App, work: (unit: Unit) => Promise<T | Refusal>): Promise<T> {
  const { result, events, woken } = await available(app, () =>
    app.storage.transaction(async (tx) => {
      const events: AuditEvent[] = []
      const woken = new Set<string>()
      const audit = (event: AuditEvent) => void events.push(event)
      const wake = (...ids: string[]) => ids.forEach((id) => void woken.add(id))
      const result = await work({ tx, audit, wake })
      if (events.length > 0) await appendEvents(app, tx, events)
      return { result, events, woken }
    }),
  )
  countEvents(app, events)
  if (woken.size > 0) app.events.wake([...woken])
  if (result instanceof Refusal) throw result.error
  return result
}

/** Runs a read or a unit; a database that cannot be reached becomes the 503 that says so. */
export async function available<T>(app: App, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (cause) {
    if (!app.storage.isUnavailable(cause)) throw cause
    const message = 'The server cannot reach its database at the moment. Please try again.'
    throw new ApiError('api.error.unavailable', message, { cause, retryAfterSeconds: 1 })
  }
}
