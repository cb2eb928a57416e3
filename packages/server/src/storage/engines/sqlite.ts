import { DatabaseSync, type SQLInputValue, type StatementSync } from 'node:sqlite'
import { setTimeout as delay } from 'node:timers/promises'
import type { Query, Run } from '../statement.ts'
import { type Connection, type Engine, StorageUnavailable } from './engine.ts'

interface Options {
  /** how long to wait for another process's transaction */
  busyWaitMs: number
  /** told how many units a commit made durable */
  onCommit?: (units: number) => void
}

interface Waiting {
  start(connection: Connection): Promise<Settle>
  fail(error: Error): void
}

/** Tells the caller of a unit how it ended, once that is durable. */
type Settle = () => void

const unitsPerCommitMax = 512
const changePollMs = 200

/** The embedded engine: one writer connection whose commits are shared by all units waiting at a moment, one for reading. */
export function openSqlite(file: string, options: Options): Engine {
  const writer = new DatabaseSync(file)
  // FULL: a commit is on the disk before it returns. A busy_timeout would freeze the event loop; waiting is done by timer.
  useWriteAheadLog(writer, options.busyWaitMs)
  writer.exec('PRAGMA synchronous=FULL; PRAGMA busy_timeout=0')
  const reader = new DatabaseSync(file, { readOnly: true })
  reader.exec('PRAGMA busy_timeout=1000')
  const connection = { run: runner(writer), chain: 0 }
  const queue: Waiting[] = []
  let draining: Promise<void> | undefined
  let watch: NodeJS.Timeout | undefined

  async function drain(): Promise<void> {
    await new Promise((resolve) => setImmediate(resolve)) // let requests that arrived together share a commit
    while (queue.length > 0) await commitGroup(writer, connection, queue, options)
    draining = undefined
  }

  return {
    dialect: 'sqlite',
    read: runner(reader),
    async snapshot(work) {
      const own = new DatabaseSync(file, { readOnly: true })
      try {
        own.exec('PRAGMA busy_timeout=1000; BEGIN') // the first statement fixes what all of them see
        return await work(runner(own))
      } finally {
        own.close()
      }
    },
    unit: (work) =>
      new Promise((resolve, reject) => {
        queue.push({ start: (open) => attempt(writer, () => work(open), resolve, reject), fail: reject })
        draining ??= drain()
      }),
    publish() {},
    subscribe(listener) {
      watch ??= watchForeignCommits(writer, listener)
    },
    async close() {
      await draining
      clearInterval(watch)
      reader.close()
      writer.close()
    },
  }
}

/** Several processes may meet a new file at once, and SQLite's own wait does not cover this change. At the start nothing is kept waiting. */
function useWriteAheadLog(db: DatabaseSync, waitMs: number): void {
  const clock = new Int32Array(new SharedArrayBuffer(4))
  for (const deadline = performance.now() + waitMs; ; Atomics.wait(clock, 0, 0, 20)) {
    try {
      db.exec('PRAGMA journal_mode=WAL')
      return
    } catch (error) {
      if (!isBusy(error) || performance.now() > deadline) throw error
    }
  }
}

/** On our only writing connection data_version changes when somebody else commits: a command line beside the server. */
function watchForeignCommits(writer: DatabaseSync, listener: (message: undefined) => void): NodeJS.Timeout {
  const version = writer.prepare('PRAGMA data_version')
  let last = version.get()?.data_version
  return setInterval(() => {
    const current = version.get()?.data_version
    if (current !== last) listener(undefined)
    last = current
  }, changePollMs).unref()
}

async function commitGroup(
  db: DatabaseSync,
  connection: Connection,
  queue: Waiting[],
  options: Options,
): Promise<void> {
  try {
    await begin(db, options.busyWaitMs)
  } catch (error) {
    for (const unit of queue.splice(0)) unit.fail(unavailable(error))
    return
  }
  const started: Waiting[] = []
  const settled: Settle[] = []
  try {
    for (let unit = queue.shift(); unit; unit = started.length < unitsPerCommitMax ? queue.shift() : undefined) {
      started.push(unit)
      settled.push(await unit.start(connection))
    }
    db.exec('COMMIT')
  } catch (error) {
    if (db.isTransaction) db.exec('ROLLBACK')
    for (const unit of started) unit.fail(unavailable(error))
    return
  }
  options.onCommit?.(started.length)
  for (const settle of settled) settle()
}

async function begin(db: DatabaseSync, waitMs: number): Promise<void> {
  for (const deadline = performance.now() + waitMs; ; await delay(1 + Math.random() * 4)) {
    try {
      return db.exec('BEGIN IMMEDIATE')
    } catch (error) {
      if (!isBusy(error) || performance.now() > deadline) throw error
    }
  }
}

/**
 * One unit between savepoints. Even its failure is told only after the commit: what it saw may be the uncommitted work of
 * the units before it.
 */
async function attempt<T>(
  db: DatabaseSync,
  work: () => Promise<T>,
  resolve: (value: T) => void,
  reject: (error: unknown) => void,
): Promise<Settle> {
  db.exec('SAVEPOINT unit')
  try {
    const value = await work()
    db.exec('RELEASE unit')
    return () => resolve(value)
  } catch (error) {
    if (!db.isTransaction) throw error // a full disk or an I/O error rolled everything back
    db.exec('ROLLBACK TO unit; RELEASE unit')
    return () => reject(error)
  }
}

function runner(db: DatabaseSync): Run {
  const prepared = new Map<string, StatementSync>()
  return async <Row>(query: Query<Row>) => {
    const { sql, parameters } = query.compile('sqlite')
    let statement = prepared.get(sql)
    if (!statement) {
      statement = db.prepare(sql)
      if (prepared.size < 500) prepared.set(sql, statement)
    }
    return statement.all(...(parameters as SQLInputValue[])) as Row[]
  }
}

/** Whether another process has what was asked for. */
export function isBusy(error: unknown): boolean {
  return error instanceof Error && 'errcode' in error && (Number(error.errcode) & 0xff) === 5
}

function unavailable(cause: unknown): StorageUnavailable {
  return new StorageUnavailable('The database could not take the change.', { cause })
}
