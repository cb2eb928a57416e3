import type { ClosedState, SyncReply, SyncRequest, SyncResult } from '@countersign/protocol/device-messages.ts'
import type { App, Watch } from '../app.ts'
import type { DomainRow } from '../storage/domains.ts'
import type { TokenRow } from '../storage/tokens.ts'
import { countFailure } from './device-failures.ts'
import { policyOf, satisfies } from './domains.ts'
import { ApiError } from './errors.ts'
import { pushStateOf } from './push-subscriptions.ts'
import {
  badSignature,
  malformed,
  parseTokenMessage,
  rateLimited,
  replayed,
  tokenRevoked,
  usableToken,
  verifyFor,
} from './signed-messages.ts'
import { isIntact, isSuspended } from './tokens.ts'
import { available } from './transactions.ts'
import { stateOf } from './verdicts.ts'

/** A token as a poll left it: one that may hear of its requests, or the reason why not. */
type Polled = { kid: string; token: TokenRow } | { kid: string; refusal: ApiError }

/** What the server knows of some tokens at one moment. */
interface Snapshot {
  results: SyncResult[]
  /** whether a device that shows `have` would learn something */
  news: boolean
}

export const syncWaitMaxSeconds = 25
const busyRetrySeconds = 5

/**
 * The pending requests of the tokens that signed, at once when the device does not show exactly these, else as soon as that
 * becomes so, or when the time is over. Writes nothing; a newer poll of one of the tokens ends the older.
 */
export async function sync(
  app: App,
  request: SyncRequest & { address: string; judged: () => void },
  signal?: AbortSignal,
): Promise<SyncReply> {
  const polled = await verifyAll(app, request.tokens)
  for (const entry of polled) if ('refusal' in entry) countFailure(app, request.address, entry.refusal.code)
  request.judged()
  const tids = polled.flatMap((entry) => ('token' in entry ? [entry.kid] : []))
  const have = new Set(request.have ?? [])
  if (request.wait === 0 || tids.length === 0) return replyOf(app, await look(app, polled, have))
  if (app.polls.open >= app.config.pollsMax) throw rateLimited(busyRetrySeconds, 'polls_of_node')
  const turn = app.polls.begin(tids)
  const watch = app.events.watch(tids)
  let told = false
  try {
    const waiting = { polled, have, watch, signal, ended: turn.ended, seconds: request.wait }
    const reply = replyOf(app, await waitForNews(app, waiting))
    told = signal?.aborted !== true
    return reply
  } finally {
    watch.close()
    turn.finish(told)
  }
}

interface Waiting {
  polled: Polled[]
  have: Set<string>
  watch: Watch
  signal: AbortSignal | undefined
  /** aborts when a newer poll of one of the tokens has come */
  ended: AbortSignal
  seconds: number
}

async function waitForNews(app: App, { polled, have, watch, signal, ended, seconds }: Waiting): Promise<Snapshot> {
  const over = signal ? AbortSignal.any([signal, ended]) : ended
  const deadline = performance.now() + seconds * 1_000
  for (;;) {
    const snapshot = await look(app, polled, have)
    const leftMs = deadline - performance.now()
    if (snapshot.news || leftMs <= 0 || app.events.stopping || over.aborted) return snapshot
    await watch.next(Math.min(leftMs, msToNextExpiry(app, snapshot)), over)
  }
}

/** All signatures, with one look-up of all the tokens. */
async function verifyAll(app: App, texts: string[]): Promise<Polled[]> {
  const messages = texts.map((text) => ({ message: parseTokenMessage('sync', text) }))
  const kids = [...new Set(messages.flatMap(({ message }) => (message ? [message.kid] : [])))]
  const rows = kids.length > 0 ? await available(app, () => app.storage.tokens.findManyByTid(kids)) : []
  const seen = new Set<string>()
  return Promise.all(
    messages.map(async ({ message }): Promise<Polled> => {
      if (!message || seen.has(message.kid)) return { kid: message?.kid ?? '', refusal: malformed() }
      seen.add(message.kid)
      return refusalOf(message.kid, async () => {
        const token = await usableToken(
          app,
          rows.find((row) => row.tid === message.kid),
        )
        const { payload } = await verifyFor(app, 'sync', message, token)
        if (!app.limits.syncJtis.add(`${token.tid} ${payload.jti}`)) throw replayed()
        return token
      })
    }),
  )
}

async function refusalOf(kid: string, work: () => Promise<TokenRow>): Promise<Polled> {
  try {
    return { kid, token: await work() }
  } catch (error) {
    if (error instanceof ApiError) return { kid, refusal: error }
    throw error
  }
}

async function look(app: App, polled: Polled[], have: Set<string>): Promise<Snapshot> {
  const tids = polled.flatMap((entry) => ('token' in entry ? [entry.kid] : []))
  const tokens = tids.length > 0 ? await available(app, () => app.storage.tokens.findManyByTid(tids)) : []
  const live = tokens.filter((token) => token.state === 'active')
  const [domains, pending, states] = await available(app, () => readAbout(app, live, have))
  const results = polled.map((entry) => {
    if ('refusal' in entry) return refused(entry.kid, entry.refusal)
    const token = live.find((row) => row.tid === entry.kid && isIntact(app, row))
    const domain =
      token && domains.find((row) => row.organization_id === token.organization_id && row.id === token.domain_id)
    if (!token || !domain) return refused(entry.kid, goneBecause(tokens.find((row) => row.tid === entry.kid)))
    return resultFor(app, { token, domain, pending, states })
  })
  return { results, news: isNews(results, have) }
}

type Pending = { sid: string; tid: string | null; challenge: string | null }
type Ended = {
  sid: string
  tid: string | null
  state: string
  expires_at: number
  approved_at: number | null
  ended_at: number | null
}

async function readAbout(app: App, tokens: TokenRow[], have: Set<string>): Promise<[DomainRow[], Pending[], Ended[]]> {
  if (tokens.length === 0) return [[], [], []]
  return Promise.all([
    app.storage.domains.findMany(tokens),
    app.storage.sessions.findPendingOf(tokens, app.now()),
    have.size > 0 ? app.storage.sessions.findStates(tokens, [...have]) : [],
  ])
}

function resultFor(
  app: App,
  { token, domain, pending, states }: { token: TokenRow; domain: DomainRow; pending: Pending[]; states: Ended[] },
): SyncResult {
  const open = isSuspended(app, token) ? [] : pending.filter((row) => row.tid === token.tid)
  const closed = states.flatMap((row) => {
    if (row.tid !== token.tid || open.some(({ sid }) => sid === row.sid)) return []
    const { state } = stateOf(app, { ...row, reason: '' })
    return [{ sid: row.sid, state: (state === 'pending' ? 'denied' : state) as ClosedState }]
  })
  return {
    kid: token.tid,
    ok: true,
    policy: policyOf(domain),
    factor: satisfies(domain, token) ? 'ok' : 'required',
    push: pushStateOf(app, token),
    requests: open.map((row) => ({ sid: row.sid, ch: row.challenge ?? '' })),
    closed,
  }
}

function isNews(results: SyncResult[], have: Set<string>): boolean {
  const open = results.flatMap((result) => (result.ok ? result.requests.map(({ sid }) => sid) : []))
  return results.some((result) => !result.ok) || open.length !== have.size || open.some((sid) => !have.has(sid))
}

/** A request that times out is news, too, and nobody rings for it. */
function msToNextExpiry(app: App, { results }: Snapshot): number {
  const ends = results.flatMap((result) =>
    result.ok
      ? result.requests.map(({ ch }) => JSON.parse(Buffer.from(ch, 'base64url').toString('utf8')).exp * 1000)
      : [],
  )
  return Math.max(1, Math.min(...ends.map((end) => end - app.now()), syncWaitMaxSeconds * 1_000))
}

function goneBecause(token: TokenRow | undefined): ApiError {
  return token?.state === 'revoked' ? tokenRevoked() : badSignature()
}

function refused(kid: string, error: ApiError): SyncResult {
  return { kid, ok: false, code: error.code, ...error.extra }
}

function replyOf(app: App, { results }: Snapshot): SyncReply {
  return { time: Math.floor(app.now() / 1000), results }
}
