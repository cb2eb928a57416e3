import { readActivationCode } from '@countersign/protocol/activation-code.ts'

/** What an activation link says (device-protocol.md §5). */
export interface ActivationLink {
  origin: string
  code: string
  secret?: string
  username?: string
}

/** Reads `https://{device-origin}/a#c=…&s=…&u=…`; undefined for anything else. */
export function readLink(text: string): ActivationLink | undefined {
  const trimmed = text.trim()
  if (!URL.canParse(trimmed)) return undefined
  const url = new URL(trimmed)
  if (url.pathname !== '/a' || !/^https?:$/.test(url.protocol)) return undefined
  const fragment = new URLSearchParams(url.hash.slice(1).replaceAll('+', '%2B'))
  const code = readActivationCode(fragment.get('c') ?? '')
  if (!code) return undefined
  const secret = fragment.get('s') ?? undefined
  const username = fragment.get('u') || undefined
  return {
    origin: url.origin,
    code,
    ...(secret !== undefined && { secret }),
    ...(username !== undefined && { username }),
  }
}

/** Takes the activation link out of the address bar and the history, before anything else looks there. */
export function takeLink(location: Location, history: History): ActivationLink | undefined {
  if (location.pathname !== '/a') return undefined
  const link = readLink(location.href)
  history.replaceState(null, '', '/')
  return link
}
