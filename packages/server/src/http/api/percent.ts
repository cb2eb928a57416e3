import { decodeText } from '../json.ts'

/** Undoes percent-encoding the way names need it: UTF-8 or else ISO-8859-1, `+` and a percent sign that begins no escape stay. */
export function percentDecode(text: string): string {
  const bytes = Buffer.from(text)
  const decoded: number[] = []
  for (let at = 0; at < bytes.length; at++) {
    const hex = bytes[at] === 0x25 ? bytes.toString('latin1', at + 1, at + 3) : ''
    const escaped = /^[0-9A-Fa-f]{2}$/.test(hex)
    decoded.push(escaped ? Number.parseInt(hex, 16) : (bytes[at] ?? 0))
    if (escaped) at += 2
  }
  return decodeText(Buffer.from(decoded))
}
