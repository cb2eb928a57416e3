import {
  type ApiErrorCode,
  apiErrors,
  type DeviceErrorCode,
  deviceErrors,
  type ErrorCode,
  type ErrorEnvelope,
} from '@countersign/protocol/errors.ts'
import type { Logger } from 'pino'
import { ApiError, badRequest } from '../core/errors.ts'
import { serialize } from './json.ts'

/** An error as it goes onto the wire. */
export interface RenderedError {
  status: number
  headers: Record<string, string>
  body: string
}

const internalMessage = 'Something went wrong in the server. Its log says what.'
const retryAfterSeconds = 5

/** What goes wrong before a route is reached, by the code that Node or Fastify gives it. */
const transportErrors: Record<string, () => ApiError> = {
  FST_ERR_CTP_BODY_TOO_LARGE: () => new ApiError('api.error.toolarge', 'The body is too large.'),
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: () => badRequest('body', 'It is not as long as its Content-Length says.'),
  FST_ERR_BAD_URL: () => badRequest('path', 'It has a percent sign that begins no valid escape.'),
  FST_ERR_MAX_PARAM_LENGTH: uriTooLong,
  ECONNRESET: () => badRequest('body', 'It ended too early.'),
  ERR_HTTP_REQUEST_TIMEOUT: () => new ApiError('api.error.timeout', 'The request took too long to arrive.'),
  HPE_HEADER_OVERFLOW: () => new ApiError('api.error.headerstoolarge', 'The headers are too large.'),
}

/** The device protocol's words for what the front itself finds wrong and what any part of core may throw. */
const deviceWords: Partial<Record<ApiErrorCode, DeviceErrorCode>> = {
  'api.error.badrequest': 'malformed',
  'api.error.notfound': 'not_found',
  'api.error.methodnotallowed': 'method_not_allowed',
  'api.error.timeout': 'request_timeout',
  'api.error.toolarge': 'too_large',
  'api.error.uritoolong': 'uri_too_long',
  'api.error.expectation': 'expectation_failed',
  'api.error.toomanyrequests': 'rate_limited',
  'api.error.headerstoolarge': 'headers_too_large',
  'api.error.internal': 'internal',
  'api.error.unavailable': 'unavailable',
}

/** What each listener may send, by the code that was thrown; any other code is a mistake of ours. */
const vocabularies = {
  api: new Map<string, ErrorCode>(codes(apiErrors).map((code) => [code, code])),
  device: new Map<string, ErrorCode>([
    ...codes(deviceErrors).map((code) => [code, code] as const),
    ...Object.entries(deviceWords),
  ]),
}

/** Whatever was thrown, in the words of one listener; what is not meant for a client becomes `internal` and keeps its cause. */
export function asApiError(error: unknown, listener: keyof typeof vocabularies): ApiError {
  const known = error instanceof ApiError ? error : transportErrors[codeOf(error)]?.()
  const code = known && vocabularies[listener].get(known.code)
  if (known && code === known.code) return known
  if (known && code) return new ApiError(code, known.message, known)
  const internal = vocabularies[listener].get('api.error.internal') ?? 'internal'
  return new ApiError(internal, internalMessage, { cause: error })
}

/** Status, headers and the envelope that both APIs share. */
export function renderError(error: ApiError): RenderedError {
  const envelope: ErrorEnvelope = { errors: [{ code: error.code, message: error.message }], ...error.extra }
  return { status: error.status, headers: errorHeaders(error), body: serialize(envelope) }
}

/** Tells the operator what the client is not told. `where` names the route, never the address that was asked for. */
export function logError(log: Logger, error: ApiError, request: { where: string; requestId: string }): void {
  const about = { err: error.cause ?? error, errorCode: error.code, ...request }
  if (error.status >= 500) log.error(about, error.message)
  else if (error.cause !== undefined) log.info(about, error.message)
}

export function notFound(): ApiError {
  return new ApiError('api.error.notfound', 'There is nothing at this address.')
}

/** Too long a request line or path parameter. */
export function uriTooLong(): ApiError {
  return new ApiError('api.error.uritoolong', 'The address is too long.')
}

function errorHeaders(error: ApiError): Record<string, string> {
  if (error.status === 429 || error.status === 503) {
    return { 'retry-after': String(Math.max(1, Math.ceil(error.retryAfterSeconds ?? retryAfterSeconds))) }
  }
  // LoginTC's Python client 1.1.9 crashes on a challenge without a parameter.
  if (error.code === 'api.error.unauthorized') return { 'www-authenticate': 'LoginTC realm="countersign"' }
  return {}
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : ''
}

function codes<Code extends string>(table: Record<Code, unknown>): Code[] {
  // Object.keys forgets the keys' type; the tables are literals, so they have no others.
  return Object.keys(table) as Code[]
}
