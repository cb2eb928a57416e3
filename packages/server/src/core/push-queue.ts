import type { App } from '../app.ts'

/**
 * The pushes of this node: not too many at once, and none that outlives the server. Each push service has room and connections
 * of its own, so that one which is slow or does not answer keeps nobody waiting but its own phones. There are as many services as
 * names in the list of those that are allowed, whatever hosts phones think of.
 */
export interface Pushes {
  /** how many wait or are being sent */
  readonly open: number
  /** aborts when the server goes down: what waits gives up */
  readonly stopping: AbortSignal
  /** Runs work that never throws. False when its service has too much of it already, or the server goes down. */
  begin(service: string, work: () => Promise<void>): boolean
  /** Waits for one of the connections to the service; undefined when the server goes down meanwhile. */
  send<T>(service: string, work: (connection: Connection) => Promise<T>): Promise<T | undefined>
  /** What waits is dropped; what is being sent has so many seconds left. */
  stop(): Promise<void>
}

interface Connection {
  /** aborts when it must be given up */
  signal: AbortSignal
  /** whether all were taken, so that this one had to be waited for */
  waited: boolean
}

/** What one push service has. */
interface Line {
  open: number
  /** taken, or waited for */
  connections: number
  queue: (() => void)[]
}

/** A push that waits costs some kilobytes. */
const openMax = 2_000
const connectionsMax = 50
const stopMs = 5_000

export function openPushes({ wait }: Pick<App, 'wait'>): Pushes {
  const running = new Set<Promise<void>>()
  const stopping = new AbortController()
  const ended = new AbortController()
  const lines = new Map<string, Line>()

  function lineOf(service: string): Line {
    const line = lines.get(service) ?? { open: 0, connections: 0, queue: [] }
    lines.set(service, line)
    return line
  }

  return {
    get open() {
      return running.size
    },
    stopping: stopping.signal,
    begin(service, work) {
      const line = lineOf(service)
      if (stopping.signal.aborted || line.open >= openMax) return false
      line.open++
      const run = work().finally(() => {
        line.open--
        running.delete(run)
      })
      running.add(run)
      return true
    },
    async send(service, work) {
      const line = lineOf(service)
      const waited = line.connections++ >= connectionsMax
      if (waited) await new Promise<void>((resolve) => line.queue.push(resolve))
      try {
        return stopping.signal.aborted ? undefined : await work({ signal: ended.signal, waited })
      } finally {
        line.connections--
        line.queue.shift()?.()
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
