import { Command, Option } from 'commander'
import { asOperator, everything, type Options, print, printTable, verb, wholeNumber } from './command.ts'
import { domainIdOf, userIdOf } from './names.ts'

const states = ['pending', 'approved', 'denied', 'cancelled', 'expired'] as const

interface ListOptions extends Options {
  user?: string
  domain?: string
  state?: (typeof states)[number]
  since?: string
  until?: string
  limit: number
}

/** `countersign session …` */
export function sessionCommand(): Command {
  const session = new Command('session').description('Sessions: who was asked for what, and the verdicts.')
  verb(session, 'list', 'List the sessions, the newest first.')
    .option('--user <user>', 'only of this user')
    .option('--domain <domain>', 'only in this domain')
    .addOption(new Option('--state <state>').choices(states))
    .option('--since <time>', 'created then or later, such as 2027-01-15T00:00:00Z')
    .option('--until <time>', 'created before then')
    .option('--limit <number>', 'how many at most', wholeNumber, 100)
    .action(list)
  verb(session, 'show <id>', 'Show a session with what the user was shown.').action(show)
  verb(
    session,
    'cancel <id>',
    'Cancel a session: the authenticator drops it, and an approval is none any more.',
  ).action(cancel)
  return session
}

async function list(options: ListOptions): Promise<void> {
  const { org, user, domain, limit, state, since, until } = options
  const sessions = await asOperator(org, async (app, actor, server) => {
    const filter = {
      ...(user !== undefined && { userId: await userIdOf(app, actor, user) }),
      ...(domain !== undefined && { domainId: await domainIdOf(app, actor, domain) }),
      ...(state !== undefined && { state }),
      ...(since !== undefined && { since }),
      ...(until !== undefined && { until }),
    }
    return everything((part) => server.listSessions(app, actor, { ...part, ...filter }), limit)
  })
  const columns = [
    'id',
    'createdAt',
    ['user', ({ user }) => user.username ?? user.id],
    ['domain', ({ domain }) => domain.name ?? domain.id],
    'method',
    'state',
    'reason',
    'ipAddress',
  ] as const satisfies Parameters<typeof printTable<(typeof sessions)[number]>>[1]
  printTable(sessions, columns, options)
}

async function show(sessionId: string, options: Options): Promise<void> {
  const shown = asOperator(options.org, (app, actor, server) => server.getManagedSession(app, actor, { sessionId }))
  print(await shown, options)
}

async function cancel(sessionId: string, options: Options): Promise<void> {
  const shown = await asOperator(options.org, async (app, actor, server) => {
    await server.cancelManagedSession(app, actor, { sessionId })
    return server.getManagedSession(app, actor, { sessionId })
  })
  print(shown, options)
}
