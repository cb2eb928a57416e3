/** What joins this process to the others on the same database. */
interface Channel {
  publish(ids: string[]): void
  /** `undefined` means that some may have been missed */
  subscribe(listener: (id: string | undefined) => void): void
}

/** Watches some ids (of tokens or sessions) from the moment it is made, so that nothing between a read and a wait is missed. */
export interface Watch {
  /** Resolves when one of the ids was woken since the last call, after so many milliseconds, or when `signal` aborts. */
  next(ms: number, signal?: AbortSignal): Promise<void>
  close(): void
}

/** Tells those who wait, on every node, that something about an id has changed. Says nothing about what: read again. */
export interface Events {
  /** After the commit. */
  wake(ids: string[]): void
  watch(ids: string[]): Watch
  /** how many watches are open */
  readonly watching: number
  /** true once the server is going down: waiting has no point any more */
  readonly stopping: boolean
  stop(): void
}

/** The hub of one process, joined to the others by the database. */
export function openEvents(channel: Channel): Events {
  const watchers = new Map<string, Set<Bell>>()
  let watching = 0
  let stopping = false

  const ring = (id: string) => {
    for (const bell of watchers.get(id) ?? []) bell.ring()
  }
  const ringAll = () => {
    for (const id of watchers.keys()) ring(id)
  }
  channel.subscribe((id) => (id === undefined ? ringAll() : ring(id)))

  return {
    get watching() {
      return watching
    },
    get stopping() {
      return stopping
    },
    wake(ids) {
      for (const id of ids) ring(id)
      channel.publish(ids)
    },
    watch(ids) {
      const bell = new Bell()
      for (const id of ids) watchers.set(id, (watchers.get(id) ?? new Set()).add(bell))
      watching++
      return {
        next: (ms, signal) => bell.next(stopping ? 0 : ms, signal),
        close() {
          for (const id of ids) remove(watchers, id, bell)
          watching--
        },
      }
    },
    stop() {
      stopping = true
      ringAll()
    },
  }
}

/** Remembers that it rang until somebody listens. */
class Bell {
  #rang = false
  #listener: (() => void) | undefined

  ring(): void {
    this.#rang = true
    this.#listener?.()
  }

  next(ms: number, signal?: AbortSignal): Promise<void> {
    if (this.#rang || ms <= 0 || signal?.aborted) return this.#answer()
    return new Promise<void>((resolve) => {
      const timer = setTimeout(() => this.#listener?.(), ms)
      const done = () => this.#listener?.()
      this.#listener = () => {
        this.#listener = undefined
        clearTimeout(timer)
        signal?.removeEventListener('abort', done)
        resolve(this.#answer())
      }
      signal?.addEventListener('abort', done)
    })
  }

  async #answer(): Promise<void> {
    this.#rang = false
  }
}

function remove(watchers: Map<string, Set<Bell>>, id: string, bell: Bell): void {
  const bells = watchers.get(id)
  bells?.delete(bell)
  if (bells?.size === 0) watchers.delete(id)
}
