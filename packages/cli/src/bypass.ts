import { Command } from 'commander'
import { asOperator, everything, type Options, print, printTable, verb, wholeNumber } from './command.ts'
import { userIdOf } from './names.ts'

interface CreateOptions extends Options {
  uses?: number
  expires?: string
}

/** `countersign bypass …` */
export function bypassCommand(): Command {
  const bypass = new Command('bypass').description('Bypass codes: for users without a phone at hand.')
  verb(
    bypass,
    'list <user>',
    'List the bypass codes of a user, with the codes. That they were read is recorded.',
  ).action(list)
  verb(bypass, 'create <user>', 'Create a bypass code for a user, who has five live ones at most.')
    .option('--uses <number>', 'logins that it is good for, 1 to 1000; 1 unless told', wholeNumber)
    .option('--expires <time>', 'such as 2027-01-16T08:00:00Z, within a year; never unless told')
    .action(create)
  verb(bypass, 'delete <id>', 'Delete a bypass code.').action(remove)
  return bypass
}

async function list(user: string, options: Options): Promise<void> {
  const codes = await asOperator(options.org, async (app, actor, server) => {
    const userId = await userIdOf(app, actor, user)
    return everything((part) => server.listManagedBypassCodes(app, actor, { ...part, userId }))
  })
  printTable(codes, ['id', 'code', 'usesAllowed', 'usesRemaining', 'expiresAt', 'createdAt'], options)
}

async function create(user: string, { uses, expires, ...options }: CreateOptions): Promise<void> {
  const code = await asOperator(options.org, async (app, actor, server) =>
    server.createManagedBypassCode(app, actor, {
      userId: await userIdOf(app, actor, user),
      ...(uses !== undefined && { usesAllowed: uses }),
      ...(expires !== undefined && { expiresAt: expires }),
    }),
  )
  print(code, options)
}

async function remove(bypassCodeId: string, options: Options): Promise<void> {
  await asOperator(options.org, (app, actor, server) => server.deleteBypassCode(app, actor, { bypassCodeId }))
  print({ id: bypassCodeId, deleted: true }, options)
}
