import type { App } from '../app.ts'
import type { UserRow } from '../storage/users.ts'
import { type Actor, requirePermission } from './actors.ts'
import { findDomain, noSuchDomain } from './domains.ts'
import { ApiError } from './errors.ts'
import { memberRow } from './members.ts'
import { csvRows, decodeFile, unusableFile } from './text-files.ts'
import { available, refuse, transact } from './transactions.ts'
import { type NewUser, newUserRow } from './users.ts'

/** A line of a file that names a user. */
export interface UserFileEntry extends NewUser {
  line: number
}

/** A line that makes no user, and why. */
interface RefusedUser {
  line: number
  username?: string
  problem: string
}

/** Users to create, and to add to a domain if one is given. */
export interface UserImport {
  entries: UserFileEntry[]
  domainId?: string
  /** Finds out what would happen and changes nothing. */
  dryRun?: boolean
  /** Told how many entries are behind us. */
  onProgress?(done: number): void
}

export interface UsersImported {
  /** how many are new, or would be */
  created: number
  /** how many became members of the domain, or would */
  added: number
  /** those who were there before, as the file writes them; nothing of theirs changes but the membership */
  existing: { line: number; username: string }[]
  /** in the order of the file */
  refused: RefusedUser[]
}

type Entry = { line: number; row: UserRow }
type Outcome = { existing: Set<string>; added: number }

const usersMax = 100_000
// A command's transaction stays under 50 ms, so that a server beside it goes on.
const batchSize = 200
const columns = ['username', 'name', 'email'] as const

/**
 * The users of a CSV file whose header names the columns `username`, `name` and `email` in any order; only the first has to be
 * there. Throws `api.error.badrequest` when the file cannot be used.
 */
export function readUserFile(bytes: Uint8Array): UserFileEntry[] {
  const [header, ...rows] = csvRows(decodeFile(bytes), usersMax + 2)
  const names = header?.cells.map((cell) => cell.toLowerCase()) ?? []
  checkHeader(names)
  if (rows.length > usersMax) throw unusableFile(`The file has more than ${usersMax} users. Split it.`)
  return rows.map(({ cells, line }) => {
    const cell = (name: (typeof columns)[number]) => cells[names.indexOf(name)] ?? ''
    return { line, username: cell('username'), name: cell('name'), email: cell('email') }
  })
}

function checkHeader(names: string[]): void {
  if (!names.includes('username')) throw unusableFile('The first line names no column "username".')
  const odd = names.find((name, index) => !columns.some((known) => known === name) || names.indexOf(name) !== index)
  if (odd !== undefined) {
    throw unusableFile(`The columns are ${columns.join(', ')}, each at most once; "${odd.slice(0, 40)}" is too much.`)
  }
}

/**
 * Creates the users of a file, a batch a transaction: after an interruption some are there, and the next try finds them. With a
 * domain all of them become its members, also those who exist already.
 */
export async function importUsers(app: App, actor: Actor, input: UserImport): Promise<UsersImported> {
  const { entries, domainId, dryRun = false, onProgress } = input
  requirePermission(actor, 'users:write')
  if (domainId !== undefined) {
    requirePermission(actor, 'members:write', domainId)
    await findDomain(app, actor, domainId)
  }
  const result: UsersImported = { created: 0, added: 0, existing: [], refused: [] }
  const lines = new Map<string, number>()
  for (let from = 0; from < entries.length; from += batchSize) {
    const batch = entries.slice(from, from + batchSize)
    const read = readBatch(app, actor, batch, { lines, refused: result.refused })
    const { existing, added } = await (dryRun ? tryBatch : importBatch)(app, actor, { read, domainId })
    for (const { line, row } of read) {
      if (existing.has(row.username_key)) result.existing.push({ line, username: row.username })
      else result.created++
    }
    result.added += added
    onProgress?.(from + batch.length)
    await app.storage.breathe()
  }
  return result
}

function readBatch(
  app: App,
  actor: Actor,
  batch: UserFileEntry[],
  { lines, refused }: { lines: Map<string, number>; refused: RefusedUser[] },
): Entry[] {
  return batch.flatMap(({ line, ...user }) => {
    try {
      const row = newUserRow(app, actor.organizationId, user)
      const earlier = lines.get(row.username_key)
      if (earlier !== undefined) throw unusableFile(`The user name stands already in line ${earlier}.`)
      lines.set(row.username_key, line)
      return { line, row }
    } catch (error) {
      if (!(error instanceof ApiError)) throw error
      refused.push({ line, ...(user.username !== '' && { username: user.username }), problem: error.message })
      return []
    }
  })
}

async function importBatch(
  app: App,
  actor: Actor,
  { read, domainId }: { read: Entry[]; domainId: string | undefined },
): Promise<Outcome> {
  const { organizationId } = actor
  // In the order of their keys two imports at once cannot wait for each other.
  const rows = read.map(({ row }) => row).sort((a, b) => (a.username_key < b.username_key ? -1 : 1))
  if (rows.length === 0) return { existing: new Set(), added: 0 }
  return transact(app, async ({ tx, audit }) => {
    if (domainId !== undefined && !(await tx.domains.lock(organizationId, domainId))) return refuse(noSuchDomain())
    await tx.users.insertOrLock(organizationId, rows)
    const keys = rows.map((row) => row.username_key)
    const users = await tx.users.findManyByKey(organizationId, keys)
    const ids = new Set(rows.map((row) => row.id))
    const created = users.filter((user) => ids.has(user.id))
    for (const { id: userId, username } of created) {
      audit({ organizationId, event: 'user.created', actor, userId, data: { username } })
    }
    const existing = new Set(users.filter((user) => !ids.has(user.id)).map((user) => user.username_key))
    if (domainId === undefined) return { existing, added: 0 }
    const added = await tx.members.insert(
      organizationId,
      users.map((user) => memberRow(domainId, user)),
    )
    for (const userId of added) audit({ organizationId, event: 'member.added', actor, domainId, userId })
    return { existing, added: added.length }
  })
}

async function tryBatch(
  app: App,
  actor: Actor,
  { read, domainId }: { read: Entry[]; domainId: string | undefined },
): Promise<Outcome> {
  const { organizationId } = actor
  const { users, members } = app.storage
  const keys = read.map(({ row }) => row.username_key)
  if (keys.length === 0) return { existing: new Set(), added: 0 }
  const found = await available(app, () => users.findManyByKey(organizationId, keys))
  const existing = new Set(found.map((user) => user.username_key))
  if (domainId === undefined) return { existing, added: 0 }
  const ids = found.map((user) => user.id)
  const pairs = ids.length === 0 ? [] : await available(app, () => members.domainsOf(organizationId, ids))
  const already = pairs.filter((pair) => pair.domain_id === domainId).length
  return { existing, added: read.length - already }
}
