import { type DeviceErrorCode, deviceErrors } from '@countersign/protocol/errors.ts'
import { DeviceError, isDeviceError } from './device-errors.ts'
import {
  deadline,
  firstError,
  isObject,
  isUnavailable,
  parse,
  patienceSeconds,
  pauseMs,
  retryAfterSeconds,
  sleep,
} from './retry.ts'

const timeoutMs = 20_000

/** Where the device API is and how to reach it. */
export interface DeviceTransport {
  /** the server's device origin */
  origin: string
  fetch: typeof fetch
  retryDelaysMs: readonly number[]
}

/** One request below /device/v1. */
export interface DeviceCall {
  path: string
  /** a signed message, or a value to send as JSON; without one the request is a GET */
  message?: { jws: string } | { json: object }
  /** seconds the server may hold the answer back */
  waitSeconds?: number
  signal?: AbortSignal | undefined
}

/**
 * Sends a request and returns the parsed answer. When no answer comes the very same bytes are sent again: the server gives
 * the same jti the same reply and counts it once. Throws DeviceError, or the signal's reason.
 */
export async function callDevice(transport: DeviceTransport, call: DeviceCall): Promise<Record<string, unknown>> {
  for (const delayMs of transport.retryDelaysMs) {
    try {
      return await callOnce(transport, call)
    } catch (error) {
      if (!isDeviceError(error) || !mayRepeat(error)) throw error
      await sleep(pauseMs(delayMs, error.retryAfterSeconds), call.signal)
    }
  }
  return callOnce(transport, call)
}

function mayRepeat({ code, status, retryAfterSeconds = 0 }: DeviceError): boolean {
  return (code === 'network' || isUnavailable(status)) && retryAfterSeconds <= patienceSeconds
}

async function callOnce(transport: DeviceTransport, call: DeviceCall): Promise<Record<string, unknown>> {
  const { response, text } = await exchange(transport, call).catch((cause: unknown) => {
    call.signal?.throwIfAborted()
    throw new DeviceError('network', `No answer from ${transport.origin}.`, { cause })
  })
  const body = parse(text)
  if (!response.ok) throw refusal(response, body)
  if (!isObject(body)) throw invalidReply('it is not a JSON object', response.status)
  return body
}

async function exchange(transport: DeviceTransport, call: DeviceCall): Promise<{ response: Response; text: string }> {
  const { fetch } = transport // a browser's fetch must not be called as a method of something else
  const response = await fetch(`${transport.origin}/device/v1${call.path}`, {
    ...bodyOf(call),
    cache: 'no-store',
    credentials: 'omit',
    redirect: 'error',
    referrerPolicy: 'no-referrer',
    signal: deadline(timeoutMs + (call.waitSeconds ?? 0) * 1000, call.signal),
  })
  return { response, text: await response.text() }
}

function bodyOf({ message }: DeviceCall): { method: string; headers?: Record<string, string>; body?: string } {
  if (!message) return { method: 'GET' }
  const [type, body] =
    'jws' in message ? ['application/jose', message.jws] : ['application/json', JSON.stringify(message.json)]
  return { method: 'POST', headers: { 'content-type': type }, body }
}

/** An answer that this protocol does not know: a bug, or something else that answers at this address. */
export function invalidReply(problem: string, status = 200): DeviceError {
  return new DeviceError('invalid_reply', `The server's answer is not understood: ${problem}.`, { status })
}

function refusal(response: Response, body: unknown): DeviceError {
  const { status } = response
  const error = firstError(body)
  if (!error || !isDeviceCode(error.code)) {
    // A proxy's own page: what matters is whether it is worth trying again.
    const code = isUnavailable(status) ? 'unavailable' : 'invalid_reply'
    return new DeviceError(code, `The server answered with HTTP status ${status}.`, { status })
  }
  return new DeviceError(error.code, error.message, { status, ...extrasOf(body), ...retryAfter(response) })
}

function isDeviceCode(code: string): code is DeviceErrorCode {
  return Object.hasOwn(deviceErrors, code)
}

function extrasOf(body: unknown) {
  const { remaining, state, time, versions } = isObject(body) ? body : {}
  return {
    ...(typeof remaining === 'number' && { remaining }),
    ...(typeof state === 'string' && { state }),
    ...(typeof time === 'number' && { time }),
    ...(isNumbers(versions) && { versions }),
  }
}

function isNumbers(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((item) => typeof item === 'number')
}

function retryAfter(response: Response): { retryAfterSeconds?: number } {
  const seconds = retryAfterSeconds(response)
  return seconds === undefined ? {} : { retryAfterSeconds: seconds }
}
