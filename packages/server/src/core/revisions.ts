import { createHash } from 'node:crypto'
import { ApiError } from './errors.ts'

/** Names one state of an object, for an ETag: another state has another name. */
export function revisionOf(object: object): string {
  return createHash('sha256').update(JSON.stringify(object)).digest('base64url').slice(0, 22)
}

/**
 * The refusal for an edit of an object that is no longer as its editor saw it (RFC 9110 §13.1.1); undefined when it may go on.
 * Asked inside the unit that edits, with the row locked. `ifMatch` is a revision, or `*` for any.
 */
export function editedMeanwhile(object: object, ifMatch: string | undefined): ApiError | undefined {
  if (ifMatch === undefined || ifMatch === '*' || ifMatch === revisionOf(object)) return undefined
  const message = 'Somebody has changed this meanwhile. Read it again, and send the new ETag in If-Match.'
  return new ApiError('api.error.preconditionfailed', message)
}

/** What an auditor reads of a change: each member that is another now, with what it was. */
export function differences(was: object, is: object): Record<string, { was: unknown; is: unknown }> {
  const before = new Map(Object.entries(was))
  const changed = Object.entries(is).filter(
    ([name, value]) => JSON.stringify(before.get(name)) !== JSON.stringify(value),
  )
  return Object.fromEntries(changed.map(([name, value]) => [name, { was: before.get(name), is: value }]))
}
