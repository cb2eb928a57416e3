import type { Options } from './command.ts'
import { jsonLine } from './device-terminal.ts'
import { bar, startProgress } from './progress.ts'
import { type Column, table } from './table.ts'

/** What every import takes. */
export interface ImportOptions extends Options {
  dryRun?: boolean
}

/** Shows how far work has come that tells how much of it is done. */
export async function withProgress<T>(
  total: number,
  work: (onProgress: (done: number) => void) => Promise<T>,
): Promise<T> {
  const progress = startProgress()
  try {
    return await work((done) => progress.show(bar(done, total)))
  } finally {
    progress.end()
  }
}

/** Prints the result to scripts, or these lines to people. When anything was refused the exit code is 1. */
export function report<Result extends { refused: unknown[] }>(
  options: ImportOptions,
  result: Result,
  lines: string[],
): void {
  const { json = false, dryRun = false } = options
  process.stdout.write(json ? jsonLine({ dryRun, ...result }) : `${lines.join('\n')}\n`)
  if (result.refused.length > 0) process.exitCode = 1
}

/** "Imported", or "Would be imported". */
export function would(dryRun: boolean, done: string): string {
  return dryRun ? `Would be ${done}` : `${done.charAt(0).toUpperCase()}${done.slice(1)}`
}

/** A table after an empty line; nothing where there are no rows. */
export function section<Row extends object>(rows: Row[], columns: readonly Column<Row>[]): string[] {
  return rows.length === 0 ? [] : ['', ...table(rows, columns)]
}
