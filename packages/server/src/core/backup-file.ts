import { createHash, randomBytes } from 'node:crypto'
import { createReadStream, createWriteStream, existsSync, renameSync, rmSync, statSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { dirname } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { createGunzip, createGzip } from 'node:zlib'
import type { Snapshot, Table, Value } from '../storage/backups.ts'

// A backup is JSON lines, compressed by gzip: a header, then for each table a line that names it and a line a row, then a
// trailer with the rows of each table and SHA-256 over all the lines before it. docs/backup-and-keys.md specifies it.

const format = 'countersign-backup'
const version = 1
// Whatever is reached first.
const rowsPerBatch = 500
const bytesPerBatch = 2_000_000

/** What a backup says about itself. */
export interface BackupHeader {
  format: string
  version: number
  /** those that its tables were made by */
  migrations: string[]
  /** ISO 8601 */
  createdAt: string
}

/** Told now and then: how many rows are done, and of which table the last ones were. */
export type OnRows = (rows: number, table: string) => void

/** Writes a file that is there whole or not at all, readable by its owner alone. Throws when there is one. Returns the rows. */
export async function writeBackup(
  file: string,
  snapshot: Snapshot,
  { createdAt, onRows }: { createdAt: string; onRows: OnRows },
): Promise<{ rows: number; bytes: number }> {
  refuseExisting(file)
  const partial = `${file}.${randomBytes(6).toString('hex')}.partial`
  let rows = 0
  const lines = linesOf(snapshot, createdAt, (count, table) => {
    rows = count
    onRows(count, table)
  })
  try {
    const output = createWriteStream(partial, { flags: 'wx', mode: 0o600, flush: true })
    await pipeline(Readable.from(lines), createGzip(), output)
    refuseExisting(file)
    renameSync(partial, file)
  } catch (error) {
    rmSync(partial, { force: true })
    throw error
  }
  await flushDirectory(dirname(file))
  return { rows, bytes: statSync(file).size }
}

/** Reads the first line. Throws when the file is no backup, or one of a format that this version does not know. */
export async function readHeader(file: string): Promise<BackupHeader> {
  for await (const line of linesIn(file)) return headerOf(file, line)
  throw damaged(file)
}

/**
 * Reads the rows of these tables, which must be those of the file, in batches. Throws, at the latest after the last one,
 * when the file is not whole or not as it was written: what was read is then to be forgotten.
 */
export async function* readRows(file: string, tables: Table[]): AsyncGenerator<{ table: Table; rows: Value[][] }> {
  const reader = new RowReader(file, tables)
  for await (const line of linesIn(file)) {
    const batch = reader.take(line)
    if (batch) yield batch
  }
  reader.end()
}

async function* linesOf(snapshot: Snapshot, createdAt: string, onRows: OnRows): AsyncGenerator<string> {
  const hash = createHash('sha256')
  const hashed = (text: string) => {
    hash.update(text, 'utf8')
    return text
  }
  const { migrations, tables } = snapshot
  const counts: Record<string, number> = {}
  let rows = 0
  yield hashed(lineOf({ format, version, migrations, createdAt } satisfies BackupHeader))
  for (const table of tables) {
    counts[table.name] = 0
    yield hashed(lineOf({ table: table.name, columns: table.columns }))
    for await (const page of snapshot.pages(table)) {
      yield hashed(page.map(lineOf).join(''))
      counts[table.name] = (counts[table.name] ?? 0) + page.length
      rows += page.length
      onRows(rows, table.name)
    }
  }
  yield lineOf({ rows: counts, sha256: hash.digest('hex') })
}

/** Takes a backup's lines one after the other and compares them with what must come. */
class RowReader {
  readonly #file: string
  readonly #tables: Table[]
  readonly #hash = createHash('sha256')
  readonly #counts: Record<string, number> = {}
  #current: Table | undefined
  #rows: Value[][] = []
  #bytes = 0
  #lines = 0
  #ended = false

  constructor(file: string, tables: Table[]) {
    this.#file = file
    this.#tables = tables
  }

  take(line: Buffer): { table: Table; rows: Value[][] } | undefined {
    if (this.#ended) throw damaged(this.#file)
    const value = this.#lines++ === 0 ? undefined : parse(this.#file, line)
    if (isTrailer(value)) {
      this.#compare(value)
      this.#ended = true
      return this.#batch()
    }
    this.#hash.update(line).update('\n')
    if (value === undefined) return undefined
    if (!Array.isArray(value)) return this.#begin(value)
    this.#add(value)
    this.#bytes += line.length
    return this.#rows.length >= rowsPerBatch || this.#bytes > bytesPerBatch ? this.#batch() : undefined
  }

  end(): void {
    if (!this.#ended) throw damaged(this.#file)
  }

  #batch(): { table: Table; rows: Value[][] } | undefined {
    const rows = this.#rows
    this.#rows = []
    this.#bytes = 0
    return this.#current && rows.length > 0 ? { table: this.#current, rows } : undefined
  }

  /** The rows before this line are handed out, and the next table begins. */
  #begin(line: unknown): { table: Table; rows: Value[][] } | undefined {
    const batch = this.#batch()
    const next = this.#tables[Object.keys(this.#counts).length]
    if (!next || JSON.stringify(line) !== JSON.stringify({ table: next.name, columns: next.columns })) {
      throw damaged(this.#file)
    }
    this.#counts[next.name] = 0
    this.#current = next
    return batch
  }

  #add(row: unknown[]): void {
    const table = this.#current
    if (!table || row.length !== table.columns.length || !row.every(isValue)) throw damaged(this.#file)
    this.#counts[table.name] = (this.#counts[table.name] ?? 0) + 1
    this.#rows.push(row)
  }

  #compare(trailer: { rows: unknown; sha256: unknown }): void {
    const complete = Object.keys(this.#counts).length === this.#tables.length
    const counted = JSON.stringify(trailer.rows) === JSON.stringify(this.#counts)
    if (!complete || !counted || trailer.sha256 !== this.#hash.digest('hex')) throw damaged(this.#file)
  }
}

async function* linesIn(file: string): AsyncGenerator<Buffer> {
  const unzipped = createGunzip()
  // Its failures, and those of the file, come out of the loop below.
  pipeline(createReadStream(file), unzipped).catch(() => {})
  let rest: Buffer[] = []
  try {
    for await (const chunk of unzipped as AsyncIterable<Buffer>) {
      let from = 0
      for (let end = chunk.indexOf(10); end >= 0; end = chunk.indexOf(10, from)) {
        yield Buffer.concat([...rest, chunk.subarray(from, end)])
        rest = []
        from = end + 1
      }
      if (from < chunk.length) rest.push(chunk.subarray(from))
    }
  } catch (cause) {
    if (isOfZlib(cause)) throw damaged(file, cause)
    throw cause
  }
  if (rest.length > 0) throw damaged(file)
}

function headerOf(file: string, line: Buffer): BackupHeader {
  const header = parse(file, line)
  if (!isHeader(header)) throw damaged(file)
  if (header.version === version) return header
  throw new Error(`${file} is of the format ${header.version}, which this version does not know. Use a newer one.`)
}

function isHeader(value: unknown): value is BackupHeader {
  if (!isObject(value) || value.format !== format) return false
  const { migrations, createdAt } = value
  return (
    typeof createdAt === 'string' && Array.isArray(migrations) && migrations.every((name) => typeof name === 'string')
  )
}

function isTrailer(value: unknown): value is { rows: unknown; sha256: unknown } {
  return isObject(value) && 'sha256' in value
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function isValue(value: unknown): value is Value {
  return value === null || typeof value === 'string' || typeof value === 'number'
}

function parse(file: string, line: Buffer): unknown {
  try {
    return JSON.parse(line.toString('utf8'))
  } catch (cause) {
    throw damaged(file, cause)
  }
}

function lineOf(value: object): string {
  return `${JSON.stringify(value)}\n`
}

function damaged(file: string, cause?: unknown): Error {
  return new Error(`${file} is not a whole backup as it was written: it was cut off or changed.`, { cause })
}

function isOfZlib(error: unknown): boolean {
  return error instanceof Error && 'code' in error && /^Z_/.test(String(error.code))
}

function refuseExisting(file: string): void {
  if (existsSync(file)) throw new Error(`${file} exists already. A backup does not take another one's place.`)
}

/** Makes the new name last through a power failure, too. */
async function flushDirectory(directory: string): Promise<void> {
  const handle = await open(directory)
  await handle.sync()
  await handle.close()
}
