import { type DeviceErrorCode, deviceErrors } from '@countersign/protocol/errors.ts'

/** The device API's codes (§13), no answer at all, or one that this protocol does not know. */
export type RefusalCode = DeviceErrorCode | 'no_answer' | 'strange_answer' | 'other_server'

export interface RefusalDetails {
  status?: number
  /** tries left */
  remaining?: number
  /** how the session has ended */
  state?: string
  /** the server's clock, Unix seconds */
  time?: number
  retryAfterSeconds?: number
  cause?: unknown
}

/** Why there is no result. */
export class Refusal extends Error {
  readonly code: RefusalCode
  readonly status: number
  readonly remaining: number
  readonly state: string | undefined
  readonly time: number | undefined
  readonly retryAfterSeconds: number | undefined

  constructor(code: RefusalCode, details: RefusalDetails = {}) {
    super(code, { cause: details.cause })
    this.name = 'Refusal'
    this.code = code
    this.status = details.status ?? 0
    this.remaining = details.remaining ?? 0
    this.state = details.state
    this.time = details.time
    this.retryAfterSeconds = details.retryAfterSeconds
  }

  /** Whether the message may have been acted on all the same: only the very same one may be sent again. */
  get undecided(): boolean {
    return this.code === 'no_answer' || this.code === 'strange_answer' || this.busy
  }

  /** The server is there and has trouble, or wants to be left alone for a while. */
  get busy(): boolean {
    return this.status >= 500 || this.status === 408 || this.status === 429
  }
}

/** Whether something thrown is a Refusal with one of these codes. */
export function isRefusal(error: unknown, ...codes: RefusalCode[]): error is Refusal {
  return error instanceof Refusal && (codes.length === 0 || codes.includes(error.code))
}

/** Whether a text is one of the device API's codes. */
export function isDeviceCode(code: unknown): code is DeviceErrorCode {
  return typeof code === 'string' && Object.hasOwn(deviceErrors, code)
}
