import { Command } from 'commander'
import { asOperator, everything, type Options, print, printTable, verb } from './command.ts'
import { userIdOf } from './names.ts'

interface Fields {
  name?: string
  email?: string
}

/** `countersign user …` */
export function userCommand(): Command {
  const user = new Command('user').description('Users, each named by id or user name.')
  verb(user, 'list', 'List the users in the order of their names.')
    .option('--starts-with <text>', 'how the user name begins, in any case')
    .action(list)
  verb(user, 'show <user>', 'Show a user.').action(show)
  verb(user, 'create <username>', 'Create a user. A user name cannot be changed later.')
    .option('--name <name>', 'the user name unless told')
    .option('--email <address>')
    .action(create)
  verb(user, 'update <user>', 'Change a user’s name or address.')
    .option('--name <name>')
    .option('--email <address>', '"" for none')
    .action(update)
  verb(user, 'delete <user>', 'Delete a user with memberships, tokens and codes. There is no way back.').action(remove)
  verb(user, 'unlock <user>', 'End a lock from wrong codes.').action(unlock)
  return user
}

async function list({ startsWith: q = '', ...options }: Options & { startsWith?: string }): Promise<void> {
  const users = await asOperator(options.org, (app, actor, server) =>
    everything((part) => server.listManagedUsers(app, actor, { ...part, q, limit: 1_000 })),
  )
  const domains = ['domains', ({ domains }: { domains: string[] }) => domains.length] as const
  printTable(users, ['id', 'username', 'name', 'email', domains, 'lockedUntil'], options)
}

async function show(named: string, options: Options): Promise<void> {
  const user = await asOperator(options.org, async (app, actor, server) =>
    server.getManagedUser(app, actor, { userId: await userIdOf(app, actor, named) }),
  )
  print(user, options)
}

async function create(username: string, { org, json = false, ...fields }: Options & Fields): Promise<void> {
  const input = { username, ...fields }
  print(await asOperator(org, (app, actor, server) => server.createManagedUser(app, actor, input)), { json })
}

async function update(named: string, { org, json = false, ...fields }: Options & Fields): Promise<void> {
  const user = await asOperator(org, async (app, actor, server) =>
    server.updateManagedUser(app, actor, { ...fields, userId: await userIdOf(app, actor, named) }),
  )
  print(user, { json })
}

async function remove(named: string, options: Options): Promise<void> {
  const id = await asOperator(options.org, async (app, actor, server) => {
    const userId = await userIdOf(app, actor, named)
    await server.deleteUser(app, actor, { userId })
    return userId
  })
  print({ id, deleted: true }, options)
}

async function unlock(named: string, options: Options): Promise<void> {
  const user = await asOperator(options.org, async (app, actor, server) => {
    const userId = await userIdOf(app, actor, named)
    await server.unlockUser(app, actor, { userId })
    return server.getManagedUser(app, actor, { userId })
  })
  print(user, options)
}
