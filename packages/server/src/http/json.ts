import { badRequest } from '../core/errors.ts'

/** Deeper than any request of either API, and far from what a recursive walk can bear. */
const depthMax = 32

// A byte order mark stays in the text, where no JSON may have it.
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
// biome-ignore lint/suspicious/noControlCharactersInRegex: the range is ASCII as a whole
const beyondAscii = /[^\u0000-\u007f]/g

/** Compact JSON in ASCII, members in the order they were set: LoginTC's C client 0.1.0 reads at fixed offsets. */
export function serialize(value: unknown): string {
  return JSON.stringify(value).replace(beyondAscii, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)
}

/** The text that UTF-8 bytes stand for, or undefined if they are none. */
export function decodeUtf8(bytes: Uint8Array): string | undefined {
  try {
    return utf8.decode(bytes)
  } catch {
    return undefined // the decoder has no other way to say so
  }
}

/** The text that bytes stand for: UTF-8, else ISO-8859-1, which LoginTC's Java client 1.1.4 sends without saying so. */
export function decodeText(bytes: Buffer): string {
  return decodeUtf8(bytes) ?? bytes.toString('latin1')
}

/** The value of a JSON text without U+0000, lone surrogates and nesting beyond measure. Throws `api.error.badrequest` naming the member. */
export function parseJson(text: string): unknown {
  const value = parse(text)
  refuseUnfitText(value, '', 0)
  return value
}

/** The name of a member as a refusal may quote it: what a client made a mebibyte long is not sent back whole. */
export function shortName(name: string): string {
  return name.length > 80 ? `${name.slice(0, 79).toWellFormed()}…` : name
}

/** Throws `api.error.badrequest` if a text holds U+0000 or half a surrogate pair, which no store and no other end can be trusted with. */
export function refuseUnfit(text: string, field: string): void {
  if (text.includes('\0')) throw badRequest(field, 'It has the character U+0000.')
  if (!text.isWellFormed()) throw badRequest(field, 'It has half of a surrogate pair.')
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    // The parser's own message quotes the body, which may hold a secret.
    throw badRequest('body', 'It is not valid JSON.')
  }
}

function refuseUnfitText(value: unknown, path: string, depth: number): void {
  if (typeof value === 'string') refuseUnfit(value, path || 'body')
  if (typeof value !== 'object' || value === null) return
  if (depth === depthMax) throw badRequest('body', `It is nested deeper than ${depthMax} levels.`)
  if (Array.isArray(value)) {
    for (const [index, item] of value.entries()) refuseUnfitText(item, `${path}[${index}]`, depth + 1)
    return
  }
  for (const [name, item] of Object.entries(value)) {
    refuseUnfit(name, path || 'body')
    refuseUnfitText(item, path ? `${path}.${shortName(name)}` : shortName(name), depth + 1)
  }
}
