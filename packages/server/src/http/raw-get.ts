/** A GET that Node's parser refused for the bytes above 0x7F in its address, repaired. */
export interface RawGet {
  url: string
  headers: Record<string, string>
}

const requestLine = /^GET (\/[^ ]*) HTTP\/1\.[01]$/
const headerLine = /^([!#$%&'*+\-.^_`|~0-9A-Za-z]+):[ \t]*([\t\x20-\x7e\x80-\xff]*?)[ \t]*$/
const passedOn = new Set(['accept', 'authorization', 'user-agent', 'x-forwarded-for'])

/**
 * Reads such a request from the packet that it came in, percent-encoding the bytes that LoginTC's PHP client 1.2.4 sends as they
 * are. Undefined for anything but a whole GET without a body; `bytesParsed` is where the parser stopped.
 */
export function parseRawGet(packet: unknown, bytesParsed = 0): RawGet | undefined {
  if (!Buffer.isBuffer(packet)) return undefined
  const text = packet.toString('latin1')
  const begin = text.lastIndexOf('\n', bytesParsed) + 1
  const end = text.indexOf('\r\n\r\n', begin)
  const [first = '', ...lines] = text.slice(begin, Math.max(begin, end)).split('\r\n')
  const target = requestLine.exec(first)?.[1]
  const headers = readHeaders(lines)
  return target && headers ? { url: percentEncode(target), headers } : undefined
}

function readHeaders(lines: string[]): Record<string, string> | undefined {
  const headers: Record<string, string> = {}
  for (const line of lines) {
    const [, name, value = ''] = headerLine.exec(line) ?? []
    if (!name) return undefined
    const key = name.toLowerCase()
    if (key === 'transfer-encoding' || (key === 'content-length' && value !== '0')) return undefined
    if (passedOn.has(key))
      headers[key] = key in headers && key === 'x-forwarded-for' ? `${headers[key]}, ${value}` : (headers[key] ?? value)
  }
  return headers
}

// Also what a URL parser on the way would drop or change.
function percentEncode(target: string): string {
  return target.replace(
    /[^\x21-\x7e]|["#'<>\\^`{|}]/g,
    (character) => `%${character.charCodeAt(0).toString(16).padStart(2, '0')}`,
  )
}
