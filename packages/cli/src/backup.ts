import { Command } from 'commander'
import { loadServer, print } from './command.ts'
import { startProgress } from './progress.ts'

/** `countersign backup` */
export function backupCommand(): Command {
  return new Command('backup')
    .description('Write everything in the database to one file, while servers run. The keyring is not in it.')
    .requiredOption('--to <file>', 'a new file, such as countersign-2027-01-15.backup')
    .option('--json', 'print one JSON object')
    .action(backup)
}

async function backup(options: { to: string; json?: boolean }): Promise<void> {
  const { backUp, readConfig } = await loadServer()
  const config = readConfig(process.env)
  const progress = startProgress()
  try {
    const onRows = (rows: number, table: string) => progress.show(`${rows} rows written (${table})`)
    const { file, rows, bytes, seconds } = await backUp(config, { file: options.to, onRows })
    progress.end()
    print({ file, rows, bytes, seconds }, options)
  } finally {
    progress.end()
  }
  if (options.json) return
  process.stderr.write(
    `Keep the keyring (${config.keyring}) elsewhere: a restore needs it, and a thief must not find both.\n`,
  )
}
