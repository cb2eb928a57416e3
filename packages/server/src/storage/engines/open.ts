import { mkdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { type Engine, StorageUnavailable } from './engine.ts'
import { openPostgres } from './postgres.ts'
import { isBusy, openSqlite } from './sqlite.ts'

export interface EngineOptions {
  /** directory of the embedded database */
  data: string
  /** `sqlite` or a postgres:// URL */
  database: string
  /** how long a unit waits for another process on the embedded database */
  busyWaitMs: number
  onError(error: Error): void
  /** told how many units one commit of the embedded database made durable */
  onCommit?: (units: number) => void
}

/** Opens the configured database; an embedded one is created where there is none. */
export function openEngine({ data, database, onError, ...options }: EngineOptions): Engine {
  if (database !== 'sqlite') return openPostgres(database, onError)
  mkdirSync(data, { recursive: true, mode: 0o700 })
  return openSqlite(fileIn(data), options)
}

/** Whether opening would create an embedded database. */
export function isMissing({ data, database }: Pick<EngineOptions, 'data' | 'database'>): boolean {
  return database === 'sqlite' && !statSync(fileIn(data), { throwIfNoEntry: false })?.size
}

/**
 * Makes this process the one server of an embedded database, until it ends in whatever way: an open transaction on a
 * database file of its own, which the operating system gives up with the process. Throws when another server holds it.
 */
export function holdServerLock(data: string): { release(): void } {
  mkdirSync(data, { recursive: true, mode: 0o700 })
  const lock = new DatabaseSync(join(data, 'serve.lock'))
  try {
    lock.exec('PRAGMA busy_timeout=0; BEGIN EXCLUSIVE')
  } catch (cause) {
    lock.close()
    if (!isBusy(cause)) throw cause
    throw new StorageUnavailable(`Another server is running on ${data}.`, { cause })
  }
  return { release: () => lock.close() }
}

function fileIn(data: string): string {
  return join(data, 'countersign.sqlite')
}
