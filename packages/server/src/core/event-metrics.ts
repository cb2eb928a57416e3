import type { App } from '../app.ts'
import type { AuditEvent } from './audit.ts'
import type { ApiError } from './errors.ts'

/** What each of these events says of the session that it is about. */
const outcomes: Partial<Record<AuditEvent['event'], string>> = {
  'session.created': 'created',
  'session.refused': 'refused',
  'session.approved': 'approved',
  'session.denied': 'denied',
  'session.cancelled': 'cancelled',
  'session.expired': 'expired',
}

/** Members of an event's data that list sessions which were denied along with what it is about. */
const alsoDenied = ['sessions', 'alsoDenied']

const methods = new Set<unknown>(['push', 'otp', 'bypasscode'])

/** Counts what a unit has written to the audit log. After the commit: a unit may run more than once. */
export function countEvents(app: App, events: AuditEvent[]): void {
  for (const { event, data = {} } of events) {
    app.metrics.count('countersign_audit_events_total', { event })
    const outcome = outcomes[event]
    if (outcome) app.metrics.count('countersign_sessions_total', { outcome, method: methodOf(data.method) })
    const denied = alsoDenied.flatMap((name) => data[name] ?? []).length
    if (denied > 0) app.metrics.count('countersign_sessions_total', { outcome: 'denied', method: 'push' }, denied)
    if (data.reason === 'throttled')
      app.metrics.count('countersign_limit_rejections_total', { limit: 'requests_of_token' })
  }
}

/** Counts a refusal with 429, once, where it leaves the server. */
export function countRejection(app: App, error: ApiError): void {
  app.metrics.count('countersign_limit_rejections_total', { limit: error.limit ?? 'other' })
}

/** Only what is judged at once says how: what a session waits for is the user's device. */
function methodOf(method: unknown): string {
  if (method === undefined) return 'push'
  return methods.has(method) ? String(method) : 'other'
}
