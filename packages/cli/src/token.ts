import type { Actor, App } from '@countersign/server/main.ts'
import { Command, Option } from 'commander'
import { asOperator, everything, type Options, print, printTable, type Server, verb, wholeNumber } from './command.ts'
import { domainIdOf, userIdOf } from './names.ts'
import { qrCode } from './qr-code.ts'

interface ListOptions extends Options {
  user?: string
  domain?: string
  state?: 'pending' | 'active' | 'revoked' | 'expired'
  limit: number
}

interface Member {
  domainId: string
  userId: string
}

const forTheUserAlone =
  'Whoever has the code, the link or this picture of it can become the user’s authenticator: hand it over with care.\n'

/** `countersign token …` */
export function tokenCommand(): Command {
  const token = new Command('token').description('Tokens: a user’s device in a domain. Both are named by id or name.')
  verb(token, 'list', 'List the tokens, the newest first, with those that have ended.')
    .option('--user <user>', 'only of this user')
    .option('--domain <domain>', 'only in this domain')
    .addOption(new Option('--state <state>').choices(['pending', 'active', 'revoked', 'expired']))
    .option('--limit <number>', 'how many at most', wholeNumber, 100)
    .action(list)
  verb(
    token,
    'show <domain> <user>',
    'Show the token of a member, with its activation code while it is pending; that it was shown is recorded.',
  ).action(onMember(show))
  verb(
    token,
    'create <domain> <user>',
    'Give a member a token, and show its activation code while it is pending.',
  ).action(onMember((app, actor, { server, ...member }) => server.createManagedToken(app, actor, member)))
  verb(token, 'reissue <domain> <user>', 'Replace the token of a member, for a new phone, and show the code.').action(
    onMember((app, actor, { server, ...member }) => server.reissueManagedToken(app, actor, member)),
  )
  verb(token, 'resume <domain> <user>', 'End the suspension of a member’s token.').action(
    onMember(async (app, actor, { server, ...member }) => {
      await server.resumeToken(app, actor, member)
      return server.getManagedToken(app, actor, member)
    }),
  )
  verb(token, 'revoke <domain> <user>', 'Revoke the token of a member, for good.').action(
    onMember(async (app, actor, { server, ...member }) => {
      await server.revokeToken(app, actor, member)
      return { ...member, revoked: true }
    }),
  )
  return token
}

async function list(options: ListOptions): Promise<void> {
  const { org, user, domain, state, limit } = options
  const tokens = await asOperator(org, async (app, actor, server) => {
    const filter = {
      ...(user !== undefined && { userId: await userIdOf(app, actor, user) }),
      ...(domain !== undefined && { domainId: await domainIdOf(app, actor, domain) }),
      ...(state !== undefined && { state }),
    }
    return everything((part) => server.listTokens(app, actor, { ...part, ...filter }), limit)
  })
  const columns = [
    ['user', ({ user }) => user.username ?? user.id],
    ['domain', ({ domain }) => domain.name ?? domain.id],
    'state',
    'factor',
    ['device', ({ device }) => device?.name],
    'createdAt',
    'lastAnswerAt',
    'suspendedUntil',
  ] as const satisfies Parameters<typeof printTable<(typeof tokens)[number]>>[1]
  printTable(tokens, columns, options)
}

async function show(app: App, actor: Actor, { server, ...member }: Member & { server: Server }): Promise<object> {
  const token = await server.getManagedToken(app, actor, member)
  return token.state === 'pending' ? { ...token, ...(await server.getActivationCode(app, actor, member)) } : token
}

/** An action on the token of the member that the arguments name. People get a code with its QR code and a warning. */
function onMember(work: (app: App, actor: Actor, about: Member & { server: Server }) => Promise<object>) {
  return async (domain: string, user: string, options: Options): Promise<void> => {
    const shown = await asOperator(options.org, async (app, actor, server) => {
      const member = { domainId: await domainIdOf(app, actor, domain), userId: await userIdOf(app, actor, user) }
      return work(app, actor, { server, ...member })
    })
    print(shown, options)
    if ('link' in shown && !options.json) showLink(String(shown.link))
  }
}

function showLink(link: string): void {
  const lines = qrCode(link, { colours: process.stdout.isTTY === true })
  process.stdout.write(`\n${lines.join('\n')}\n\n`)
  process.stderr.write(forTheUserAlone)
}
