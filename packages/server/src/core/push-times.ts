import type { TokenRow } from '../storage/tokens.ts'

const unapprovedMax = 5
const windowMs = 600_000
const pauseMs = 600_000
const gapMs = 10_000

/** What a token remembers of its pushes. */
type PushTimes = Pick<TokenRow, 'unapproved_times' | 'push_at'>

/**
 * When a token's next request is pushed, if it is: ten seconds after the one before at least, and after five requests in ten
 * minutes without an approval not for ten minutes.
 */
export function nextPush(now: number, token: PushTimes, subscribed: boolean): PushTimes & { dueAt?: number } {
  const times = token.unapproved_times.split(',').filter(Boolean).map(Number)
  const last = times.at(-1) ?? 0
  const full = times.length >= unapprovedMax
  if (full && now < last + pauseMs) return { unapproved_times: token.unapproved_times, push_at: token.push_at }
  const recent = full ? [] : times.filter((time) => time > now - windowMs)
  const unapproved_times = [...recent, now].join(',')
  if (!subscribed) return { unapproved_times, push_at: token.push_at }
  const dueAt = Math.max(now, token.push_at + gapMs)
  return { unapproved_times, push_at: dueAt, dueAt }
}
