import type { Dialect, Run } from '../statement.ts'

/**
 * What differs between databases. A unit of work is atomic, durable before its promise resolves, and may be run again
 * from the start after a deadlock: it must have no effect but its statements.
 */
export interface Engine {
  readonly dialect: Dialect
  /** Reads committed rows; sees every unit whose promise has resolved. */
  read: Run
  /** Runs the work on one view of the committed rows that does not change meanwhile. Nothing waits for it, however long it takes. */
  snapshot<T>(work: (run: Run) => Promise<T>): Promise<T>
  /** Runs the work atomically. Rejects with what the work threw (rolled back), or with StorageUnavailable. */
  unit<T>(work: (connection: Connection) => Promise<T>): Promise<T>
  /** Tells the other processes on this database; after the commit, best effort, short messages only. */
  publish(messages: string[]): void
  /** Calls back with messages of other processes; `undefined` means some may have been missed. */
  subscribe(listener: (message: string | undefined) => void): void
  close(): Promise<void>
}

export interface Connection {
  run: Run
  /** the audit chain that this connection writes to */
  chain: number
}

/** The database could not be reached, is full, or did not answer in time. Nothing is known to have happened. */
export class StorageUnavailable extends Error {}

/** For long units: lets other work on this thread go on now and then. */
export function breather(everyMs = 20): () => Promise<void> {
  let resumed = performance.now()
  return async () => {
    if (performance.now() - resumed < everyMs) return
    await new Promise((resolve) => setImmediate(resolve))
    resumed = performance.now()
  }
}
