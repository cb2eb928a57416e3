import { type ErrorCode, statusOf } from '@countersign/protocol/errors.ts'

/** What somebody asked too often for; countersign_limit_rejections_total counts by it. */
export type LimitName =
  | 'activations_of_address'
  | 'activations_of_everybody'
  | 'activations_of_name'
  | 'answers'
  | 'exports_of_actor'
  | 'failures_of_address'
  | 'messages_of_token'
  | 'polls_of_node'
  | 'sessions_of_user'

interface Details {
  /** for the operator's log; never sent */
  cause?: unknown
  /** members the device protocol puts beside `errors` */
  extra?: Record<string, unknown>
  retryAfterSeconds?: number
  limit?: LimitName
}

/** What a caller did wrong or may not do, in words for the person who reads it. Every front renders it once. */
export class ApiError extends Error {
  readonly code: ErrorCode
  readonly status: number
  readonly extra: Record<string, unknown>
  readonly retryAfterSeconds: number | undefined
  readonly limit: LimitName | undefined

  constructor(code: ErrorCode, message: string, details: Details = {}) {
    super(message, { cause: details.cause })
    this.code = code
    this.status = statusOf(code)
    this.extra = details.extra ?? {}
    this.retryAfterSeconds = details.retryAfterSeconds
    this.limit = details.limit
  }
}

/** A member of a request that is missing or wrong; the message begins with its name. */
export function badRequest(field: string, problem: string, cause?: unknown): ApiError {
  return new ApiError('api.error.badrequest', `${field}: ${problem}`, { cause })
}

/** Says the same of a user who does not exist and of another organization's. */
export function noSuchUser(): ApiError {
  return new ApiError('api.error.notfound.user', 'There is no such user.')
}
