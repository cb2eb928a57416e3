import type { App } from '../app.ts'
import type { AuditColumn, AuditEventRow, AuditPlace, AuditStretch } from '../storage/audit.ts'
import { type Actor, requirePermission } from './actors.ts'
import { ApiError, badRequest } from './errors.ts'
import { type List, type ListInput, listOf, readPage, writeCursor } from './lists.ts'
import { isoTime, readTime } from './times.ts'
import { available, transact } from './transactions.ts'

/** An event of the audit log as its readers see it. */
export interface LoggedEvent {
  /** its chain and its number there; what `audit verify` names */
  id: string
  at: string
  event: string
  actor: { kind: string; id: string }
  domainId: string | null
  userId: string | null
  tokenId: string | null
  sessionId: string | null
  data: unknown
  hash: string
}

/** The events of a time: `since` is included, `until` is not. */
export interface AuditTime {
  since?: string
  until?: string
}

/** What the events of a list have in common; all of it. */
export interface AuditFilters extends AuditTime {
  session?: string
  token?: string
  user?: string
  /** id of whoever did it, whatever they are */
  actor?: string
  domain?: string
  event?: string
}

/** Each of these has an index; where there are several, the log is entered by the first, which leaves the fewest events. */
const entrances: [keyof AuditFilters, AuditColumn][] = [
  ['user', 'user_id'],
  ['event', 'event'],
  ['actor', 'actor_id'],
  ['domain', 'domain_id'],
]
/** These have none, which would cost every login more than all the others: they are looked for among a user's events. */
const details: [keyof AuditFilters, 'tid' | 'sid'][] = [
  ['token', 'tid'],
  ['session', 'sid'],
]
const eventsAtOnce = 1_000
const eventsLookedAtMax = 5_000
const exportRetrySeconds = 30

/**
 * The newest events first. With several filters a part ends where so many events were looked at, and may then hold fewer than
 * it could, or none, and still have a `next`: the work of an answer is bounded, whatever is asked of however long a log.
 */
export async function listAuditEvents(
  app: App,
  actor: Actor,
  input: AuditFilters & ListInput,
): Promise<List<LoggedEvent>> {
  requirePermission(actor, 'audit:read', input.domain)
  requireUser(input)
  const page = readPage(input, [0, 0, 0])
  const [having, ...further] = conditionsOf(input, entrances)
  const others = [...further, ...conditionsOf(input, details)]
  const { since = 0, until } = readTimes(input)
  const limit = others.length === 0 ? page.limit : eventsAtOnce
  const found: AuditEventRow[] = []
  let after = startOf(page.after, until)
  for (let lookedAt = 0; lookedAt < eventsLookedAtMax; lookedAt += limit) {
    const rows = await available(app, () => app.storage.audit.newest(actor.organizationId, having, { after, limit }))
    const young = rows.filter(({ at }) => at >= since)
    found.push(...young.filter((row) => others.every(({ column, value }) => row[column] === value)))
    if (young.length < limit || found.length >= page.limit) return listOf(page, found, { place: placeOf, item: logged })
    after = rows.slice(-1).map(placeOf)[0]
  }
  return { items: found.map(logged), ...(after && { next: writeCursor(after) }) }
}

/** Events that are read as they are taken. */
export interface AuditExport extends AsyncIterable<LoggedEvent[]> {
  /** To be called once nothing more is taken, however it ended: an actor has two exports at a time in a process. */
  end(): void
}

/**
 * All events of a time that were written when it was asked for, the oldest first, read as they are taken: no more than one
 * batch is held. That they were read is recorded before the first is given, and is among them. `api.error.toomanyrequests` while two others of
 * the actor have not ended in this process.
 */
export async function exportAuditEvents(
  app: App,
  actor: Actor,
  input: AuditTime & { format: string },
): Promise<AuditExport> {
  requirePermission(actor, 'audit:read')
  const { organizationId } = actor
  const { since, ...read } = readTimes(input)
  const end = app.limits.exports.take(`${actor.kind} ${actor.id}`)
  if (!end) throw tooManyExports()
  try {
    await transact(app, async ({ audit }) =>
      audit({ organizationId, event: 'audit.exported', actor, data: { ...input } }),
    )
  } catch (error) {
    end()
    throw error
  }
  const until = Math.min(read.until ?? Number.MAX_SAFE_INTEGER, app.now() + 1)
  const stretch = { until, ...(since !== undefined && { since }) }
  return { [Symbol.asyncIterator]: () => batches(app, organizationId, stretch), end }
}

async function* batches(app: App, organizationId: string, stretch: AuditStretch): AsyncGenerator<LoggedEvent[]> {
  const limit = eventsAtOnce
  for (let after: AuditPlace | undefined; ; ) {
    await app.storage.breathe()
    const rows = await available(app, () => app.storage.audit.oldest(organizationId, stretch, { after, limit }))
    const last = rows.at(-1)
    if (!last) return
    yield rows.map(logged)
    after = placeOf(last)
  }
}

function readTimes({ since, until }: AuditTime): Partial<AuditStretch> {
  return {
    ...(since !== undefined && { since: readTime(since, 'since') }),
    ...(until !== undefined && { until: readTime(until, 'until') }),
  }
}

/** Where the list begins: after the part before, and before the end of the time. */
function startOf(after: AuditPlace | undefined, until: number | undefined): AuditPlace | undefined {
  if (until === undefined || (after && after[0] < until)) return after
  return [until, -1, -1]
}

function requireUser(input: AuditFilters): void {
  const detail = details.find(([name]) => input[name] !== undefined)
  if (detail && input.user === undefined) throw badRequest(detail[0], 'It goes with the user whose it is: add user=….')
}

/** Ids and names of events are all in lower case. */
function conditionsOf<Column>(input: AuditFilters, filters: [keyof AuditFilters, Column][]) {
  return filters.flatMap(([name, column]) => {
    const value = input[name]
    return value === undefined ? [] : [{ column, value: value.toLowerCase() }]
  })
}

function tooManyExports(): ApiError {
  const message = 'Two exports are being read already. Please wait until one of them has ended.'
  return new ApiError('api.error.toomanyrequests', message, {
    retryAfterSeconds: exportRetrySeconds,
    limit: 'exports_of_actor',
  })
}

function placeOf({ at, chain, seq }: AuditEventRow): AuditPlace {
  return [at, chain, seq]
}

function logged(row: AuditEventRow): LoggedEvent {
  return {
    id: `${row.chain}-${row.seq}`,
    at: isoTime(row.at),
    event: row.event,
    actor: { kind: row.actor_kind, id: row.actor_id },
    domainId: row.domain_id,
    userId: row.user_id,
    tokenId: row.tid,
    sessionId: row.sid,
    data: JSON.parse(row.data),
    hash: row.hash,
  }
}
