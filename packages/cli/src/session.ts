import { Command, Option } from 'commander'
import { asOperator, everything, type Options, print, printTable, verb, wholeNumber } from './command.ts'
import { largeDigits } from './large-digits.ts'
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

interface CreateOptions extends Options {
  number?: boolean
  ip?: string
  attribute?: string[]
}

/** `countersign session …` */
export function sessionCommand(): Command {
  const session = new Command('session').description('Sessions: who was asked for what, and the verdicts.')
  verb(session, 'create <domain> <user>', 'Ask a user to approve, as an application would.')
    .option('--number', 'with a number: it is shown here, and the user types it into the authenticator')
    .option('--ip <address>', 'where the user signs in from')
    .option('--attribute <key=value...>', 'what else the user is shown')
    .action(create)
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

async function create(domain: string, user: string, options: CreateOptions): Promise<void> {
  const { org, number: numberMatching = false, ip: ipAddress, attribute = [] } = options
  const attributes = attribute.map(readAttribute)
  const session = await asOperator(org, async (app, actor, server) =>
    server.createSession(app, actor, {
      domainId: await domainIdOf(app, actor, domain),
      user: { id: await userIdOf(app, actor, user) },
      attributes,
      numberMatching,
      clientAddress: '127.0.0.1',
      ...(ipAddress !== undefined && { ipAddress }),
    }),
  )
  print(session, options)
  if (session.number !== undefined && !options.json)
    process.stdout.write(`\n${largeDigits(session.number).join('\n')}\n\n`)
}

function readAttribute(text: string): { key: string; value: string } {
  const [key = '', ...value] = text.split('=')
  if (value.length === 0) throw new Error(`"${text}" is not KEY=VALUE.`)
  return { key, value: value.join('=') }
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
