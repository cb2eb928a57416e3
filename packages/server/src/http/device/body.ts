import { malformed } from '../../core/signed-messages.ts'
import { parseJson } from '../json.ts'

/** A body that is a JSON object; `malformed` otherwise. */
export function readObject(text: string | undefined): Record<string, unknown> {
  const value = parseJson(text ?? '')
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw malformed()
  return value as Record<string, unknown>
}
