import { fromBase64url, toBase64url } from '@countersign/protocol/base64url.ts'
import type { Challenge } from '@countersign/protocol/challenge.ts'
import { isInterchangeable } from '@countersign/protocol/jws.ts'
import { sha256 } from '@countersign/protocol/unlock.ts'
import type { StoredToken } from './device-store.ts'
import { isObject } from './retry.ts'

const challengeBytesMax = 32_768
const strictUtf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** A sign-in request as a person may be shown it: everything in `challenge`, and nothing from anywhere else. */
export interface SignInRequest {
  tid: string
  sid: string
  challenge: Challenge
  /** base64url SHA-256 of the challenge bytes: what an answer signs */
  hash: string
  /** more than one request is pending: at least one of them is not the user's */
  suspicious: boolean
}

/** Why a challenge is not shown. */
export type ChallengeProblem = 'unreadable' | 'other_server' | 'other_token' | 'other_session' | 'expired'

/** Checks challenge bytes against the token they came for; `time` is the server's clock in Unix seconds. */
export async function readChallenge(
  entry: { sid: string; ch: string },
  token: Pick<StoredToken, 'aud' | 'tid'>,
  time: number,
): Promise<SignInRequest | ChallengeProblem> {
  const bytes = fromBase64url(entry.ch)
  const challenge = bytes && bytes.length <= challengeBytesMax && parseChallenge(bytes)
  if (!challenge) return 'unreadable'
  if (challenge.aud !== token.aud) return 'other_server'
  if (challenge.tid !== token.tid) return 'other_token'
  if (challenge.sid !== entry.sid) return 'other_session'
  if (challenge.exp <= time) return 'expired'
  const hash = toBase64url(await sha256(bytes))
  return { tid: token.tid, sid: entry.sid, challenge, hash, suspicious: false }
}

function parseChallenge(bytes: Uint8Array): Challenge | undefined {
  try {
    const value: unknown = JSON.parse(strictUtf8.decode(bytes))
    return isInterchangeable(value, 16) && isChallenge(value) ? value : undefined
  } catch {
    return undefined // not UTF-8 or not JSON
  }
}

// Unknown members are ignored, but an unknown word where a decision hangs on it is not understood at all.
function isChallenge(value: unknown): value is Challenge & Record<string, unknown> {
  if (!isObject(value)) return false
  const { v, aud, tid, sid, nonce, user, ip, iat, exp, via, unlock } = value
  const texts = [aud, tid, sid, nonce, user, ip ?? '']
  return (
    v === 1 &&
    texts.every((text) => typeof text === 'string') &&
    [iat, exp].every(Number.isSafeInteger) &&
    ['api', 'radius', 'panel'].some((way) => way === via) &&
    ['none', 'pin', 'platform'].some((method) => method === unlock) &&
    isDomain(value.domain) &&
    Array.isArray(value.attrs) &&
    value.attrs.every(isAttribute) &&
    isMatch(value.match)
  )
}

function isDomain(value: unknown): boolean {
  return isObject(value) && typeof value.id === 'string' && typeof value.name === 'string'
}

function isAttribute(value: unknown): boolean {
  return isObject(value) && typeof value.k === 'string' && typeof value.v === 'string'
}

function isMatch(value: unknown): boolean {
  if (!isObject(value)) return false
  return value.type === 'none' || (value.type === 'enter' && Number.isSafeInteger(value.len))
}
