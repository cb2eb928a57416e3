import { createHash, randomInt, randomUUID } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import pg from 'pg'
import type { Query, Run } from '../statement.ts'
import { type Connection, type Engine, StorageUnavailable } from './engine.ts'

const connectionsMax = 16
const attemptsMax = 5
const chains = 64
const channel = 'countersign'
/** held, shared, by every server that runs; any number that nobody else locks in this database */
export const serverLock = 7_266_002
const untoldMax = 10_000
/** serialization failure, deadlock: the unit is run again */
const retriable = new Set(['40001', '40P01'])

// Counters, times and lengths all fit a double; pg hands out bigint as text otherwise.
const types: pg.CustomTypesConfig = {
  getTypeParser: (oid: number, format?: 'text' | 'binary') =>
    oid === pg.types.builtins.INT8 ? Number : pg.types.getTypeParser(oid, format as 'text'),
}

/** PostgreSQL (or a database that speaks its protocol): READ COMMITTED, one short transaction a unit, a pool of 16. */
export function openPostgres(url: string, onError: (error: Error) => void): Engine {
  const pool = new pg.Pool({
    connectionString: url,
    max: connectionsMax,
    types,
    connectionTimeoutMillis: 5_000,
    options:
      '-c lock_timeout=10s -c idle_in_transaction_session_timeout=60s -c default_transaction_isolation=read\\ committed',
  })
  pool.on('error', onError) // an idle connection that breaks would end the process otherwise
  pool.on('connect', (client) => client.on('error', onError)) // and so would one that breaks under a unit
  const connections = new WeakMap<pg.PoolClient, Connection>()
  const channelClient = new Channel(url, onError)

  return {
    dialect: 'postgres',
    read: (query) => reached(() => runner(pool)(query)),
    snapshot: (work) => snapshot(pool, work),
    unit: (work) => withRetries(() => transaction(pool, connections, work)),
    publish: (messages) => channelClient.publish(messages),
    subscribe: (listener) => channelClient.subscribe(listener),
    async close() {
      await channelClient.close()
      await pool.end()
    },
  }
}

async function transaction<T>(
  pool: pg.Pool,
  connections: WeakMap<pg.PoolClient, Connection>,
  work: (connection: Connection) => Promise<T>,
): Promise<T> {
  const client = await pool.connect()
  let broken: Error | undefined
  try {
    await client.query('BEGIN')
    const result = await work(connectionOf(client, connections))
    const { command } = await client.query('COMMIT')
    // PostgreSQL answers COMMIT with ROLLBACK, and no error, when a statement had failed and someone swallowed it.
    if (command !== 'COMMIT') throw new StorageUnavailable('The transaction was rolled back.')
    return result
  } catch (error) {
    await client.query('ROLLBACK').catch((failure: Error) => {
      broken = failure
    })
    throw error
  } finally {
    client.release(broken)
  }
}

async function snapshot<T>(pool: pg.Pool, work: (run: Run) => Promise<T>): Promise<T> {
  const client = await reached(() => pool.connect())
  let broken: Error | undefined
  try {
    await reached(() => client.query('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY'))
    await reached(() => client.query('SET LOCAL idle_in_transaction_session_timeout = 0'))
    return await work((query) => reached(() => runner(client)(query)))
  } finally {
    await client.query('ROLLBACK').catch((failure: Error) => {
      broken = failure
    })
    client.release(broken)
  }
}

/** What the database says; that it says nothing becomes StorageUnavailable. */
async function reached<T>(asked: () => Promise<T>): Promise<T> {
  try {
    return await asked()
  } catch (error) {
    throw isUnavailable(error) ? unavailable(error) : error
  }
}

async function withRetries<T>(attempt: () => Promise<T>): Promise<T> {
  for (let tries = 1; ; tries++) {
    try {
      return await attempt()
    } catch (error) {
      if (retriable.has(codeOf(error)) && tries < attemptsMax) await delay(randomInt(2, 10 * tries))
      else throw isUnavailable(error) || retriable.has(codeOf(error)) ? unavailable(error) : error
    }
  }
}

function connectionOf(client: pg.PoolClient, known: WeakMap<pg.PoolClient, Connection>): Connection {
  const existing = known.get(client)
  if (existing) return existing
  const connection = { run: runner(client), chain: randomInt(chains) }
  known.set(client, connection)
  return connection
}

function runner(client: pg.Pool | pg.PoolClient): Run {
  return async <Row>(query: Query<Row>) => {
    const { sql, parameters } = query.compile('postgres')
    const result = await client.query({ name: nameOf(sql), text: sql, values: [...parameters] })
    return result.rows as Row[]
  }
}

const names = new Map<string, string>()

/** A named statement is parsed and planned once a connection. Texts of varying shape (long lists) stay unnamed. */
function nameOf(sql: string): string | undefined {
  if (sql.length > 4_000) return undefined
  let name = names.get(sql)
  if (!name && names.size < 500) {
    name = createHash('sha256').update(sql).digest('base64url').slice(0, 20)
    names.set(sql, name)
  }
  return name
}

/** LISTEN and NOTIFY on a connection of their own, so that no unit waits for PostgreSQL's global notification lock. */
class Channel {
  readonly #url: string
  readonly #onError: (error: Error) => void
  readonly #name = randomUUID()
  #listener: ((message: string | undefined) => void) | undefined
  #client: pg.Client | undefined
  #waiting = new Set<string>()
  #sending = false
  #closed = false

  constructor(url: string, onError: (error: Error) => void) {
    this.#url = url
    this.#onError = onError
  }

  subscribe(listener: (message: string | undefined) => void): void {
    this.#listener = listener
    void this.#connect()
  }

  publish(messages: string[]): void {
    for (const message of messages) if (this.#waiting.size < untoldMax) this.#waiting.add(message)
    void this.#send()
  }

  async close(): Promise<void> {
    this.#closed = true
    await this.#client?.end().catch(() => {}) // already gone
  }

  async #connect(): Promise<void> {
    for (let waitMs = 100; !this.#closed; waitMs = Math.min(waitMs * 2, 5_000)) {
      try {
        return await this.#open()
      } catch (error) {
        this.#onError(error as Error)
        await delay(waitMs, undefined, { ref: false })
      }
    }
  }

  async #open(): Promise<void> {
    const client = new pg.Client({ connectionString: this.#url, connectionTimeoutMillis: 5_000, keepAlive: true })
    client.on('error', (error) => this.#onError(error))
    client.on('notification', ({ payload }) => {
      const [sender, ...messages] = payload?.split(' ') ?? []
      if (sender === this.#name) return // this process knows already
      for (const message of messages) this.#listener?.(message)
    })
    try {
      await client.connect()
      await client.query(`LISTEN ${channel}`)
      await client.query(`SELECT pg_try_advisory_lock_shared(${serverLock})`) // until the connection ends
    } catch (error) {
      void client.end().catch(() => {}) // it did not connect, or is gone again
      throw error
    }
    if (this.#closed) return client.end()
    // Not before: one that never listened ends, too, and whoever opened it tries again already.
    client.on('end', () => {
      this.#client = undefined
      if (!this.#closed) void this.#connect()
    })
    this.#client = client
    this.#listener?.(undefined) // whatever was said while we were away
    void this.#send()
  }

  /** What cannot be told now is told once we are connected again. */
  async #send(): Promise<void> {
    if (this.#sending) return
    this.#sending = true
    while (this.#client && this.#waiting.size > 0) {
      const batch = [...this.#waiting].slice(0, 150) // 150 ids of 40 characters stay below NOTIFY's 8,000 bytes
      for (const message of batch) this.#waiting.delete(message)
      try {
        await this.#client.query('SELECT pg_notify($1, $2)', [channel, [this.#name, ...batch].join(' ')])
      } catch (error) {
        this.#onError(error as Error)
        for (const message of batch) this.#waiting.add(message)
        break
      }
    }
    this.#sending = false
  }
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : ''
}

// What pg says without a code.
const driverFailures =
  /timeout (exceeded|expired)|Connection terminated|Client (has encountered|was closed)|Cannot use a pool/

/** Connection failures (class 08), shutdowns (57), too many connections, full disks (53), a standby (25006), time-outs. */
function isUnavailable(error: unknown): boolean {
  if (error instanceof StorageUnavailable) return false
  const code = codeOf(error)
  if (/^(08|53|57|58|25006|25P03|55P03)/.test(code) || /^E[A-Z]+$/.test(code)) return true
  return error instanceof Error && driverFailures.test(error.message)
}

function unavailable(cause: unknown): StorageUnavailable {
  return new StorageUnavailable('The database cannot be reached.', { cause })
}
