import { createServer } from 'node:net'
import { openLog } from '../../src/log.ts'
import { type App, type Config, readConfig, type Server, startServer, type World } from '../../src/main.ts'
import type { Storage } from '../../src/storage/storage.ts'
import type { TestDatabase, TestEngine } from './engines.ts'
import { type People, populate } from './people.ts'

/** Stands still until a test moves it. */
export interface Clock {
  now(): number
  advance(ms: number): void
}

export interface Reply {
  status: number
  headers: Headers
  text: string
  // biome-ignore lint/suspicious/noExplicitAny: a test asserts the shape of what it got
  body: any
}

/** A real server on a real database, with the clock in the test's hand. */
export interface TestServer extends People {
  server: Server
  app: Server['app']
  config: Config
  clock: Clock
  database: TestDatabase
  apiUrl: string
  deviceUrl: string
  /** everything that was logged, parsed */
  logged: Record<string, unknown>[]
  /** A call of the REST API, with acme's key unless told otherwise; `key: null` sends none. */
  call(method: string, path: string, options?: Call): Promise<Reply>
  /** A call of the device API. */
  device(path: string, body: string | object, headers?: Record<string, string>): Promise<Reply>
  /** The next start is on the same database, as after a crash or an upgrade. */
  restart(): Promise<void>
  stop(): Promise<void>
}

/** What applications and devices need of a server, wherever it runs. */
export type Front = Pick<TestServer, 'acme' | 'apiUrl' | 'deviceUrl' | 'clock' | 'call' | 'device'>

export interface Call {
  key?: string | null
  body?: unknown
  headers?: Record<string, string>
}

export interface ServerOptions {
  settings?: Record<string, string>
  /** wraps the storage, to make it fail */
  storage?: (storage: Storage) => Storage
  /** where pushes go */
  network?: World['network']
  /** how long it waits for another process on an embedded database */
  busyWaitMs?: number
  /** on this database instead of a new one: a second node */
  database?: TestDatabase
  clock?: Clock & { wait?: App['wait'] }
  /** seeds nobody */
  empty?: boolean
}

/** 2027-01-15T08:00:00Z, a whole second. */
export const testEpoch = Date.UTC(2027, 0, 15, 8)

export function fixedClock(start = testEpoch): Clock {
  let time = start
  return {
    now: () => time,
    advance: (ms) => {
      time += ms
    },
  }
}

/** The machine's own, for tests of several processes. */
export const realClock: Clock = {
  now: Date.now,
  advance() {
    throw new Error('Nobody can move the real clock.')
  },
}

/** Starts a server with two organizations: acme with alice and bob, and another one with mallory. */
export async function startTestServer(engine: TestEngine, options: ServerOptions = {}): Promise<TestServer> {
  const database = options.database ?? (await engine.create())
  const clock: NonNullable<ServerOptions['clock']> = options.clock ?? fixedClock()
  const logged: Record<string, unknown>[] = []
  const log = openLog('trace', { write: (line) => void logged.push(JSON.parse(line)) })
  const config = readConfig(await environment(database, options.settings))
  const start = () =>
    startServer(config, {
      now: clock.now,
      log,
      ...(options.storage ? { storage: options.storage } : {}),
      ...(clock.wait ? { wait: clock.wait } : {}),
      ...(options.network ? { network: options.network } : {}),
      ...(options.busyWaitMs === undefined ? {} : { busyWaitMs: options.busyWaitMs }),
    })
  let server = await start()
  const people = options.empty ? ({} as People) : await populate(server.app)
  return {
    ...people,
    config,
    clock,
    database,
    logged,
    apiUrl: config.apiUrl,
    deviceUrl: config.deviceUrl,
    get server() {
      return server
    },
    get app() {
      return server.app
    },
    call: (method, path, call = {}) => callApi(config.apiUrl, people.acme?.apiKey, { method, path, ...call }),
    device: (path, body, headers) => callDevice(config.deviceUrl, path, body, headers),
    async restart() {
      await server.stop()
      server = await start()
    },
    async stop() {
      await server.stop()
      if (!options.database) await database.drop()
    },
  }
}

async function environment(database: TestDatabase, settings: Record<string, string> = {}) {
  return {
    COUNTERSIGN_DATA: database.data,
    COUNTERSIGN_DATABASE: database.url,
    COUNTERSIGN_API_LISTEN: `127.0.0.1:${await freePort()}`,
    COUNTERSIGN_DEVICE_LISTEN: `127.0.0.1:${await freePort()}`,
    COUNTERSIGN_METRICS_LISTEN: 'off',
    ...settings,
  }
}

async function callApi(
  url: string,
  ownKey: string | undefined,
  { method, path, key = ownKey ?? null, body, headers }: Call & { method: string; path: string },
): Promise<Reply> {
  const response = await fetch(`${url}${path}`, {
    method,
    headers: { ...(key === null ? {} : { authorization: `LoginTC key="${key}"` }), ...headers },
    ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
  })
  return replyOf(response)
}

async function callDevice(
  url: string,
  path: string,
  body: string | object,
  headers: Record<string, string> = {},
): Promise<Reply> {
  const text = typeof body === 'string' ? body : JSON.stringify(body)
  return replyOf(await fetch(`${url}/device/v1/${path}`, { method: 'POST', body: text, headers }))
}

async function replyOf(response: Response): Promise<Reply> {
  const bytes = Buffer.from(await response.arrayBuffer())
  const isImage = response.headers.get('content-type') === 'image/png'
  const text = bytes.toString()
  const body = isImage ? bytes : text === '' ? undefined : JSON.parse(text)
  return { status: response.status, headers: response.headers, text, body }
}

const portsGiven = new Set<number>()

/** A port that nobody listens on at the moment, another one each time: a server asks for two before it listens on either. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = await anyPort()
    if (portsGiven.has(port)) continue
    portsGiven.add(port)
    return port
  }
}

function anyPort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer()
    probe.once('error', reject)
    probe.listen(0, '127.0.0.1', () => {
      const address = probe.address()
      probe.close(() => resolve(typeof address === 'object' && address ? address.port : 0))
    })
  })
}
