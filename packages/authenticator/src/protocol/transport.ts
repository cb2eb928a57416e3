import { isObject, type Json } from './json.ts'
import { isDeviceCode, Refusal } from './refusals.ts'

const timeoutMs = 20_000
/** a server that says how long to wait is believed up to here; beyond it the user is told */
const patienceSeconds = 15

/** How the server is reached. */
export interface Transport {
  /** this page's own, and the only one */
  origin: string
  fetch: typeof fetch
  /** Resolves after so many milliseconds, or rejects with the signal's reason. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>
  /** 0 to 1 */
  random(): number
}

/** One request below /device/v1. */
export interface Call {
  path: string
  /** a signed message, or what to send as JSON; without one it is a GET */
  body?: string | object
  /** seconds that the server may hold the answer back */
  waitSeconds?: number
  signal?: AbortSignal | undefined
}

/** How long a message is sent again, the very same bytes each time, while no proper answer comes. */
export interface Patience {
  /** how often at most, after the first time; where a server answers that it cannot, three times at most */
  times: number
  /** told before each pause; what it returns ends the pause early when it resolves */
  onLate?: (refusal: Refusal) => Promise<void> | undefined
}

const busyTimesMax = 3

/** Sends once. Throws Refusal, or the signal's reason. */
export async function callOnce(transport: Transport, call: Call): Promise<Json> {
  const { status, text, retryAfter } = await exchange(transport, call).catch((cause: unknown) => {
    call.signal?.throwIfAborted()
    throw new Refusal('no_answer', { cause })
  })
  const body = parse(text)
  if (status === 200 && isObject(body)) return body
  throw refusalOf(status, body, retryAfter)
}

/** Sends until there is an answer: the server gives the same bytes the same reply and counts them once (§3). */
export async function callPatiently(
  transport: Transport,
  call: Call,
  patience: Patience = { times: 3 },
): Promise<Json> {
  for (let attempt = 0; ; attempt++) {
    try {
      return await callOnce(transport, call)
    } catch (error) {
      if (!(error instanceof Refusal) || attempt >= timesMax(error, patience)) throw error
      const pause = transport.sleep(pauseMs(transport, attempt, error.retryAfterSeconds), call.signal)
      await Promise.race([pause, patience.onLate?.(error) ?? pause])
    }
  }
}

/** 0.5 s, 1 s, 2 s … 30 s, each between half and one and a half of that, so that a thousand phones do not come back at once. */
export function pauseMs(transport: Pick<Transport, 'random'>, attempt: number, retryAfterSeconds = 0): number {
  const base = Math.min(30_000, 500 * 2 ** attempt)
  return Math.max(base, retryAfterSeconds * 1000) * (0.5 + transport.random()) + retryAfterSeconds * 500
}

function timesMax(refusal: Refusal, { times }: Patience): number {
  if (refusal.code === 'no_answer') return times
  const isPatient = refusal.busy && refusal.code !== 'internal' && (refusal.retryAfterSeconds ?? 0) <= patienceSeconds
  return isPatient ? Math.min(times, busyTimesMax) : 0
}

async function exchange(transport: Transport, { path, body, waitSeconds = 0, signal }: Call) {
  const { fetch, origin } = transport // fetch must not be called as a method of something else
  const deadline = AbortSignal.timeout(timeoutMs + waitSeconds * 1000)
  const response = await fetch(`${origin}/device/v1${path}`, {
    ...(body !== undefined && message(body)),
    cache: 'no-store',
    credentials: 'omit',
    redirect: 'error',
    referrerPolicy: 'no-referrer',
    signal: signal ? AbortSignal.any([deadline, signal]) : deadline,
  })
  const retryAfter = Number(response.headers.get('retry-after') ?? Number.NaN)
  return { status: response.status, text: await response.text(), retryAfter }
}

function message(body: string | object) {
  const isSigned = typeof body === 'string'
  return {
    method: 'POST',
    headers: { 'content-type': isSigned ? 'application/jose' : 'application/json' },
    body: isSigned ? body : JSON.stringify(body),
  }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined // a proxy's own page
  }
}

function refusalOf(status: number, body: unknown, retryAfter: number): Refusal {
  const envelope = isObject(body) ? body : {}
  const [first] = Array.isArray(envelope.errors) ? envelope.errors : []
  const code = isObject(first) ? first.code : undefined
  const { remaining, state, time } = envelope
  return new Refusal(isDeviceCode(code) ? code : 'strange_answer', {
    status,
    ...(typeof remaining === 'number' && { remaining }),
    ...(typeof state === 'string' && { state }),
    ...(typeof time === 'number' && { time }),
    ...(Number.isFinite(retryAfter) && { retryAfterSeconds: Math.max(0, retryAfter) }),
  })
}
