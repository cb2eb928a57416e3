import { randomBytes } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import type { Logger } from 'pino'
import type { App, WebPush } from './app.ts'
import { type Config, ConfigError, readConfig } from './config.ts'
import { type Backup, createBackup, type Restored, restoreBackup } from './core/backups.ts'
import { openSecrets, reloadMs } from './core/data-keys.ts'
import { writeKeyUses } from './core/key-uses.ts'
import { openLimits } from './core/limits.ts'
import { openPolls } from './core/polls.ts'
import { openPushes } from './core/push-queue.ts'
import type { Secrets } from './core/secrets.ts'
import { sweepOld, sweepSessions } from './core/sweeper.ts'
import { prepareVapidKey } from './core/vapid-keys.ts'
import { internet, type Network } from './delivery/network.ts'
import { openWebPush } from './delivery/web-push.ts'
import { type Events, openEvents } from './events.ts'
import { startFronts } from './http/fronts.ts'
import { openLog } from './log.ts'
import { type Metrics, openMetrics } from './metrics.ts'
import { backups } from './storage/backups.ts'
import { type EngineOptions, holdServerLock, isMissing, openEngine } from './storage/engines/open.ts'
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
export { noteRestored } from './core/backups.ts'
export { createDomain } from './core/domains.ts'
export { ApiError } from './core/errors.ts'
export { type PskcKeys, readHardwareFile } from './core/hardware-files/index.ts'
export { importHardwareTokens } from './core/hardware-import.ts'
export { type Rotation, type RotationStep, rotateKeys } from './core/key-rotation.ts'
export { dropOldKeys, type KeyList, listKeys, rotateKeyring } from './core/keyring-rotation.ts'
export { createApiKey, listApiKeys, revokeApiKey, rotateApiKey } from './core/managed-api-keys.ts'
export { addMember } from './core/members.ts'
export * from './core/operator.ts'
export { createOrganization, hasOrganizations, operatorOf } from './core/organizations.ts'
export { createToken } from './core/tokens.ts'
export { importUsers, readUserFile } from './core/user-import.ts'
export { createUser } from './core/users.ts'
export { rotateVapidKey, type VapidRotation } from './core/vapid-keys.ts'
export { type App, type Config, ConfigError, readConfig }

/** What a test puts in the place of the world outside. */
export interface World {
  now?: () => number
  random?: App['random']
  wait?: App['wait']
  /** what pushes find there */
  network?: Pick<Network, 'resolve' | 'dial'>
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

/** A file, and whom to tell how many rows are done. */
interface BackupInput {
  file: string
  onRows(rows: number, table: string): void
}

/** Writes a backup of the database as it is: it is not migrated first, and its keys are not needed. Creates none. */
export async function backUp(config: Config, { file, onRows }: BackupInput): Promise<Backup> {
  if (isMissing(config)) throw nothingThere(config)
  const engine = openEngineFor(config)
  try {
    if (!(await isInUse(engine))) throw nothingThere(config)
    return await createBackup(backups(engine), { file, onRows, now: Date.now })
  } finally {
    await engine.close()
  }
}

/** Fills an empty database from a backup. Refused while a server is running on it. */
export async function restore(config: Config, { file, onRows }: BackupInput): Promise<Restored> {
  const lock = config.database === 'sqlite' ? holdServerLock(config.data) : undefined
  const engine = openEngineFor(config)
  try {
    return await restoreBackup(backups(engine), { file, onRows, keyring: config.keyring })
  } finally {
    await engine.close()
    lock?.release()
  }
}

/** A running server. */
export interface Server {
  app: App
  /** Tells load balancers that it is going down, and goes on answering for COUNTERSIGN_DRAIN_SECONDS. */
  drain(): Promise<void>
  /** Reads the certificates again; what cannot be used is logged, and the old ones stay. */
  reloadCertificates(): Promise<void>
  /** Answers what is under way, ends what waits, and closes the database. */
  stop(): Promise<void>
}

/** Starts the listeners and the sweeper. Refuses to be the second server on an embedded database. */
export async function startServer(config: Config, world: World = {}): Promise<Server> {
  const log = world.log ?? openLog(config.logLevel)
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
    await prepareVapidKey(app)
    tellOfPushes(app)
    const fronts = await startFronts(app)
    const timers = startSweeper(app)
    return {
      app,
      drain: fronts.drain,
      reloadCertificates: fronts.reloadCertificates,
      async stop() {
        for (const timer of timers) clearInterval(timer)
        app.events.stop()
        await fronts.close()
        await app.pushes.stop()
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
  const log = world.log ?? openLog('silent')
  const now = world.now ?? Date.now
  const wait = world.wait ?? waitUnheld
  const onError = (error: Error) => log.warn({ err: error }, 'a database connection failed')
  const metrics = openMetrics()
  const onCommit = (units: number) => metrics.observe('countersign_commit_units', {}, units)
  const engine = openEngineFor(config, { busyWaitMs, onError, onCommit })
  let reloading: NodeJS.Timeout | undefined
  try {
    if (existing && !(await isInUse(engine))) throw nothingThere(config)
    const opened = measured(await openStorage(engine), metrics)
    const storage = world.storage?.(opened) ?? opened
    const secrets = await openSecrets(opened, { keyring: config.keyring, now })
    reloading = reloadRegularly(secrets, log)
    const app: App = {
      config,
      storage,
      secrets,
      events: events(storage),
      limits: openLimits(now),
      keyUses: new Map(),
      publicKeys: new Map(),
      polls: openPolls(),
      delivery: { webPush: webPushFor(config, { ...internet, ...world.network, wait }) },
      pushes: openPushes({ wait }),
      metrics,
      now,
      wait,
      random: world.random ?? ((bytes) => new Uint8Array(randomBytes(bytes))),
      log,
    }
    metrics.gauge('countersign_polls_pending', () => app.polls.open)
    metrics.gauge('countersign_pushes_open', () => app.pushes.open)
    metrics.gauge('countersign_session_reads_waiting', () => app.events.watching - app.polls.open)
    const close = () => {
      clearInterval(reloading)
      return storage.close()
    }
    return { app, close }
  } catch (error) {
    clearInterval(reloading)
    await engine.close()
    throw error
  }
}

function openEngineFor({ data, database }: Config, options: Partial<EngineOptions> = {}) {
  return openEngine({ data, database, busyWaitMs: commandWaitMs, onError() {}, ...options })
}

function webPushFor({ pushContact, pushHosts, deviceUrl }: Config, network: Network): WebPush | undefined {
  return pushContact === undefined
    ? undefined
    : openWebPush({ contact: pushContact, hosts: pushHosts, deviceUrl, network })
}

/** Whoever wonders why a phone stays silent looks here first; nobody does on the first try on the own machine. */
function tellOfPushes({ config: { pushContact, deviceUrl }, log }: App): void {
  if (pushContact !== undefined) log.info({ pushContact }, 'requests are pushed to authenticators')
  else if (deviceUrl.startsWith('https:'))
    log.info('no pushes: authenticators hear of requests while they are open; see COUNTERSIGN_PUSH_CONTACT')
}

/** A wait that keeps no process alive. */
async function waitUnheld(ms: number, signal: AbortSignal): Promise<void> {
  await delay(ms, undefined, { ref: false, signal }).catch(() => {
    // It was ended before its time, and is over, too.
  })
}

/** Others add keys. Who does not learn of them encrypts nothing after a while: a person must see why. */
function reloadRegularly(secrets: Secrets, log: Logger): NodeJS.Timeout {
  const onError = (error: Error) => log.error({ alarm: 'keys.unreadable', error: error.message }, unreadable)
  return setInterval(() => void secrets.reload().catch(onError), reloadMs).unref()
}

const unreadable = 'the data keys cannot be read; without them nothing is encrypted soon, and logins fail on this node'

/** Units of work take their time: in the queue, in the database, until they are durable. */
function measured(storage: Storage, metrics: Metrics): Storage {
  return {
    ...storage,
    async transaction(work) {
      const began = performance.now()
      let result = 'failed'
      try {
        const value = await storage.transaction(work)
        result = 'committed'
        return value
      } finally {
        const seconds = (performance.now() - began) / 1_000
        metrics.observe('countersign_transaction_duration_seconds', { result }, seconds)
      }
    },
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
  const { deviceUrl } = app.config
  const { phones, platform } = await app.storage.tokens.countOtherOrigins(deviceUrl)
  if (phones === 0) return
  const message =
    `${phones} active tokens are bound to another device origin than ${deviceUrl}: they cannot answer. ` +
    `${platform} of them are unlocked by a credential that browsers keep for that origin alone.`
  app.log.warn({ phones, platform, deviceUrl }, message)
}
