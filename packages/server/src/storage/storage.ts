import { activations } from './activations.ts'
import { administratorSessions } from './administrator-sessions.ts'
import { administrators } from './administrators.ts'
import { apiKeys } from './api-keys.ts'
import { audit } from './audit.ts'
import { bypassCodes } from './bypass-codes.ts'
import { ciphers } from './ciphers.ts'
import { codeFailures } from './code-failures.ts'
import { domainImages } from './domain-images.ts'
import { domains } from './domains.ts'
import { breather, type Connection, type Engine, StorageUnavailable } from './engines/engine.ts'
import { hardwareTokens } from './hardware-tokens.ts'
import { keys } from './keys.ts'
import { limits } from './limits.ts'
import { members } from './members.ts'
import { isMigrated, migrate } from './migrations/migrate.ts'
import { organizations } from './organizations.ts'
import { pushSubscriptions } from './push-subscriptions.ts'
import { replies } from './replies.ts'
import { sessions } from './sessions.ts'
import type { Run } from './statement.ts'
import { tokens } from './tokens.ts'
import { users } from './users.ts'

/**
 * One repository a noun. Every method takes the organization first, but for those that find out whose something is (an API
 * key by its hash, an administrator's session by its cookie's and a sign-in link by its own, a code by its index, a token by
 * its tid, an activation by its aid), what a device asks about tokens of several organizations and the pictures that it shows,
 * the sweepers, the verifier, and the keys of the installation with what they encrypt.
 */
function repositories(run: Run) {
  return {
    activations: activations(run),
    administratorSessions: administratorSessions(run),
    administrators: administrators(run),
    apiKeys: apiKeys(run),
    audit: audit(run),
    bypassCodes: bypassCodes(run),
    ciphers: ciphers(run),
    codeFailures: codeFailures(run),
    domainImages: domainImages(run),
    domains: domains(run),
    hardwareTokens: hardwareTokens(run),
    keys: keys(run),
    limits: limits(run),
    members: members(run),
    organizations: organizations(run),
    pushSubscriptions: pushSubscriptions(run),
    replies: replies(run),
    sessions: sessions(run),
    tokens: tokens(run),
    users: users(run),
  }
}

type Repositories = ReturnType<typeof repositories>

/** The repositories inside a unit of work. */
export type Transaction = Repositories & {
  /** the audit chain that this connection writes to */
  chain: number
}

/** The repositories on committed rows, and units of work. */
export type Storage = Repositories & {
  /**
   * Runs the work atomically: its promise resolves once it is durable, and rejects with what the work threw after a
   * roll-back, or with StorageUnavailable. The work awaits nothing but its statements and may run more than once.
   */
  transaction<T>(work: (tx: Transaction) => Promise<T>): Promise<T>
  /** Whether an error says that the database could not be reached. */
  isUnavailable(error: unknown): boolean
  /** For long units: lets other work on this thread go on, at most every 20 ms. */
  breathe(): Promise<void>
  publish: Engine['publish']
  subscribe: Engine['subscribe']
  close: Engine['close']
}

/** Brings the database to this version's tables and opens it. */
export async function openStorage(engine: Engine): Promise<Storage> {
  await migrate(engine)
  const opened = new WeakMap<Connection, Transaction>()
  return {
    ...repositories(engine.read),
    transaction: (work) => engine.unit((connection) => work(transactionOn(connection, opened))),
    isUnavailable: (error) => error instanceof StorageUnavailable,
    breathe: breather(),
    publish: (messages) => engine.publish(messages),
    subscribe: (listener) => engine.subscribe(listener),
    close: () => engine.close(),
  }
}

/** Whether there is an organization in the database; changes nothing in it. */
export async function isInUse(engine: Engine): Promise<boolean> {
  return (await isMigrated(engine)) && (await organizations(engine.read).list(1)).length > 0
}

function transactionOn(connection: Connection, opened: WeakMap<Connection, Transaction>): Transaction {
  const existing = opened.get(connection)
  if (existing) return existing
  const transaction = { ...repositories(connection.run), chain: connection.chain }
  opened.set(connection, transaction)
  return transaction
}
