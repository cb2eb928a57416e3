import type { App } from '../app.ts'
import type { HardwareTokenRow } from '../storage/hardware-tokens.ts'
import { type Actor, requirePermission } from './actors.ts'
import { ApiError } from './errors.ts'
import type { HardwareFileToken, RefusedToken } from './hardware-files/index.ts'
import { readNewToken } from './hardware-tokens.ts'
import { holdKeys } from './key-holds.ts'
import { available, transact } from './transactions.ts'

/** Tokens to register, as a file describes them (core/hardware-files). */
export interface HardwareImport {
  entries: HardwareFileToken[]
  /** Finds out what would be refused and changes nothing. */
  dryRun?: boolean
  /** Told how many entries are behind us. */
  onProgress?(done: number): void
}

export interface HardwareImported {
  /** how many are registered now, or would be */
  imported: number
  /** in the order of the file */
  refused: RefusedToken[]
}

type Entry = { line: number; row: HardwareTokenRow }

// A command's transaction stays under 50 ms, so that a server beside it goes on.
const batchSize = 200

/**
 * Registers the tokens of a file, a batch a transaction: after an interruption some are there, and the next try refuses those
 * as known. One whose serial number the organization has already is refused, the others are not.
 */
export async function importHardwareTokens(app: App, actor: Actor, input: HardwareImport): Promise<HardwareImported> {
  requirePermission(actor, 'hardware:write')
  const { entries, dryRun = false, onProgress } = input
  const result: HardwareImported = { imported: 0, refused: [] }
  for (let from = 0; from < entries.length; from += batchSize) {
    const batch = entries.slice(from, from + batchSize)
    const read = readBatch(app, actor, batch, result.refused)
    const isNew = dryRun ? await findNew(app, actor, read) : await insertNew(app, actor, read)
    result.imported += isNew.size
    for (const entry of read) if (!isNew.has(entry.row.id)) result.refused.push(refusalOf(entry, known))
    onProgress?.(from + batch.length)
    await app.storage.breathe()
  }
  result.refused.sort((a, b) => a.line - b.line)
  return result
}

const known = 'There is a hardware token with this serial number already.'

function readBatch(app: App, actor: Actor, batch: HardwareFileToken[], refused: RefusedToken[]): Entry[] {
  return batch.flatMap(({ line, seed, ...token }) => {
    try {
      const input = { ...token, seed: Buffer.from(seed).toString('hex') }
      return { line, row: readNewToken(app, actor.organizationId, input) }
    } catch (error) {
      if (!(error instanceof ApiError)) throw error
      refused.push({ line, serialNumber: token.serialNumber, problem: error.message })
      return []
    }
  })
}

async function insertNew(app: App, actor: Actor, entries: Entry[]): Promise<Set<string>> {
  const { organizationId } = actor
  // In the order of their serial numbers two imports at once cannot wait for each other.
  const rows = entries.map(({ row }) => row).sort((a, b) => (a.serial_number < b.serial_number ? -1 : 1))
  return transact(app, async (unit) => {
    const { tx, audit } = unit
    await holdKeys(app, unit, ...rows.map((row) => row.seed_cipher))
    const inserted = new Set(await tx.hardwareTokens.insert(organizationId, rows))
    for (const { id, serial_number: serialNumber, type } of rows) {
      if (!inserted.has(id)) continue
      audit({ organizationId, event: 'hardware.created', actor, data: { id, serialNumber, type } })
    }
    return inserted
  })
}

async function findNew(app: App, actor: Actor, entries: Entry[]): Promise<Set<string>> {
  const serialNumbers = entries.map(({ row }) => row.serial_number)
  const { hardwareTokens } = app.storage
  const found = await available(app, () => hardwareTokens.knownSerialNumbers(actor.organizationId, serialNumbers))
  const known = new Set(found)
  return new Set(entries.flatMap(({ row }) => (known.has(row.serial_number) ? [] : row.id)))
}

function refusalOf({ line, row }: Entry, problem: string): RefusedToken {
  return { line, serialNumber: row.serial_number, problem }
}
