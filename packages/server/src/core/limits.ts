/** Counters in this process's memory, for what protects the server itself; those that decide a verdict are in the database. */
export interface Limits {
  /** failed activations of one address: 30 in 10 minutes, then a pause that doubles up to an hour */
  activationFailures: Backoff
  /** failed activations by typed code, of everybody: 100 a second */
  activationFailuresOfAll: FailureWindow
  /** failed attempts of one address to sign in as an administrator: 20 in 10 minutes */
  signInFailures: FailureWindow
  /** malformed, unknown and badly signed messages of one address: 120 a minute */
  deviceFailures: FailureWindow
  /** validly signed messages of one token: 60 a minute */
  signedMessages: Window
  /** runs the activations of one address one after another, so that parallel guesses are counted, too */
  addressTurns: Turns
  /** the jtis of syncs, which change nothing and are remembered here only */
  syncJtis: Seen
  /** rows whose alarm is in the audit log already */
  tampering: Seen
  /** exports of one actor that are being read: 2 */
  exports: Places
  /** users whose pushes a push service has refused since it last accepted one: three are no longer a matter of their phones */
  pushRefusals: Streaks
  /** push services whose refusal of this server was reported today */
  pushAlarms: Seen
}

/** Counts per key in windows of fixed length. */
interface Window {
  /** seconds until the next try, 0 when one is free */
  retryAfter(key: string): number
  count(key: string): void
}

interface Backoff extends Window {}

/** Counts failures that are known only after a while, and lets no more come about than there may be. */
interface FailureWindow extends Window {
  /** Whether what failed and what is under way could be all that there may be. */
  isFull(key: string): boolean
  /** Waits while what is under way could use up what is left. */
  begin(key: string, failuresMax: number): Promise<Try>
}

/** Something that can fail. */
interface Try {
  /** seconds until it may begin; it has when this is 0 */
  pause: number
  /** What could fail is decided, and its failures are counted. */
  end(): void
}

/** A queue per key. */
interface Turns {
  take<T>(key: string, work: () => Promise<T>): Promise<T>
}

/** Remembers texts for a while. */
interface Seen {
  /** False when it was added before, and not long ago. */
  add(text: string): boolean
  remove(text: string): void
}

/** Counts whom something befalls, each once, until it ends. */
interface Streaks {
  /** Whether so many different ones have been befallen by now. */
  add(key: string, who: string): boolean
  end(key: string): void
}

/** What only so many may have at a time. */
interface Places {
  /** Takes a place; undefined when none is free. What it returns gives it back, once. */
  take(key: string): (() => void) | undefined
}

interface Bounds {
  max: number
  windowMs: number
}

const minuteMs = 60_000

/** Fresh counters; `now` in milliseconds. */
export function openLimits(now: () => number): Limits {
  return {
    activationFailures: backoff(now, { max: 30, windowMs: 10 * minuteMs, pauseMaxMs: 60 * minuteMs }),
    activationFailuresOfAll: failureWindow(now, { max: 100, windowMs: 1_000 }),
    signInFailures: failureWindow(now, { max: 20, windowMs: 10 * minuteMs }),
    deviceFailures: failureWindow(now, { max: 120, windowMs: minuteMs }),
    signedMessages: window(now, { max: 60, windowMs: minuteMs }),
    addressTurns: turns(),
    // A message is fresh for 601 s: ±300 s, in whole seconds.
    syncJtis: seen(now, 11 * minuteMs),
    tampering: seen(now, Number.POSITIVE_INFINITY),
    exports: places(2),
    pushRefusals: streaks(3),
    pushAlarms: seen(now, 1_440 * minuteMs),
  }
}

/** How an address is counted: IPv4 alone, IPv6 by its /64, which is what one household or one attacker has. */
export function addressKey(address: string): string {
  const plain = address.replace(/^::ffff:(?=\d+\.)/i, '').replace(/%.*$/, '')
  if (!plain.includes(':')) return plain
  const [head = '', tail] = plain.split('::')
  const groups = head.split(':').filter((group) => group !== '')
  if (tail !== undefined) while (groups.length < 8 - tail.split(':').filter(Boolean).length) groups.push('0')
  return groups
    .slice(0, 4)
    .map((group) => Number.parseInt(group, 16).toString(16))
    .join(':')
}

function window(now: () => number, { max, windowMs }: Bounds): Window & { left(key: string): number } {
  const counts = new BoundedMap<{ since: number; count: number }>()
  const current = (key: string) => {
    const entry = counts.get(key)
    return entry && now() - entry.since < windowMs ? entry : undefined
  }
  return {
    left: (key) => max - (current(key)?.count ?? 0),
    retryAfter(key) {
      const entry = current(key)
      return entry && entry.count >= max ? Math.ceil((entry.since + windowMs - now()) / 1000) : 0
    },
    count(key) {
      const entry = current(key)
      if (entry) entry.count++
      else counts.set(key, { since: now(), count: 1 })
    },
  }
}

function failureWindow(now: () => number, bounds: Bounds): FailureWindow {
  const failures = window(now, bounds)
  const underWay = new Map<string, { failuresMax: number; waiting: (() => void)[] }>()
  const isFull = (key: string) => failures.left(key) <= (underWay.get(key)?.failuresMax ?? 0)
  const mustWait = (key: string) => failures.left(key) > 0 && isFull(key)

  function begun(key: string, failuresMax: number): Try {
    const pause = failures.retryAfter(key)
    if (pause > 0 || failuresMax === 0) return { pause, end() {} }
    const entry = underWay.get(key) ?? { failuresMax: 0, waiting: [] }
    entry.failuresMax += failuresMax
    underWay.set(key, entry)
    let open = true
    const end = () => {
      if (!open) return
      open = false
      entry.failuresMax -= failuresMax
      while (entry.waiting.length > 0 && !mustWait(key)) entry.waiting.shift()?.()
      if (entry.failuresMax === 0) underWay.delete(key)
    }
    return { pause, end }
  }

  return {
    retryAfter: failures.retryAfter,
    count: failures.count,
    isFull,
    async begin(key, failuresMax) {
      const before = underWay.get(key)
      if (!before || failuresMax === 0 || !mustWait(key)) return begun(key, failuresMax)
      return new Promise((resolve) => before.waiting.push(() => resolve(begun(key, failuresMax))))
    },
  }
}

function backoff(
  now: () => number,
  { max, windowMs, pauseMaxMs }: { max: number; windowMs: number; pauseMaxMs: number },
): Backoff {
  const counts = new BoundedMap<{ since: number; count: number; pauseMs: number; pausedUntil: number }>()
  return {
    retryAfter(key) {
      const until = counts.get(key)?.pausedUntil ?? 0
      return until > now() ? Math.ceil((until - now()) / 1000) : 0
    },
    count(key) {
      const entry = counts.get(key) ?? { since: now(), count: 0, pauseMs: windowMs, pausedUntil: 0 }
      // Whoever behaved for the longest pause begins anew; until then each pause is twice the one before.
      if (now() - Math.max(entry.since, entry.pausedUntil) >= pauseMaxMs) entry.pauseMs = windowMs
      if (now() - entry.since >= windowMs) Object.assign(entry, { since: now(), count: 0 })
      entry.count++
      if (entry.count >= max) {
        entry.pausedUntil = now() + entry.pauseMs
        entry.pauseMs = Math.min(entry.pauseMs * 2, pauseMaxMs)
        Object.assign(entry, { since: now(), count: 0 })
      }
      counts.set(key, entry)
    },
  }
}

function turns(): Turns {
  const last = new Map<string, Promise<unknown>>()
  return {
    async take(key, work) {
      const before = last.get(key) ?? Promise.resolve()
      const own = before.then(work, work)
      last.set(key, own)
      try {
        return await own
      } finally {
        if (last.get(key) === own) last.delete(key)
      }
    },
  }
}

function seen(now: () => number, forMs: number): Seen {
  const times = new BoundedMap<number>(500_000)
  return {
    add(text) {
      const before = times.get(text)
      if (before !== undefined && now() - before < forMs) return false
      times.set(text, now())
      return true
    },
    remove: (text) => times.delete(text),
  }
}

function streaks(max: number): Streaks {
  const befallen = new Map<string, Set<string>>()
  return {
    add(key, who) {
      const all = befallen.get(key) ?? new Set()
      befallen.set(key, all)
      if (all.size < max) all.add(who)
      return all.size === max
    },
    end: (key) => void befallen.delete(key),
  }
}

function places(max: number): Places {
  const taken = new Map<string, Set<object>>()
  return {
    take(key) {
      const held = taken.get(key) ?? new Set()
      if (held.size >= max) return undefined
      const place = {}
      taken.set(key, held.add(place))
      return () => {
        held.delete(place)
        if (held.size === 0 && taken.get(key) === held) taken.delete(key)
      }
    },
  }
}

/** A map that forgets its oldest entries when it is full, so that no flood of keys can fill the memory. */
class BoundedMap<Value> {
  readonly #entries = new Map<string, Value>()
  /** One walk for good: a new one would pass by every entry that was ever deleted before the oldest. */
  readonly #oldestFirst = this.#entries.keys()
  readonly #max: number

  constructor(max = 100_000) {
    this.#max = max
  }

  get(key: string): Value | undefined {
    return this.#entries.get(key)
  }

  delete(key: string): void {
    this.#entries.delete(key)
  }

  set(key: string, value: Value): void {
    this.#entries.delete(key)
    this.#entries.set(key, value)
    if (this.#entries.size <= this.#max) return
    const { value: oldest } = this.#oldestFirst.next()
    if (oldest !== undefined) this.#entries.delete(oldest)
  }
}
