import type { Actor, App } from '@countersign/server/main.ts'
import { Command } from 'commander'
import { asOperator, everything, loadServer, print, printTable } from './command.ts'

interface Options {
  org: string
  json?: boolean
}

const linkLife = 'The link signs in once, within 15 minutes. Whoever has it is that administrator.\n'

/** `countersign admin …` */
export function adminCommand(): Command {
  const admin = new Command('admin').description('Administrators: people who sign in to the panel.')
  admin
    .command('create')
    .description('Create an administrator, and a link to sign in by.')
    .requiredOption('--org <id>', 'the organization')
    .requiredOption('--email <address>', 'unique in the organization')
    .requiredOption('--name <name>', 'what the others see')
    .requiredOption('--role <role>', 'owner, admin, helpdesk or auditor')
    .option('--json', 'print one JSON object')
    .action(create)
  admin
    .command('list')
    .description('List the administrators.')
    .requiredOption('--org <id>', 'the organization')
    .option('--json', 'print one JSON array')
    .action(list)
  admin
    .command('link <email>')
    .description('Make a link that signs an administrator in once. An earlier one is void.')
    .requiredOption('--org <id>', 'the organization')
    .option('--json', 'print one JSON object')
    .action(link)
  admin
    .command('disable <email>')
    .description('Keep an administrator from signing in, and end every session.')
    .requiredOption('--org <id>', 'the organization')
    .option('--json', 'print one JSON object')
    .action(disable)
  return admin
}

async function create({ org, json, ...input }: Options & { email: string; name: string; role: string }): Promise<void> {
  const created = await asOperator(org, async (app, actor, server) => {
    const administrator = await server.createAdministrator(app, actor, input)
    const { link, expiresAt } = await server.createSignInLink(app, actor, { administratorId: administrator.id })
    return { ...administrator, link, linkExpiresAt: expiresAt }
  })
  const { id, email, name, role, linkExpiresAt } = created
  print(json ? created : { id, email, name, role, link: created.link, linkExpiresAt }, { ...(json && { json }) })
  if (!json) process.stderr.write(linkLife)
}

async function list(options: Options): Promise<void> {
  const rows = await asOperator(options.org, (app, actor, server) =>
    everything((part) => server.listAdministrators(app, actor, part)),
  )
  printTable(rows, ['id', 'email', 'name', 'role', 'disabled', 'lastSignInAt'], options)
}

async function link(email: string, options: Options): Promise<void> {
  const made = await asOperator(options.org, async (app, actor, server) =>
    server.createSignInLink(app, actor, { administratorId: await idOf(app, actor, email) }),
  )
  print(made, options)
  if (!options.json) process.stderr.write(linkLife)
}

async function disable(email: string, options: Options): Promise<void> {
  const administrator = await asOperator(options.org, async (app, actor, server) =>
    server.updateAdministrator(app, actor, { administratorId: await idOf(app, actor, email), disabled: true }),
  )
  print(administrator, options)
}

async function idOf(app: App, actor: Actor, email: string): Promise<string> {
  const { findAdministrator } = await loadServer()
  return (await findAdministrator(app, actor, { email })).id
}
