import { randomBytes } from 'node:crypto'
import { type Logger, pino } from 'pino'
import type { App } from './app.ts'
import { type Config, ConfigError, readConfig } from './config.ts'
import { writeKeyUses } from './core/key-uses.ts'
import { openLimits } from './core/limits.ts'
import { openSecrets } from './core/secrets.ts'
import { sweepOld, sweepSessions } from './core/sweeper.ts'
import { openPolls } from './core/sync.ts'
import { type Events, openEvents } from './events.ts'
import { adminRoutes } from './http/admin/routes.ts'
import { apiRoutes } from './http/api/routes.ts'
import { deviceRoutes } from './http/device/routes.ts'
import { startListener } from './http/server.ts'
import { holdServerLock, isMissing, openEngine } from './storage/engines/open.ts'
import { isInUse, openStorage, type Storage } from './storage/storage.ts'

// What the command line does on the server's own machine goes through these, as an operator.
export type { Actor } from './core/actors.ts'
export {
  createAdministrator,
  createSignInLink,
  findAdministrator,
  listAdministrators,
  updateAdministrator,
} from './core/administrators.ts'
export { noteHeads, verifyAudit } from './core/audit.ts'
export { createDomain } from './core/domains.ts'
export { ApiError } from './core/errors.ts'
export { type PskcKeys, readHardwareFile } from './core/hardware-files/index.ts'
export { importHardwareTokens } from './core/hardware-import.ts'
export { createApiKey, listApiKeys, revokeApiKey, rotateApiKey } from './core/managed-api-keys.ts'
export { addMember } from './core/members.ts'
export { createOrganization, hasOrganizations, operatorOf } from './core/organizations.ts'
export { createToken } from './core/tokens.ts'
export { importUsers, readUserFile } from './core/user-import.ts'
export { createUser } from './core/users.ts'
export { type App, type Config, ConfigError, readConfig }

/** What a test puts in the place of the world outside. */
export interface World {
  now?: () => number
  random?: App['random']
  log?: Logger
  /** how long the server waits for another process that writes to its embedded database */
  busyWaitMs?: number
  /** wraps the storage, to make it fail */
  storage?: (storage: Storage) => Storage
}

export interface Opened {
  app: App
  close(): Promise<void>
}

const serverWaitMs = 5_000
const commandWaitMs = 10_000
const sessionSweepMs = 10_000
const oldSweepMs = 60_000
const keyUsesMs = 60_000

/** Opens the database and the keys for a short command beside a running server, or instead of one. */
export function openForCommand(config: Config, world: World = {}): Promise<Opened> {
  // A command neither waits for events nor tells of its own: the server sees foreign commits by itself.
  return openApp(config, world, { busyWaitMs: commandWaitMs, events: silent })
}

/** The same for a command that needs an organization: throws where there is none yet, and creates nothing. */
export function openExisting(config: Config, world: World = {}): Promise<Opened> {
  return openApp(config, world, { busyWaitMs: commandWaitMs, events: silent, existing: true })
}

/** A running server. */
export interface Server {
  app: App
  /** Answers what is under way, ends what waits, and closes the database. */
  stop(): Promise<void>
}

/** Starts both listeners and the sweeper. Refuses to be the second server on an embedded database. */
export async function startServer(config: Config, world: World = {}): Promise<Server> {
  const log = world.log ?? pino({ level: config.logLevel }, pino.destination(2))
  // Before the database: a second server, perhaps a newer one, must not touch what the first is working on.
  const lock = config.database === 'sqlite' ? holdServerLock(config.data) : undefined
  try {
    return await serve(config, { ...world, log }, lock)
  } catch (error) {
    lock?.release()
    throw error
  }
}

async function serve(config: Config, world: World & { log: Logger }, lock?: { release(): void }): Promise<Server> {
  const { log, busyWaitMs = serverWaitMs } = world
  const opened = await openApp(config, world, { busyWaitMs, events: openEvents })
  const { app } = opened
  try {
    for (const name of config.unknown) log.warn({ name }, 'there is no such setting; see docs/configuration.md')
    await warnOfOtherOrigins(app)
    const listeners = await startListeners(app)
    const timers = startSweeper(app)
    return {
      app,
      async stop() {
        for (const timer of timers) clearInterval(timer)
        app.events.stop()
        await Promise.all(listeners.map((listener) => listener.close()))
        await writeKeyUses(app).catch((error) => log.warn({ err: error }, 'the last uses of API keys are lost'))
        await opened.close()
        lock?.release()
      },
    }
  } catch (error) {
    await opened.close()
    throw error
  }
}

async function openApp(
  config: Config,
  world: World,
  { busyWaitMs, events, existing }: { busyWaitMs: number; events: (storage: Storage) => Events; existing?: boolean },
): Promise<Opened> {
  if (existing && isMissing(config)) throw nothingThere(config)
  const log = world.log ?? pino({ level: 'silent' })
  const now = world.now ?? Date.now
  const onError = (error: Error) => log.warn({ error: error.message }, 'a database connection failed')
  const engine = openEngine({ data: config.data, database: config.database, busyWaitMs, onError })
  try {
    if (existing && !(await isInUse(engine))) throw nothingThere(config)
    const opened = await openStorage(engine)
    const storage = world.storage?.(opened) ?? opened
    const app: App = {
      config,
      storage,
      secrets: await openSecrets(opened, config.keyring, now()),
      events: events(storage),
      limits: openLimits(now),
      keyUses: new Map(),
      publicKeys: new Map(),
      polls: openPolls(),
      now,
      random: world.random ?? ((bytes) => new Uint8Array(randomBytes(bytes))),
      log,
    }
    return { app, close: () => storage.close() }
  } catch (error) {
    await engine.close()
    throw error
  }
}

function nothingThere({ data, database }: Config): ConfigError {
  const place = database === 'sqlite' ? `the data directory ${data}` : 'the PostgreSQL database'
  return new ConfigError(
    `There is no organization in ${place}. Set COUNTERSIGN_DATA and COUNTERSIGN_DATABASE to what the server has, ` +
      'or begin with: bin/countersign org create --name NAME',
  )
}

function silent(): Events {
  return openEvents({ publish() {}, subscribe() {} })
}

/** Both, or none: the one that did start is closed again when the other cannot. */
async function startListeners(app: App) {
  const routes = [...apiRoutes, ...adminRoutes]
  const api = await startListener({ kind: 'api', app, listen: app.config.apiListen, routes })
  try {
    const device = await startListener({ kind: 'device', app, listen: app.config.deviceListen, routes: deviceRoutes })
    return [api, device]
  } catch (error) {
    await api.close()
    throw error
  }
}

function startSweeper(app: App): NodeJS.Timeout[] {
  const every = (ms: number, sweep: (app: App) => Promise<void>) => {
    let running = false
    return setInterval(async () => {
      if (running) return
      running = true
      try {
        await sweep(app)
      } catch (error) {
        app.log.warn({ err: error }, 'a sweep failed and will be tried again')
      }
      running = false
    }, ms).unref()
  }
  return [every(sessionSweepMs, sweepSessions), every(oldSweepMs, sweepOld), every(keyUsesMs, writeKeyUses)]
}

/** Phones sign for the origin they were activated under; under another one they cannot answer. */
async function warnOfOtherOrigins(app: App): Promise<void> {
  const phones = await app.storage.tokens.countOtherOrigins(app.config.deviceUrl)
  if (phones === 0) return
  const message = `${phones} active tokens are bound to another device origin than ${app.config.deviceUrl}: they cannot answer.`
  app.log.warn({ phones, deviceUrl: app.config.deviceUrl }, message)
}
