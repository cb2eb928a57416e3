import type { DeviceErrorCode } from '@countersign/protocol/errors.ts'

/** What an authenticator itself finds wrong, before or after talking to the server. */
export type LocalErrorCode =
  | 'network'
  | 'invalid_reply'
  | 'origin_mismatch'
  | 'token_unknown'
  | 'too_many_tokens'
  | 'pin_required'
  | 'pin_unsuitable'
  | 'number_required'
  | 'unlock_unsupported'

/** What the server may say beside a code. */
export interface DeviceErrorExtras {
  /** HTTP status, 0 when the error is the authenticator's own */
  status?: number
  /** tries left before the token is revoked (`factor_failed`) or the session denied (`number_mismatch`) */
  remaining?: number
  /** how the session has ended (`session_closed`) */
  state?: string
  /** the server's clock in Unix seconds (`clock_skew`) */
  time?: number
  /** protocol versions the server speaks (`unsupported_version`) */
  versions?: number[]
  retryAfterSeconds?: number
  cause?: unknown
}

/** A refusal of the device API, no answer at all (`network`), or something the authenticator will not do. */
export class DeviceError extends Error {
  readonly code: DeviceErrorCode | LocalErrorCode
  readonly status: number
  readonly remaining: number | undefined
  readonly state: string | undefined
  readonly time: number | undefined
  readonly versions: number[] | undefined
  readonly retryAfterSeconds: number | undefined

  constructor(code: DeviceErrorCode | LocalErrorCode, message: string, extras: DeviceErrorExtras = {}) {
    super(message, { cause: extras.cause })
    this.name = 'DeviceError'
    this.code = code
    this.status = extras.status ?? 0
    this.remaining = extras.remaining
    this.state = extras.state
    this.time = extras.time
    this.versions = extras.versions
    this.retryAfterSeconds = extras.retryAfterSeconds
  }
}

/** Whether a message may have been acted on although no proper answer came: the same one must be sent again. */
export function isUndecided(error: unknown): boolean {
  if (!(error instanceof DeviceError)) return false
  const { code, status } = error
  return code === 'network' || code === 'invalid_reply' || status >= 500 || status === 408 || status === 429
}

/** Whether an error is a DeviceError with one of these codes. */
export function isDeviceError(error: unknown, ...codes: DeviceError['code'][]): error is DeviceError {
  return error instanceof DeviceError && (codes.length === 0 || codes.includes(error.code))
}
