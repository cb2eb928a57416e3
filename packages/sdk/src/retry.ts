/** What a request may be repeated after: each number is a pause in milliseconds, so their count is that of the repetitions. */
export const retryDelaysMs: readonly number[] = [250, 1000, 3000]

/** A server that wants to be left alone for longer than this is one for the caller to wait for. */
export const patienceSeconds = 10

/** The pause before a repetition: what the server asked for, and half to all of the delay, so that clients do not come back in step. */
export function pauseMs(delayMs: number, retryAfterSeconds = 0): number {
  return retryAfterSeconds * 1000 + delayMs * (0.5 + Math.random() / 2)
}

/** Whether a status is what a server says while it cannot answer, or a proxy while the server behind it restarts. */
export function isUnavailable(status: number): boolean {
  return status === 502 || status === 503 || status === 504
}

/** Waits; throws the signal's reason as soon as it is aborted. */
export function sleep(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason)
    const aborted = () => {
      clearTimeout(timer)
      reject(signal?.reason)
    }
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', aborted)
      resolve()
    }, ms)
    signal?.addEventListener('abort', aborted, { once: true })
  })
}

/** A signal that is aborted after a time, or with the caller's own one. */
export function deadline(timeoutMs: number, signal?: AbortSignal): AbortSignal {
  const timeout = AbortSignal.timeout(timeoutMs)
  return signal ? AbortSignal.any([signal, timeout]) : timeout
}

/** The Retry-After header in seconds, whether it is a number or a date; undefined when it is neither. */
export function retryAfterSeconds(response: Response): number | undefined {
  const header = response.headers.get('retry-after')
  if (header === null) return undefined
  if (/^\d+$/.test(header)) return Number(header)
  const time = Date.parse(header)
  return Number.isNaN(time) ? undefined : Math.max(0, Math.ceil((time - Date.now()) / 1000))
}

/** The first entry of the error envelope that both APIs use, or undefined when a body is something else. */
export function firstError(body: unknown): { code: string; message: string } | undefined {
  if (!isObject(body) || !Array.isArray(body.errors)) return undefined
  const [error]: unknown[] = body.errors
  if (!isObject(error) || typeof error.code !== 'string') return undefined
  return { code: error.code, message: typeof error.message === 'string' ? error.message : error.code }
}

/** A body as a JSON value, or undefined when it is something else: an error page of a proxy, for one. */
export function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined // the caller says what it expected
  }
}

/** Whether a parsed JSON value is an object with members. */
export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
