import { deadline, firstError, retryAfterSeconds, sleep } from './retry.ts'

const loginTcType = 'application/vnd.logintc.v1+json'

// A server that wants to be left alone for longer is one for the caller to wait for.
const patienceSeconds = 10

/** Asks for what this server answers beyond LoginTC's API. */
export const countersignType = 'application/vnd.countersign.v1+json'

/** A refusal of the REST API, or no answer at all (status 0, code `network`). */
export class CountersignError extends Error {
  readonly status: number
  readonly code: string
  readonly retryAfterSeconds: number | undefined

  constructor(
    status: number,
    code: string,
    message: string,
    details: { cause?: unknown; retryAfterSeconds?: number } = {},
  ) {
    super(message, { cause: details.cause })
    this.name = 'CountersignError'
    this.status = status
    this.code = code
    this.retryAfterSeconds = details.retryAfterSeconds
  }
}

/** One request. `path` begins after `/api`. */
export interface Call {
  method: 'GET' | 'PUT' | 'POST' | 'DELETE'
  path: string
  body?: unknown
  accept?: string
  timeoutMs?: number
  signal?: AbortSignal
}

/** Where requests go and how. */
export interface RestTransport {
  url: string
  apiKey: string
  fetch: typeof fetch
  timeoutMs: number
  retryDelaysMs: readonly number[]
}

/**
 * Sends a request and returns the answer, its body parsed. GET, PUT and DELETE are repeated when there was no answer or
 * 503; POST only when the connection was refused, so that nothing can happen twice. Throws CountersignError.
 */
export async function request(transport: RestTransport, call: Call): Promise<{ body: unknown; headers: Headers }> {
  for (let attempt = 0; ; attempt++) {
    try {
      return await requestOnce(transport, call)
    } catch (error) {
      if (!(error instanceof CountersignError)) throw error
      // Gone is what the caller wanted; only the first attempt's answer, which was lost, would have said so with 200.
      if (attempt > 0 && call.method === 'DELETE' && error.status === 404)
        return { body: undefined, headers: new Headers() }
      const delayMs = transport.retryDelaysMs[attempt]
      if (delayMs === undefined || !mayRepeat(call, error)) throw error
      await sleep(Math.max(delayMs, (error.retryAfterSeconds ?? 0) * 1000), call.signal)
    }
  }
}

function mayRepeat(call: Call, error: CountersignError): boolean {
  if ((error.retryAfterSeconds ?? 0) > patienceSeconds) return false
  if (call.method === 'POST') return error.status === 0 && wasRefused(error.cause)
  return error.status === 0 || error.status === 503
}

async function requestOnce(transport: RestTransport, call: Call): Promise<{ body: unknown; headers: Headers }> {
  const response = await send(transport, call)
  const text = await response.text().catch((cause: unknown) => {
    call.signal?.throwIfAborted()
    throw noAnswer(transport, cause)
  })
  if (!response.ok) throw refusal(response, text)
  return { body: text === '' ? undefined : parseAnswer(response, text), headers: response.headers }
}

async function send(transport: RestTransport, { method, path, ...call }: Call): Promise<Response> {
  const headers: Record<string, string> = {
    authorization: `LoginTC key="${transport.apiKey}"`,
    accept: call.accept ?? loginTcType,
  }
  if (call.body !== undefined) headers['content-type'] = loginTcType
  try {
    return await transport.fetch(new URL(`/api${path}`, transport.url), {
      method,
      headers,
      body: call.body === undefined ? null : JSON.stringify(call.body),
      redirect: 'error',
      signal: deadline(call.timeoutMs ?? transport.timeoutMs, call.signal),
    })
  } catch (cause) {
    call.signal?.throwIfAborted()
    throw noAnswer(transport, cause)
  }
}

function noAnswer(transport: RestTransport, cause: unknown): CountersignError {
  return new CountersignError(0, 'network', `No answer from ${transport.url}.`, { cause })
}

function refusal(response: Response, text: string): CountersignError {
  const { code, message } = firstError(parse(text)) ?? { code: 'unknown', message: `HTTP status ${response.status}.` }
  const seconds = retryAfterSeconds(response)
  return new CountersignError(
    response.status,
    code,
    message,
    seconds === undefined ? {} : { retryAfterSeconds: seconds },
  )
}

function parseAnswer(response: Response, text: string): unknown {
  const body = parse(text)
  if (body === undefined) throw new CountersignError(response.status, 'unknown', 'The answer is not JSON.')
  return body
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined // an error page of a proxy, for one
  }
}

/** Whether no connection was made at all: Node.js and others put the system's code on the error or its cause. */
function wasRefused(error: unknown): boolean {
  if (!(error instanceof Error)) return false
  if ('code' in error && error.code === 'ECONNREFUSED') return true
  if (error instanceof AggregateError && error.errors.length > 0) return error.errors.every(wasRefused)
  return wasRefused(error.cause)
}
