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
  /** none where the browser sends a cookie */
  apiKey: string | undefined
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
  /** sent as it is, instead of JSON */
  file?: { bytes: Uint8Array; mediaType: string }
  accept?: string
  /** the revision that the object must still have; `*` for any */
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
export function transportOf(
  { apiKey, ...options }: Omit<ClientOptions, 'apiKey'> & { apiKey?: string },
  api: { path: string; mediaType: string; cookie?: boolean },
): RestTransport {
  const keyless = api.cookie && apiKey === undefined
  if (!keyless && !/^[0-9A-Za-z]{64}$/.test(apiKey ?? '')) throw new TypeError('An API key has 64 letters and digits.')
  return {
    base: new URL(api.path, options.url).href,
    apiKey,
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
  return repeated(transport, call, async (attempt) => {
    try {
      return await requestOnce(transport, call)
    } catch (error) {
      // Gone is what the caller wanted; only the first attempt's answer, which was lost, would have said so with 200.
      if (attempt > 0 && call.method === 'DELETE' && isMissing(error)) return gone
      throw error
    }
  })
}

/**
 * The same for an answer that is read as it comes, whose length nobody knows: the time is over when it does not begin. Only
 * the beginning is repeated; reading it fails when the connection ends before the answer.
 */
export async function requestStream(transport: RestTransport, call: Call): Promise<ReadableStream<Uint8Array>> {
  return repeated(transport, call, async () => {
    const begun = new AbortController()
    const late = setTimeout(() => begun.abort(), call.timeoutMs ?? transport.timeoutMs)
    const signal = call.signal ? AbortSignal.any([call.signal, begun.signal]) : begun.signal
    const { body } = await send(transport, call, signal).finally(() => clearTimeout(late))
    return body ?? new Blob([]).stream()
  })
}

async function repeated<Result>(transport: RestTransport, call: Call, once: (attempt: number) => Promise<Result>) {
  for (let attempt = 0; ; attempt++) {
    try {
      return await once(attempt)
    } catch (error) {
      if (!(error instanceof CountersignError)) throw error
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
  const response = await send(transport, call, deadline(call.timeoutMs ?? transport.timeoutMs, call.signal))
  return { status: response.status, headers: response.headers, bytes: await bytesOf(transport, call, response) }
}

function isMissing(error: unknown): boolean {
  return error instanceof CountersignError && error.status === 404
}

/** Sends it and returns a good answer, of which nothing was read yet. */
async function send(transport: RestTransport, call: Call, signal: AbortSignal): Promise<Response> {
  const { fetch } = transport // a browser's fetch must not be called as a method of something else
  const response = await fetch(`${transport.base}${call.path}`, {
    method: call.method,
    headers: headersOf(transport, call),
    body: bodyOf(call),
    redirect: 'error',
    signal,
  }).catch((cause: unknown) => unanswered(transport, call, cause))
  if (response.ok) return response
  throw refusal(response, new TextDecoder().decode(await bytesOf(transport, call, response)))
}

async function bytesOf(transport: RestTransport, call: Call, response: Response): Promise<Uint8Array> {
  return new Uint8Array(await response.arrayBuffer().catch((cause: unknown) => unanswered(transport, call, cause)))
}

function unanswered(transport: RestTransport, call: Call, cause: unknown): never {
  call.signal?.throwIfAborted()
  throw noAnswer(transport.base, cause)
}

function bodyOf({ body, file }: Call): Uint8Array<ArrayBuffer> | string | null {
  if (file) return new Uint8Array(file.bytes)
  return body === undefined ? null : JSON.stringify(body)
}

function headersOf({ apiKey, mediaType }: RestTransport, call: Call): Record<string, string> {
  const { accept = mediaType, body, file, ifMatch } = call
  const type = file?.mediaType ?? (body === undefined ? undefined : mediaType)
  return {
    ...(apiKey !== undefined && { authorization: `LoginTC key="${apiKey}"` }),
    accept,
    ...(type !== undefined && { 'content-type': type }),
    ...(ifMatch !== undefined && { 'if-match': ifMatch === '*' ? ifMatch : `"${ifMatch}"` }),
  }
}
