import { fromBase64url, toBase64url } from '@countersign/protocol/base64url.ts'
import type { Challenge } from '@countersign/protocol/challenge.ts'
import { isInterchangeable } from '@countersign/protocol/jws.ts'
import { sha256 } from '@countersign/protocol/unlock.ts'
import { isObject, type Json } from './json.ts'

const bytesMax = 32_768
const attributesMax = 20
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** A challenge that is what it claims to be: what is in it may be shown, and nothing else. */
export interface VerifiedChallenge {
  challenge: Challenge
  /** base64url of SHA-256 of the bytes: what an answer signs */
  hash: string
}

export type ChallengeFault = 'unreadable' | 'foreign' | 'expired'

/** Checks challenge bytes against this phone's own record of the token (§8); `now` is the server's clock in milliseconds. */
export async function verifyChallenge(
  entry: { sid: string; ch: string },
  record: { aud: string; tid: string },
  now: number,
): Promise<VerifiedChallenge | ChallengeFault> {
  const bytes = fromBase64url(entry.ch)
  const challenge = bytes && bytes.length <= bytesMax ? parse(bytes) : undefined
  if (!bytes || !challenge) return 'unreadable'
  const isOurs = challenge.aud === record.aud && challenge.tid === record.tid && challenge.sid === entry.sid
  if (!isOurs) return 'foreign'
  if (challenge.exp * 1000 <= now) return 'expired'
  return { challenge, hash: toBase64url(await sha256(bytes)) }
}

function parse(bytes: Uint8Array): Challenge | undefined {
  try {
    const value: unknown = JSON.parse(utf8.decode(bytes))
    return isObject(value) && isInterchangeable(value, 16) && isChallenge(value) ? value : undefined
  } catch {
    return undefined // not UTF-8, or not JSON
  }
}

const shape: Record<string, (value: unknown) => boolean> = {
  v: (value) => value === 1,
  aud: isText,
  tid: isText,
  sid: isText,
  nonce: (value) => isText(value) && fromBase64url(value)?.length === 32,
  iat: Number.isSafeInteger,
  exp: Number.isSafeInteger,
  domain: (value) => isObject(value) && isText(value.id) && isText(value.name),
  user: isText,
  ip: (value) => value === undefined || isText(value),
  attrs: (value) => Array.isArray(value) && value.length <= attributesMax && value.every(isAttribute),
  // An unknown word where a decision hangs on it is not understood at all.
  via: (value) => value === 'api' || value === 'radius' || value === 'panel',
  unlock: (value) => value === 'none' || value === 'pin' || value === 'platform',
  match: isMatch,
}

function isChallenge(value: Json): value is Challenge & Json {
  return Object.entries(shape).every(([name, fits]) => fits(value[name]))
}

function isText(value: unknown): value is string {
  return typeof value === 'string'
}

function isAttribute(value: unknown): boolean {
  return isObject(value) && isText(value.k) && isText(value.v)
}

function isMatch(value: unknown): boolean {
  if (!isObject(value)) return false
  if (value.type === 'none') return true
  return value.type === 'enter' && typeof value.len === 'number' && Number.isInteger(value.len) && value.len > 0
}
