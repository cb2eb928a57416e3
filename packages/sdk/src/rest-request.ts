import { CountersignError, isUnanswered, neverArrived, noAnswer, notUnderstood, refusal } from './rest-errors.ts'
import { deadline, parse, patienceSeconds, pauseMs, retryDelaysMs, sleep } from './retry.ts'

/** Where the server is and which key opens it. */
export interface ClientOptions {
  /** origin of the API, such as https://mfa.example.org */
  url: string
  /** 64 letters and digits */
  apiKey: string
  /** another fetch than the runtime's, for a proxy or a certificate authority of your own */
  fetch?: typeof fetch
  /** how long one request may take, 30 s by default; a long poll adds what it waits for */
  timeoutMs?: number
  /** the pauses between repetitions of a request that got no answer; none with [] */
  retryDelaysMs?: readonly number[]
}

/** One of the server's APIs, and how to reach it. */
export interface RestTransport {
  /** what paths are put behind, such as https://mfa.example.org/api */
  base: string
  apiKey: string
  /** of the bodies that are sent, and of those that are asked for unless a call says otherwise */
  mediaType: string
  fetch: typeof fetch
  timeoutMs: number
  retryDelaysMs: readonly number[]
}

/** One request. `path` begins after the API's base. */
export interface Call {
  method: 'GET' | 'PUT' | 'POST' | 'PATCH' | 'DELETE'
  path: string
  /** sent as JSON */
  body?: unknown
  accept?: string
  /** the ETag that the object must still have */
  ifMatch?: string
  timeoutMs?: number
  signal?: AbortSignal
}

/** What a request got. The body is empty after 204, and wherever there is nothing to say. */
export interface Answer {
  status: number
  headers: Headers
  bytes: Uint8Array
}

/** Puts together how an API is reached. Throws TypeError for an address or a key that cannot be one. */
export function transportOf(options: ClientOptions, api: { path: string; mediaType: string }): RestTransport {
  if (!/^[0-9A-Za-z]{64}$/.test(options.apiKey)) throw new TypeError('An API key has 64 letters and digits.')
  return {
    base: new URL(api.path, options.url).href,
    apiKey: options.apiKey,
    mediaType: api.mediaType,
    fetch: options.fetch ?? globalThis.fetch,
    timeoutMs: options.timeoutMs ?? 30_000,
    retryDelaysMs: options.retryDelaysMs ?? retryDelaysMs,
  }
}

/**
 * Sends a request and returns the answer. GET, PUT and DELETE are repeated when there was no answer, 502, 503 or 504; POST
 * and PATCH only when no connection was made, so that nothing can happen twice. Throws CountersignError, or the reason of
 * the caller's signal.
 */
export async function request(transport: RestTransport, call: Call): Promise<Answer> {
  for (let attempt = 0; ; attempt++) {
    try {
      return await requestOnce(transport, call)
    } catch (error) {
      if (!(error instanceof CountersignError)) throw error
      // Gone is what the caller wanted; only the first attempt's answer, which was lost, would have said so with 200.
      if (attempt > 0 && call.method === 'DELETE' && error.status === 404) return gone
      const delayMs = transport.retryDelaysMs[attempt]
      if (delayMs === undefined || !mayRepeat(call, error)) throw error
      await sleep(pauseMs(delayMs, error.retryAfterSeconds), call.signal)
    }
  }
}

/**
 * Sends a request and returns the body of the answer. The one place where a body is believed to have the documented shape:
 * the server at this address is the trusted party.
 */
export async function ask<Body>(transport: RestTransport, call: Call): Promise<Body> {
  return jsonOf(await request(transport, call)) as Body
}

/** The JSON value of an answer, undefined when it has no body. Throws CountersignError `unknown` when it is not JSON. */
export function jsonOf({ status, bytes }: Answer): unknown {
  if (bytes.length === 0) return undefined
  const body = parse(new TextDecoder().decode(bytes))
  if (body === undefined) throw notUnderstood(status, 'The answer is not JSON.')
  return body
}

const gone: Answer = { status: 200, headers: new Headers(), bytes: new Uint8Array() }

function mayRepeat({ method }: Call, error: CountersignError): boolean {
  if ((error.retryAfterSeconds ?? 0) > patienceSeconds) return false
  // A 503 is no proof that nothing happened: the database may be lost in the middle of a commit.
  if (method === 'POST' || method === 'PATCH') return error.status === 0 && neverArrived(error.cause)
  return isUnanswered(error)
}

async function requestOnce(transport: RestTransport, call: Call): Promise<Answer> {
  const { response, bytes } = await exchange(transport, call).catch((cause: unknown) => {
    call.signal?.throwIfAborted()
    throw noAnswer(transport.base, cause)
  })
  if (!response.ok) throw refusal(response, new TextDecoder().decode(bytes))
  return { status: response.status, headers: response.headers, bytes }
}

async function exchange(transport: RestTransport, call: Call): Promise<{ response: Response; bytes: Uint8Array }> {
  const { fetch } = transport // a browser's fetch must not be called as a method of something else
  const response = await fetch(`${transport.base}${call.path}`, {
    method: call.method,
    headers: headersOf(transport, call),
    body: call.body === undefined ? null : JSON.stringify(call.body),
    redirect: 'error',
    signal: deadline(call.timeoutMs ?? transport.timeoutMs, call.signal),
  })
  return { response, bytes: new Uint8Array(await response.arrayBuffer()) }
}

function headersOf({ apiKey, mediaType }: RestTransport, { accept, body, ifMatch }: Call): Record<string, string> {
  return {
    authorization: `LoginTC key="${apiKey}"`,
    accept: accept ?? mediaType,
    ...(body !== undefined && { 'content-type': mediaType }),
    ...(ifMatch !== undefined && { 'if-match': ifMatch }),
  }
}
