import { isUnanswered, noAnswer } from './rest-errors.ts'
import { ask, type Call, type RestTransport } from './rest-request.ts'
import type { SessionAnswer } from './rest-values.ts'
import { deadline, sleep } from './retry.ts'

const waitSecondsMax = 25
const pollPauseMs = 1000
// What the last answer may take beyond the caller's time, on clients that are more patient than this.
const graceMaxMs = 5000

/** How long to wait for a session, and a way to stop earlier. */
export interface WaitOptions {
  /** 10 minutes by default */
  timeoutMs?: number
  signal?: AbortSignal
}

/** Reads a session, by long polls where the server has them, until it is decided or the time is over. */
export async function waitForDecision(
  transport: RestTransport,
  session: Call,
  { timeoutMs = 600_000, signal }: WaitOptions,
): Promise<SessionAnswer> {
  const end = Date.now() + timeoutMs
  const graceMs = Math.min(graceMaxMs, transport.timeoutMs)
  const call = { ...session, signal: deadline(timeoutMs + graceMs, signal) }
  try {
    return await untilDecided(transport, call, end)
  } catch (error) {
    signal?.throwIfAborted()
    throw call.signal.aborted ? noAnswer(transport.base, error) : error
  }
}

async function untilDecided(
  transport: RestTransport,
  call: Call & { signal: AbortSignal },
  end: number,
): Promise<SessionAnswer> {
  for (;;) {
    const asked = Date.now()
    const waitSeconds = Math.min(waitSecondsMax, Math.max(0, Math.ceil((end - asked) / 1000)))
    const session = (await longPoll(transport, call, waitSeconds)) ?? (await ask<SessionAnswer>(transport, call))
    const now = Date.now()
    if (session.state !== 'pending' || now >= end) return session
    // Whatever answers at once while the session is pending has no long poll.
    if (now - asked < pollPauseMs) await sleep(Math.min(pollPauseMs, end - now), call.signal)
  }
}

/** Undefined when it fails as it does behind a proxy that cuts long requests off, and on a server that is stopping: ask plainly. */
async function longPoll(transport: RestTransport, call: Call, waitSeconds: number): Promise<SessionAnswer | undefined> {
  const path = `${call.path}?wait=${waitSeconds}`
  const timeoutMs = transport.timeoutMs + waitSeconds * 1000
  try {
    return await ask<SessionAnswer>({ ...transport, retryDelaysMs: [] }, { ...call, path, timeoutMs })
  } catch (error) {
    if (isUnanswered(error)) return undefined
    throw error
  }
}
