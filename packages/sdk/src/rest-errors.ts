import type { ApiErrorCode } from '@countersign/protocol/errors.ts'
import { firstError, isUnavailable, parse, retryAfterSeconds } from './retry.ts'

/**
 * A code of docs/errors.md, `network` when no answer came, `unknown` when the answer is not one of this API. Any other
 * string may come from a newer server, so a switch over codes needs its default.
 */
export type CountersignErrorCode = ApiErrorCode | 'network' | 'unknown' | (string & {})

/** A refusal of the server, or no answer at all (status 0, code `network`). */
export class CountersignError extends Error {
  /** HTTP status; 0 when no answer came */
  readonly status: number
  readonly code: CountersignErrorCode
  /** when the server wants to be asked again */
  readonly retryAfterSeconds: number | undefined

  constructor(
    status: number,
    code: CountersignErrorCode,
    message: string,
    details: { cause?: unknown; retryAfterSeconds?: number | undefined } = {},
  ) {
    super(message, { cause: details.cause })
    this.name = 'CountersignError'
    this.status = status
    this.code = code
    this.retryAfterSeconds = details.retryAfterSeconds
  }
}

/** No answer came: whether the request was acted on is not known. */
export function noAnswer(url: string, cause: unknown): CountersignError {
  return new CountersignError(0, 'network', `No answer from ${new URL(url).origin}.`, { cause })
}

/** An answer that is none of this API: a bug, or something else that answers at this address. */
export function notUnderstood(status: number, problem: string): CountersignError {
  return new CountersignError(status, 'unknown', problem)
}

/** The error that an answer with this body is. */
export function refusal(response: Response, text: string): CountersignError {
  const { code, message } = firstError(parse(text)) ?? { code: 'unknown', message: `HTTP status ${response.status}.` }
  return new CountersignError(response.status, code, message, { retryAfterSeconds: retryAfterSeconds(response) })
}

/** Whether the server could not be reached or could not answer, so that asking once more may help. */
export function isUnanswered(error: unknown): error is CountersignError {
  return error instanceof CountersignError && (error.status === 0 || isUnavailable(error.status))
}

// No connection was made, so nothing was sent. Node.js puts the system's code on the error or its cause, as it does its own.
const neverSent = new Set(['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'UND_ERR_CONNECT_TIMEOUT'])

/** Whether the request certainly never arrived. False where the runtime does not tell. */
export function neverArrived(error: unknown): boolean {
  if (!(error instanceof Error)) return false
  if ('code' in error && typeof error.code === 'string' && neverSent.has(error.code)) return true
  if (error instanceof AggregateError && error.errors.length > 0) return error.errors.every(neverArrived)
  return neverArrived(error.cause)
}
