import type { Sender } from '../../core/device-failures.ts'
import { ApiError } from '../../core/errors.ts'
import { malformed } from '../../core/signed-messages.ts'
import { parseJson } from '../json.ts'
import type { Incoming } from '../route.ts'

/** A body that is a JSON object; `malformed` otherwise. */
export function readObject(request: Incoming): Record<string, unknown> {
  const object = findObject(request)
  if (!object) throw malformed()
  return object
}

/** The JSON object that a body is, if it is one. */
export function findObject(request: Incoming): Record<string, unknown> | undefined {
  const value = unlessUnfit(() => parseJson(request.text ?? ''))
  const isObject = typeof value === 'object' && value !== null && !Array.isArray(value)
  return isObject ? (value as Record<string, unknown>) : undefined
}

/** The body, or a text that is no message where it cannot be read as one. */
export function readText(request: Incoming): string {
  return unlessUnfit(() => request.text) ?? ''
}

function unlessUnfit<T>(read: () => T): T | undefined {
  try {
    return read()
  } catch (error) {
    if (error instanceof ApiError) return undefined // the caller answers as to anything that is not a message
    throw error
  }
}

/** Who sent a request, and what it brings that is signed. */
export function sender(request: Incoming, messages: Sender['messages'] = []): Sender {
  return { address: request.clientAddress, messages }
}
