import { type ChildProcess, spawn } from 'node:child_process'
import { randomInt } from 'node:crypto'
import { once } from 'node:events'
import { connect } from 'node:net'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { type App, type Config, openForCommand, readConfig } from '../../src/main.ts'
import type { TestDatabase, TestEngine } from './engines.ts'
import { LeanClient } from './lean-client.ts'
import { type People, populate } from './people.ts'
import { type Front, realClock } from './server.ts'

/** `countersign serve` in a process of its own, by the real clock. It is named by its ports, which a restart keeps. */
export interface Node extends Front {
  /** Resolves once both listeners answer. */
  start(): Promise<void>
  /** Resolves when the process is gone. */
  kill(signal: NodeJS.Signals): Promise<void>
  /** the running process; undefined when there is none */
  readonly pid: number | undefined
  /** what the processes have written to standard error */
  readonly errors: string
}

/** Some nodes on one database, with two organizations in it. */
export interface Cluster extends People {
  nodes: Node[]
  database: TestDatabase
  /** settings of a command beside the servers */
  environment: Record<string, string>
  /** Runs short work on the database from this process, as the command line does from its own. */
  command<T>(work: (app: App) => Promise<T>): Promise<T>
  stop(): Promise<void>
}

const root = join(import.meta.dirname, '../../../..')
const startWaitMs = 30_000
const running = new Set<ChildProcess>()
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL')
})
// A signal alone would end this process without an exit event, and leave the servers running.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => process.exit(1))

/** Starts so many nodes on a new database. All have the device origin of the first: it is what phones are bound to. */
export async function startCluster(
  engine: TestEngine,
  { nodes = 1, settings = {} }: { nodes?: number; settings?: Record<string, string> } = {},
): Promise<Cluster> {
  const database = await engine.create()
  const environments: Record<string, string>[] = []
  for (let number = 0; number < nodes; number++) {
    environments.push({ ...(await environmentOf(database)), COUNTERSIGN_LOG_LEVEL: 'error', ...settings })
  }
  const [environment = {}] = environments
  const { deviceUrl } = readConfig(environment)
  for (const other of environments) other.COUNTERSIGN_DEVICE_URL = deviceUrl
  const command = <T>(work: (app: App) => Promise<T>) => commandOn(readConfig(environment), work)
  const people = await command(populate)
  const started = environments.map((own) => nodeOf(own, people))
  await Promise.all(started.map((node) => node.start()))
  return {
    ...people,
    nodes: started,
    database,
    environment,
    command,
    async stop() {
      await Promise.all(started.map((node) => node.kill('SIGTERM')))
      await database.drop()
    },
  }
}

/** Where a process on this database would listen: ports that no outgoing connection is ever given. */
export async function environmentOf(database: TestDatabase): Promise<Record<string, string>> {
  return {
    COUNTERSIGN_DATA: database.data,
    COUNTERSIGN_DATABASE: database.url,
    COUNTERSIGN_API_LISTEN: `127.0.0.1:${await steadyPort()}`,
    COUNTERSIGN_DEVICE_LISTEN: `127.0.0.1:${await steadyPort()}`,
    COUNTERSIGN_METRICS_LISTEN: 'off',
  }
}

/** A finished `countersign` command. */
export interface Finished {
  code: number | null
  output: string
  errors: string
}

/** Runs `countersign` with these arguments until it ends. */
export function runCommand(environment: Record<string, string>, ...args: string[]): Promise<Finished> {
  return runCommandWith('', environment, ...args)
}

/** The same with something on its standard input. */
export async function runCommandWith(
  input: string,
  environment: Record<string, string>,
  ...args: string[]
): Promise<Finished> {
  const child = spawnCountersign(environment, args)
  child.stdin?.on('error', () => {}) // it may end before it has read everything
  child.stdin?.end(input)
  const finished: Finished = { code: null, output: '', errors: '' }
  child.stdout?.on('data', (text) => {
    finished.output += text
  })
  child.stderr?.on('data', (text) => {
    finished.errors += text
  })
  const [code] = await once(child, 'close')
  return { ...finished, code }
}

function nodeOf(environment: Record<string, string>, people: People): Node {
  const config = readConfig(environment)
  const apiUrl = `http://127.0.0.1:${config.apiListen.port}`
  const api = new LeanClient(apiUrl)
  const device = new LeanClient(`http://127.0.0.1:${config.deviceListen.port}`)
  let child: ChildProcess | undefined
  let errors = ''
  return {
    acme: people.acme,
    apiUrl,
    deviceUrl: config.deviceUrl,
    clock: realClock,
    call(method, path, { key = people.acme.apiKey, body, headers } = {}) {
      const own: Record<string, string> = key === null ? {} : { authorization: `LoginTC key="${key}"` }
      return api.call(path, { method, headers: { ...own, ...headers }, ...textOf(body) })
    },
    device: (path, body, headers = {}) =>
      device.call(`/device/v1/${path}`, { method: 'POST', headers, ...textOf(body) }),
    get pid() {
      return child?.pid
    },
    get errors() {
      return errors
    },
    async start() {
      const starting = spawnCountersign(environment, ['serve'])
      starting.stderr?.on('data', (text) => {
        errors += text
      })
      await saysThatItRuns(starting, () => errors)
      child = starting
      await Promise.all([api.call('/api/ping', { method: 'GET' }), device.call('/device/v1/server', { method: 'GET' })])
    },
    async kill(signal) {
      const ending = child
      child = undefined
      if (!ending || ending.exitCode !== null || ending.signalCode !== null) return
      const gone = once(ending, 'exit')
      ending.kill(signal)
      await gone
    },
  }
}

function textOf(body: unknown): { body?: string } {
  if (body === undefined) return {}
  return { body: typeof body === 'string' ? body : JSON.stringify(body) }
}

/** Without a channel: a child that is forked stops by itself when its parent does, and that is not what operators run. */
export function spawnCountersign(environment: Record<string, string>, args: string[]): ChildProcess {
  const { PATH = '', NODE_COMPILE_CACHE = '' } = process.env
  const child = spawn(process.execPath, [join(root, 'bin/countersign'), ...args], {
    stdio: ['pipe', 'pipe', 'pipe'],
    env: { PATH, NODE_COMPILE_CACHE, ...environment },
  })
  running.add(child)
  child.on('exit', () => running.delete(child))
  return child
}

/** Resolves once `countersign serve` says so; rejects when it ends before. */
export async function saysThatItRuns(child: ChildProcess, errors: () => string): Promise<void> {
  const signal = AbortSignal.timeout(startWaitMs)
  const ended = once(child, 'close', { signal }).then(() => {
    throw new Error(`The server ended before it ran: ${errors()}`)
  })
  ended.catch(() => {}) // only of interest while nothing was said
  let said = ''
  while (!said.includes('is running')) {
    const [text] = await Promise.race([once(child.stdout ?? child, 'data', { signal }), ended])
    said += text
  }
}

async function commandOn<T>(config: Config, work: (app: App) => Promise<T>): Promise<T> {
  const { app, close } = await openForCommand(config)
  try {
    return await work(app)
  } finally {
    await close()
  }
}

/** Outgoing connections get theirs from 32768 on: one of them could take a port while its server is down. */
async function steadyPort(): Promise<number> {
  for (;;) {
    const port = randomInt(10_000, 32_768)
    const probe = connect(port, '127.0.0.1')
    const taken = await Promise.race([
      once(probe, 'connect').then(
        () => true,
        () => false,
      ),
      delay(1_000, true),
    ])
    probe.destroy()
    if (!taken) return port
  }
}
