import type { Times } from '../words/times.ts'
import { dayOf } from '../words/times.ts'
import type { Words } from '../words/en.ts'

/** How a key is unlocked before it approves. */
export type UnlockShown = 'none' | 'pin' | 'passcode' | 'platform'

/** A key, as its row and its page show it. Moments are milliseconds since 1970. */
export interface KeyShown {
  id: string
  /** The domain's name, signed for by the server. */
  domain: string
  user: string
  /** What the person calls it, if anything. */
  name?: string | undefined
  /** The host of the server. */
  server: string
  image?: string | undefined
  unlock: UnlockShown
  addedAt: number
  usedAt?: number | undefined
  pausedUntil?: number | undefined
  ended?: boolean | undefined
}

/** A request, as it is asked: what the server vouches for, then what the application says. */
export interface RequestShown {
  id: string
  domain: string
  user: string
  image?: string | undefined
  attributes: { k: string; v: string }[]
  ip?: string | undefined
  askedAt: number
  endsAt: number
  /** How many digits must be typed; 0 without number matching. */
  digits: number
}

/** An answer that was given, or not, as a key's page lists it. */
export interface AnswerShown {
  id: string
  verdict: 'approved' | 'denied' | 'notMe' | 'notAnswered' | 'cancelled'
  about: string
  at: number
}

/** When a key was last used, or why it cannot be. */
export function keyStatus(key: KeyShown, now: number, { words, times }: { words: Words; times: Times }): string {
  const t = words.list
  if (key.ended) return t.ended
  if (key.pausedUntil && key.pausedUntil > now) return t.pausedUntil(times.clock(key.pausedUntil))
  if (!key.usedAt) return t.notUsed
  const day = dayOf(key.usedAt, now)
  if (day === 'today') return t.usedToday(times.clock(key.usedAt))
  if (day === 'yesterday') return t.usedYesterday(times.clock(key.usedAt))
  return t.usedOn(day === 'this week' ? times.weekday(key.usedAt) : times.date(key.usedAt))
}
