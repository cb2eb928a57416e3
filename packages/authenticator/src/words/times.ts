/** The languages of the authenticator, and where each looks for its numbers and dates if the browser names no country. */
export const fallbackLocales = { en: 'en-GB', de: 'de-DE' }
export type LanguageCode = keyof typeof fallbackLocales

const dayMs = 86_400_000

/** Which day a moment falls on, seen from another: relative only as far as people say it. */
export type Day = 'today' | 'yesterday' | 'this week' | 'earlier'

/** Days by the calendar of this phone, not by 24 hours. */
export function dayOf(at: number, now: number): Day {
  const days = Math.round((startOfDay(now) - startOfDay(at)) / dayMs)
  if (days <= 0) return 'today'
  if (days === 1) return 'yesterday'
  return days < 7 ? 'this week' : 'earlier'
}

/** Dates and times in one language. Moments are milliseconds since 1970. */
export class Times {
  readonly #locale: string
  readonly #german: boolean

  constructor(locale: string) {
    this.#locale = locale
    this.#german = locale.startsWith('de')
  }

  /** 14:32, in German 14:32 Uhr. */
  clock(at: number): string {
    return this.#withUhr(this.#format(at, { hour: '2-digit', minute: '2-digit' }))
  }

  /** 14:32:51 */
  exact(at: number): string {
    return this.#format(at, { hour: '2-digit', minute: '2-digit', second: '2-digit' })
  }

  /** 12 March 2026 */
  date(at: number): string {
    return this.#format(at, { day: 'numeric', month: 'long', year: 'numeric' })
  }

  /** Friday */
  weekday(at: number): string {
    return this.#format(at, { weekday: 'long' })
  }

  /** Today, 14:32, in German Heute, 14:32 Uhr. */
  moment(at: number, now: number): string {
    return `${this.#capital(at, now)}, ${this.clock(at)}`
  }

  /** today, 14:32: the same in the middle of a line. */
  momentInside(at: number, now: number): string {
    return `${this.#day(at, now)}, ${this.clock(at)}`
  }

  /** Today, 14:32 or Fri, 17:40: where room is short and the column says that it is a time. */
  shortMoment(at: number, now: number): string {
    return `${this.#capital(at, now)}, ${this.#format(at, { hour: '2-digit', minute: '2-digit' })}`
  }

  #capital(at: number, now: number): string {
    const day = this.#day(at, now)
    return day.charAt(0).toLocaleUpperCase(this.#locale) + day.slice(1)
  }

  #day(at: number, now: number): string {
    const day = dayOf(at, now)
    if (day === 'this week') return this.#format(at, { weekday: 'short' })
    if (day === 'earlier') return this.#format(at, { day: 'numeric', month: 'short' })
    return new Intl.RelativeTimeFormat(this.#locale, { numeric: 'auto' }).format(day === 'today' ? 0 : -1, 'day')
  }

  #withUhr(time: string): string {
    return this.#german ? `${time} Uhr` : time
  }

  #format(at: number, options: Intl.DateTimeFormatOptions): string {
    return new Intl.DateTimeFormat(this.#locale, options).format(at)
  }
}

function startOfDay(at: number): number {
  const day = new Date(at)
  return Date.UTC(day.getFullYear(), day.getMonth(), day.getDate())
}
