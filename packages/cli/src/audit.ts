import { Command } from 'commander'
import { addEventCommands } from './audit-events.ts'
import { print, withApp } from './command.ts'

/** `countersign audit …` */
export function auditCommand(): Command {
  const audit = new Command('audit').description('The audit log, which shows when it was changed.')
  audit
    .command('verify')
    .description('Read every chain of the log and name the first bad row.')
    .option('--head <hash>', 'also compare with a head that `audit head` printed earlier')
    .option('--json', 'print one JSON object')
    .action(verify)
  audit
    .command('head')
    .description('Note where every chain ends and print the hash that stands for it. Keep it away from this machine.')
    .option('--json', 'print one JSON object')
    .action(noteHeads)
  addEventCommands(audit)
  return audit
}

async function noteHeads(options: { json?: boolean }): Promise<void> {
  const head = await withApp((app, server) => server.noteHeads(app))
  if (options.json) print({ head }, options)
  else process.stdout.write(`${head}\n`)
}

async function verify(options: { head?: string; json?: boolean }): Promise<void> {
  const report = await withApp((app, server) => server.verifyAudit(app, options.head))
  const { flaw, chains, events } = report
  if (flaw) process.exitCode = 1
  if (options.json) {
    process.stdout.write(`${JSON.stringify({ ok: !flaw, ...report })}\n`)
  } else if (flaw) {
    const owner = flaw.organizationId === '' ? 'the installation' : `organization ${flaw.organizationId}`
    process.stderr.write(
      `The audit log of ${owner} is not intact: chain ${flaw.chain}, row ${flaw.seq}: ${flaw.problem}.\n`,
    )
  } else {
    process.stdout.write(`The audit log is intact: ${counted(events, 'event')} in ${counted(chains, 'chain')}.\n`)
  }
}

function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`
}
