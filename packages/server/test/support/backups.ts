import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after } from 'node:test'
import { gunzipSync, gzipSync } from 'node:zlib'
import { backUp, readConfig, restore } from '../../src/main.ts'
import type { TestDatabase } from './engines.ts'
import { dump, type SqlRow } from './sql.ts'

const directory = mkdtempSync(join(tmpdir(), 'countersign-backups-'))
after(() => rmSync(directory, { recursive: true }))

let files = 0

/** A name for a backup that is not there yet. */
export function newFile(): string {
  return join(directory, `${++files}.backup`)
}

/** Backs a database up to a new file, as the command line does. */
export async function backUpOf(database: TestDatabase): Promise<string> {
  const file = newFile()
  await backUp(configOf(database), { file, onRows() {} })
  return file
}

/** Restores a file into a database, as the command line does. */
export function restoreInto(database: TestDatabase, { file, keyring }: { file: string; keyring: string }) {
  return restore(configOf(database, keyring), { file, onRows() {} })
}

/** The lines of a backup, parsed. */
// biome-ignore lint/suspicious/noExplicitAny: a test asserts the shape of what it got
export function linesOf(file: string): any[] {
  const lines = gunzipSync(readFileSync(file)).toString('utf8').trimEnd().split('\n')
  return lines.map((line) => JSON.parse(line))
}

/** A file that holds these lines, with the trailer as it was. */
export function fileOf(lines: unknown[]): string {
  return fileWith(gzipSync(lines.map((line) => `${JSON.stringify(line)}\n`).join('')))
}

export function fileWith(bytes: Uint8Array): string {
  const file = newFile()
  writeFileSync(file, bytes)
  return file
}

/** Every row of every table, alike for both engines, whose drivers differ in how they give numbers. */
export async function contentOf(database: TestDatabase): Promise<Record<string, string[]>> {
  const text = (row: SqlRow) =>
    JSON.stringify(Object.entries(row).map(([name, value]) => [name, value === null ? null : String(value)]))
  const tables = Object.entries(await dump(database)).map(([name, rows]) => [name, rows.map(text).sort()] as const)
  return Object.fromEntries(tables.sort(([one], [other]) => (one < other ? -1 : 1)))
}

function configOf({ url, data }: TestDatabase, keyring = join(data, 'keyring.json')) {
  return readConfig({ COUNTERSIGN_DATA: data, COUNTERSIGN_DATABASE: url, COUNTERSIGN_KEYRING: keyring })
}
