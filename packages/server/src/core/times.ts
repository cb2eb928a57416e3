import { badRequest } from './errors.ts'

const rfc3339 = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:\d\d)$/

/** A moment as the management API writes it: RFC 3339 in UTC, with milliseconds. */
export function isoTime(ms: number): string {
  return new Date(ms).toISOString()
}

/** The same of a moment that there need not be. */
export function isoTimeOrNull(ms: number | null | undefined): string | null {
  return ms === null || ms === undefined ? null : isoTime(ms)
}

/** The milliseconds since 1970 of a moment in RFC 3339. Throws `api.error.badrequest` that names the member. */
export function readTime(text: string, field: string): number {
  const ms = rfc3339.test(text) ? Date.parse(text) : Number.NaN
  if (Number.isNaN(ms)) throw badRequest(field, 'It is a moment such as 2027-01-15T08:00:00Z.')
  return ms
}
