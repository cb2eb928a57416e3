import { Command } from 'commander'
import { asOperator, everything, type Options, print, printTable, verb } from './command.ts'
import { domainIdOf, userIdOf } from './names.ts'

/** `countersign member …` */
export function memberCommand(): Command {
  const member = new Command('member').description('Members: the users of a domain. Both are named by id or name.')
  verb(member, 'list <domain>', 'List the members of a domain in the order of their names.')
    .option('--starts-with <text>', 'how the user name begins, in any case')
    .action(list)
  verb(member, 'add <domain> <user>', 'Make a user a member of a domain.').action(add)
  verb(member, 'remove <domain> <user>', 'Take a user out of a domain; the token there is revoked.').action(remove)
  return member
}

async function list(domain: string, options: Options & { startsWith?: string }): Promise<void> {
  const { org, startsWith: q = '' } = options
  const users = await asOperator(org, async (app, actor, server) => {
    const domainId = await domainIdOf(app, actor, domain)
    return everything((part) => server.listManagedMembers(app, actor, { ...part, domainId, q, limit: 1_000 }))
  })
  printTable(users, ['id', 'username', 'name', 'email', 'lockedUntil'], options)
}

async function add(domain: string, user: string, options: Options): Promise<void> {
  const member = await asOperator(options.org, async (app, actor, server) => {
    const member = { domainId: await domainIdOf(app, actor, domain), userId: await userIdOf(app, actor, user) }
    await server.addMember(app, actor, member)
    return member
  })
  print({ ...member, member: true }, options)
}

async function remove(domain: string, user: string, options: Options): Promise<void> {
  const member = await asOperator(options.org, async (app, actor, server) => {
    const member = { domainId: await domainIdOf(app, actor, domain), userId: await userIdOf(app, actor, user) }
    await server.removeMember(app, actor, member)
    return member
  })
  print({ ...member, member: false }, options)
}
