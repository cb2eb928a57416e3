import { readFile } from 'node:fs/promises'
import type { PskcKeys } from '@countersign/server/main.ts'
import { Command, Option } from 'commander'
import { asOperator, loadServer } from './command.ts'
import { given } from './device-activate.ts'
import { Terminal } from './device-terminal.ts'
import { addLoginTcImport } from './import-logintc.ts'
import { type ImportOptions, report, section, withProgress, would } from './import-report.ts'
import { domainIdOf } from './names.ts'

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
  const command = new Command('import').description('Hardware tokens and users, from files or from another server.')
  command
    .command('hardware')
    .description('Register the tokens of a manufacturer’s file. Exit code 1 when any of them was refused.')
    .argument('<file>', 'LoginTC’s or OATH CSV, or PSKC (RFC 6030)')
    .option('--org <id>', 'the organization; may be left out where there is only one')
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
    .option('--org <id>', 'the organization; may be left out where there is only one')
    .option('--domain <domain>', 'also make all of them members of this domain, named by id or name')
    .option('--dry-run', 'say what would happen and change nothing')
    .option('--json', 'print one JSON object')
    .action(importUsers)
  addLoginTcImport(command)
  return command
}

async function importHardware(path: string, options: HardwareOptions): Promise<void> {
  const { org, format, dryRun = false } = options
  const keys = await readKeys(options)
  const { readHardwareFile } = await loadServer()
  const { tokens: entries, refused: early } = readHardwareFile(await readFile(path), { format, ...keys })
  const { imported, refused: late } = await withProgress(entries.length, (onProgress) =>
    asOperator(org, (app, actor, server) => server.importHardwareTokens(app, actor, { entries, dryRun, onProgress })),
  )
  const refused = [...early, ...late].sort((a, b) => a.line - b.line)
  report(options, { imported, refused }, [
    `${would(dryRun, 'imported')}: ${imported}. Refused: ${refused.length}.`,
    ...section(refused, [
      ['Line', ({ line }) => line],
      ['Serial number', ({ serialNumber }) => serialNumber],
      ['Refused because', ({ problem }) => problem],
    ]),
  ])
}

async function importUsers(path: string, options: UsersOptions): Promise<void> {
  const { org, domain, dryRun = false } = options
  const { readUserFile } = await loadServer()
  const entries = readUserFile(await readFile(path))
  const result = await withProgress(entries.length, (onProgress) =>
    asOperator(org, async (app, actor, server) => {
      const domainId = domain === undefined ? undefined : await domainIdOf(app, actor, domain)
      return server.importUsers(app, actor, { entries, dryRun, onProgress, ...(domainId && { domainId }) })
    }),
  )
  const { created, added, existing, refused } = result
  const counts = [`${would(dryRun, 'created')}: ${created}.`, `There already: ${existing.length}.`]
  if (domain !== undefined) counts.push(`${would(dryRun, 'added to the domain')}: ${added}.`)
  report(options, result, [
    [...counts, `Refused: ${refused.length}.`].join(' '),
    ...section(existing, [
      ['Line', ({ line }) => line],
      ['There already', ({ username }) => username],
    ]),
    ...section(refused, [
      ['Line', ({ line }) => line],
      ['User name', ({ username }) => username],
      ['Refused because', ({ problem }) => problem],
    ]),
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
