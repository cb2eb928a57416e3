import type { App } from '../app.ts'

/** The pushes of this node: not too many at once, and none that outlives the server. */
export interface Pushes {
  /** how many wait or are being sent */
  readonly open: number
  /** aborts when the server goes down: what waits gives up */
  readonly stopping: AbortSignal
  /** Runs work that never throws. False when there is too much of it already, or the server goes down. */
  begin(work: () => Promise<void>): boolean
  /** Waits for one of the connections that pushes may have; undefined when the server goes down meanwhile. */
  send<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T | undefined>
  /** What waits is dropped; what is being sent has so many seconds left. */
  stop(): Promise<void>
}

/** A push that waits costs some kilobytes. */
const openMax = 10_000
const connectionsMax = 50
const stopMs = 5_000

export function openPushes({ wait }: Pick<App, 'wait'>): Pushes {
  const running = new Set<Promise<void>>()
  const stopping = new AbortController()
  const ended = new AbortController()
  const queue: (() => void)[] = []
  let connections = 0

  async function connection(): Promise<void> {
    if (connections++ < connectionsMax) return
    await new Promise<void>((resolve) => queue.push(resolve))
  }
  function release(): void {
    connections--
    queue.shift()?.()
  }

  return {
    get open() {
      return running.size
    },
    stopping: stopping.signal,
    begin(work) {
      if (stopping.signal.aborted || running.size >= openMax) return false
      const run = work().finally(() => running.delete(run))
      running.add(run)
      return true
    },
    async send(work) {
      await connection()
      try {
        return stopping.signal.aborted ? undefined : await work(ended.signal)
      } finally {
        release()
      }
    },
    async stop() {
      stopping.abort()
      const all = Promise.all(running)
      const done = new AbortController()
      await Promise.race([all, wait(stopMs, done.signal)])
      done.abort()
      ended.abort()
      await all
    },
  }
}
