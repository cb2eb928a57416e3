import { open } from 'node:fs/promises'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import type { LoggedEvent } from '@countersign/server/main.ts'
import type { Command } from 'commander'
import { asOperator, everything, type Options, print, printTable, verb, wholeNumber } from './command.ts'
import { domainIdOf, userIdOf } from './names.ts'
import { textOf } from './table.ts'

interface Time {
  since?: string
  until?: string
}

interface ListOptions extends Options, Time {
  event?: string
  user?: string
  domain?: string
  actor?: string
  limit: number
}

/** `countersign audit list` and `export`. */
export function addEventCommands(audit: Command): void {
  const ofTime = (command: Command) =>
    command
      .option('--since <time>', 'then or later, such as 2027-01-15T00:00:00Z')
      .option('--until <time>', 'before then')
  ofTime(verb(audit, 'list', 'List the events of an organization, the newest first.'))
    .option('--event <name>', 'only these, such as session.denied')
    .option('--user <user>', 'only about this user')
    .option('--domain <domain>', 'only about this domain')
    .option('--actor <id>', 'only what this key, administrator or token did; command-line for operators')
    .option('--limit <number>', 'how many at most', wholeNumber, 100)
    .action(list)
  ofTime(verb(audit, 'export', 'Write the events of an organization, the oldest first, as JSON, one a line.'))
    .option('--to <file>', 'a new file, instead of standard output')
    .action(exportEvents)
}

async function list(options: ListOptions): Promise<void> {
  const { org, json = false, limit, user, domain, ...others } = options
  const events = await asOperator(org, async (app, actor, server) => {
    const filter = {
      ...others,
      ...(user !== undefined && { user: await userIdOf(app, actor, user) }),
      ...(domain !== undefined && { domain: await domainIdOf(app, actor, domain) }),
    }
    return everything((part) => server.listAuditEvents(app, actor, { ...part, ...filter }), limit)
  })
  const actor = ['actor', ({ actor }: LoggedEvent) => textOf(actor)] as const
  printTable(events, ['at', 'event', actor, 'userId', ['data', ({ data }) => JSON.stringify(data)]], { json })
}

async function exportEvents(options: Options & Time & { to?: string }): Promise<void> {
  const { org, json = false, to, ...time } = options
  const file = to === undefined ? undefined : await open(to, 'wx')
  let events = 0
  await asOperator(org, async (app, actor, server) => {
    const batches = await server.exportAuditEvents(app, actor, { format: 'jsonl', ...time })
    async function* lines() {
      for await (const batch of batches) {
        events += batch.length
        yield batch.map((event) => `${JSON.stringify(event)}\n`).join('')
      }
    }
    await pipeline(Readable.from(lines()), file?.createWriteStream() ?? process.stdout, { end: file !== undefined })
  })
  if (to !== undefined) print({ events, file: to }, { json })
}
