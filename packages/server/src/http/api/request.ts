import { badRequest } from '../../core/errors.ts'
import { parseJson, refuseUnfit, shortName } from '../json.ts'
import type { Incoming } from '../route.ts'

/** A JSON object without a prototype: what a body does not have is undefined, and `__proto__` is a name like any other. */
export type Members = Record<string, unknown>

/** An id from the path, in the lower case that ids are stored in. */
export function pathId(request: Incoming, name: string): string {
  const id = request.params[name] ?? ''
  refuseUnfit(id, name)
  return id.toLowerCase()
}

/** The body as a JSON value; undefined when there is none. */
export function readBody({ text }: Incoming): unknown {
  return text === undefined ? undefined : parseJson(text)
}

/** The body as an object. No body is an object without members: what is required is then missed by its name. */
export function readMembers(request: Incoming): Members {
  return membersOf(readBody(request) ?? {}, 'body')
}

/** The members of a value that must be an object; `field` names it in the refusal. */
export function membersOf(value: unknown, field: string): Members {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw badRequest(field, 'It must be an object.')
  return Object.assign(Object.create(null), value)
}

/** A text that must be there; `within` is where the member stands, such as `user.` or `[3].`. */
export function readText(members: Members, name: string, within = ''): string {
  const text = readOptionalText(members, name, within)
  if (text === undefined) throw badRequest(within + shortName(name), 'It is required.')
  return text
}

/** A whole number or undefined. LoginTC's Java client 1.1.4 sends numbers as strings. */
export function readOptionalNumber(members: Members, name: string): number | undefined {
  const value = members[name] ?? undefined
  if (value === undefined || value === '') return undefined
  const number = typeof value === 'string' && /^\d{1,9}$/.test(value) ? Number(value) : value
  if (typeof number !== 'number' || !Number.isInteger(number))
    throw badRequest(shortName(name), 'It must be a whole number.')
  return number
}

/** A text or undefined. LoginTC's PHP client 1.2.4 sends null for what it was not given. */
export function readOptionalText(members: Members, name: string, within = ''): string | undefined {
  const value = members[name] ?? undefined
  if (value !== undefined && typeof value !== 'string')
    throw badRequest(within + shortName(name), 'It must be a string.')
  return value
}
