/** What a request may be repeated after: each number is a pause in milliseconds, so their count is that of the repetitions. */
export const retryDelaysMs: readonly number[] = [250, 1000, 3000]

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

/** The Retry-After header in seconds, if it is there and is a number. */
export function retryAfterSeconds(response: Response): number | undefined {
  const header = response.headers.get('retry-after')
  return header !== null && /^\d+$/.test(header) ? Number(header) : undefined
}

/** The first entry of the error envelope that both APIs use, or undefined when a body is something else. */
export function firstError(body: unknown): { code: string; message: string } | undefined {
  if (!isObject(body) || !Array.isArray(body.errors)) return undefined
  const [error]: unknown[] = body.errors
  if (!isObject(error) || typeof error.code !== 'string') return undefined
  return { code: error.code, message: typeof error.message === 'string' ? error.message : error.code }
}

/** Whether a parsed JSON value is an object with members. */
export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
