import { readFile } from 'node:fs/promises'
import type { PskcKeys } from '@countersign/server/main.ts'
import { Command, Option } from 'commander'
import { loadServer, withApp } from './command.ts'
import { given } from './device-activate.ts'
import { jsonLine, Terminal, visible } from './device-terminal.ts'
import { bar, startProgress } from './progress.ts'

interface ImportOptions {
  org: string
  dryRun?: boolean
  json?: boolean
}

interface HardwareOptions extends ImportOptions {
  format: 'auto' | 'logintc' | 'oath' | 'pskc'
  key?: string
  password?: string
}

interface UsersOptions extends ImportOptions {
  domain?: string
}

/** `countersign import …` */
export function importCommand(): Command {
  const command = new Command('import').description('Hardware tokens and users, from files.')
  command
    .command('hardware')
    .description('Register the tokens of a manufacturer’s file. Exit code 1 when any of them was refused.')
    .argument('<file>', 'LoginTC’s or OATH CSV, or PSKC (RFC 6030)')
    .requiredOption('--org <id>', 'the organization')
    .addOption(
      new Option('--format <format>', 'what the file is').choices(['auto', 'logintc', 'oath', 'pskc']).default('auto'),
    )
    .addOption(
      new Option('--key <->', 'read the pre-shared key of a PSKC file, in hexadecimal, from standard input').conflicts(
        'password',
      ),
    )
    .option('--password <->', 'read the password of a PSKC file from standard input')
    .option('--dry-run', 'say what would happen and change nothing')
    .option('--json', 'print one JSON object')
    .action(importHardware)
  command
    .command('users')
    .description('Create the users of a CSV file. Exit code 1 when any line was refused.')
    .argument('<file>', 'CSV with a header that names the columns username, name and email in any order')
    .requiredOption('--org <id>', 'the organization')
    .option('--domain <id>', 'also make all of them members of this domain')
    .option('--dry-run', 'say what would happen and change nothing')
    .option('--json', 'print one JSON object')
    .action(importUsers)
  return command
}

async function importHardware(path: string, options: HardwareOptions): Promise<void> {
  const { org, format, dryRun = false } = options
  const keys = await readKeys(options)
  const { readHardwareFile } = await loadServer()
  const { tokens: entries, refused: early } = readHardwareFile(await readFile(path), { format, ...keys })
  const { imported, refused: late } = await withProgress(entries.length, (onProgress) =>
    withApp(async (app, server) =>
      server.importHardwareTokens(app, await server.operatorOf(app, org), { entries, dryRun, onProgress }),
    ),
  )
  const refused = [...early, ...late].sort((a, b) => a.line - b.line)
  const rows = refused.map(({ line, serialNumber = '', problem }) => [`${line}`, serialNumber, problem])
  report(options, { imported, refused }, [
    `${would(dryRun, 'imported')}: ${imported}. Refused: ${refused.length}.`,
    ...table(['Line', 'Serial number', 'Refused because'], rows),
  ])
}

async function importUsers(path: string, options: UsersOptions): Promise<void> {
  const { org, domain: domainId, dryRun = false } = options
  const { readUserFile } = await loadServer()
  const entries = readUserFile(await readFile(path))
  const result = await withProgress(entries.length, (onProgress) =>
    withApp(async (app, server) => {
      const input = { entries, dryRun, onProgress, ...(domainId !== undefined && { domainId }) }
      return server.importUsers(app, await server.operatorOf(app, org), input)
    }),
  )
  const { created, added, existing, refused } = result
  const counts = [`${would(dryRun, 'created')}: ${created}.`, `There already: ${existing.length}.`]
  if (domainId !== undefined) counts.push(`${would(dryRun, 'added to the domain')}: ${added}.`)
  const refusals = refused.map(({ line, username = '', problem }) => [`${line}`, username, problem])
  report(options, result, [
    [...counts, `Refused: ${refused.length}.`].join(' '),
    ...table(
      ['Line', 'There already'],
      existing.map(({ line, username }) => [`${line}`, username]),
    ),
    ...table(['Line', 'User name', 'Refused because'], refusals),
  ])
}

/** What a command line holds others on the machine can read: a key or password comes by standard input only. */
async function readKeys({ key, password }: HardwareOptions): Promise<PskcKeys> {
  const option = key === undefined ? 'password' : 'key'
  const value = key ?? password
  if (value === undefined) return {}
  if (value !== '-') throw new Error(`--${option} takes only "-": write it to standard input.`)
  const terminal = new Terminal()
  try {
    const line = (await given(terminal, value, `The file’s ${option}: `)) ?? ''
    return option === 'password' ? { password: line } : { preSharedKey: readHex(line) }
  } finally {
    terminal.close()
  }
}

function readHex(text: string): Uint8Array {
  const digits = text.replace(/[\s:]/g, '')
  if (!/^(?:[0-9a-f]{2})+$/i.test(digits)) throw new Error('The pre-shared key is not written in hexadecimal digits.')
  return new Uint8Array(Buffer.from(digits, 'hex'))
}

async function withProgress<T>(total: number, work: (onProgress: (done: number) => void) => Promise<T>): Promise<T> {
  const progress = startProgress()
  try {
    return await work((done) => progress.show(bar(done, total)))
  } finally {
    progress.end()
  }
}

function report<Result extends { refused: unknown[] }>(options: ImportOptions, result: Result, lines: string[]): void {
  const { json = false, dryRun = false } = options
  process.stdout.write(json ? jsonLine({ dryRun, ...result }) : `${lines.join('\n')}\n`)
  if (result.refused.length > 0) process.exitCode = 1
}

function would(dryRun: boolean, done: string): string {
  return dryRun ? `Would be ${done}` : `${done.charAt(0).toUpperCase()}${done.slice(1)}`
}

/** Columns of text, after an empty line; nothing where there are no rows. */
function table(header: string[], rows: string[][]): string[] {
  if (rows.length === 0) return []
  const all = [header, ...rows.map((row) => row.map(visible))]
  const widths = header.map((_, column) => Math.max(...all.map((row) => row[column]?.length ?? 0)))
  const lines = all.map((row) => row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('  '))
  return ['', ...lines.map((line) => line.trimEnd())]
}
