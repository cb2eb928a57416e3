import { Command } from 'commander'
import { loadServer, print, withApp } from './command.ts'
import { startProgress } from './progress.ts'

/** `countersign restore` */
export function restoreCommand(): Command {
  return new Command('restore')
    .description('Fill an empty database from a backup, of either engine. Needs the keyring of that installation.')
    .requiredOption('--from <file>', 'what `countersign backup` wrote')
    .option('--json', 'print one JSON object')
    .action(restore)
}

async function restore(options: { from: string; json?: boolean }): Promise<void> {
  const server = await loadServer()
  const progress = startProgress()
  try {
    const onRows = (rows: number, table: string) => progress.show(`${rows} rows read (${table})`)
    const restored = await server.restore(server.readConfig(process.env), { file: options.from, onRows })
    progress.show('verifying the audit log')
    const { flaw, events } = await withApp(async (app) => {
      await server.noteRestored(app, restored)
      return server.verifyAudit(app)
    })
    progress.end()
    print({ ...restored, auditEvents: events, auditIntact: !flaw }, options)
    if (flaw)
      throw new Error('All rows are restored, but the audit log in them is not intact: countersign audit verify')
  } finally {
    progress.end()
  }
}
