import type { Token } from '../model/model.ts'
import type { Words } from '../words/en.ts'
import { dayOf, type Times } from '../words/times.ts'

/** What words are chosen with. */
export interface Spoken {
  words: Words
  times: Times
}

/** What people call a key: their own name for it, else the domain's. */
export function keyName(token: { name: string; domain: { name: string } }): string {
  return token.name || token.domain.name
}

/** When a key was last used, or why it cannot be. */
export function keyStatus(token: Token, now: number, spoken: Spoken): string {
  const t = spoken.words.list
  if (token.state.is === 'paused') return t.pausedUntil(spoken.times.clock(token.state.until))
  if (token.state.is === 'unlock_required' && token.unlocks.length > 0) return t.changeable
  if (token.state.is !== 'active') return t.states[token.state.is]
  return used(token.lastUsedAt, now, spoken)
}

/** What it is called to change what unlocks a key. */
export function changeTitle(token: Token, { words }: Pick<Spoken, 'words'>): string {
  const { changeUnlock, changePin, changePasscode } = words.key
  if (token.unlocks.some((way) => way !== token.unlock)) return changeUnlock
  return token.unlock === 'passcode' ? changePasscode : changePin
}

function used(at: number | undefined, now: number, { words, times }: Spoken): string {
  if (at === undefined) return words.list.notUsed
  const day = dayOf(at, now)
  if (day === 'today') return words.list.usedToday(times.clock(at))
  if (day === 'yesterday') return words.list.usedYesterday(times.clock(at))
  return words.list.usedOn(day === 'this week' ? times.weekday(at) : times.date(at))
}

/** The host of a server, which is what can be compared with a letter or a page. */
export function hostOf(origin: string): string {
  return URL.canParse(origin) ? new URL(origin).host : origin
}
