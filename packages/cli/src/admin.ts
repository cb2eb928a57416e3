import type { Actor, App } from '@countersign/server/main.ts'
import { Command } from 'commander'
import { asOperator, everything, loadServer, type Options, print, printTable, verb } from './command.ts'

interface Changes {
  name?: string
  role?: string
  disabled?: boolean
}

const linkLife = 'The link signs in once, within 15 minutes. Whoever has it is that administrator.\n'

/** `countersign admin …` */
export function adminCommand(): Command {
  const admin = new Command('admin').description('Administrators: people who sign in to the panel.')
  verb(admin, 'create', 'Create an administrator, and a link to sign in by.')
    .requiredOption('--email <address>', 'unique in the organization')
    .requiredOption('--name <name>', 'what the others see')
    .requiredOption('--role <role>', 'owner, admin, helpdesk or auditor')
    .action(create)
  verb(admin, 'list', 'List the administrators.').action(list)
  verb(admin, 'link <email>', 'Make a link that signs an administrator in once. An earlier one is void.').action(link)
  verb(admin, 'show <email>', 'Show an administrator.').action(show)
  verb(admin, 'update <email>', 'Change an administrator. Another role ends every session.')
    .option('--name <name>', 'what the others see')
    .option('--role <role>', 'owner, admin, helpdesk or auditor')
    .action(update)
  verb(admin, 'disable <email>', 'Keep an administrator from signing in, and end every session.').action(
    (email: string, options: Options) => update(email, { ...options, disabled: true }),
  )
  verb(admin, 'enable <email>', 'Let an administrator sign in again.').action((email: string, options: Options) =>
    update(email, { ...options, disabled: false }),
  )
  verb(admin, 'delete <email>', 'Delete an administrator, and end every session.').action(remove)
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

async function show(email: string, options: Options): Promise<void> {
  const administrator = await asOperator(options.org, (app, actor, server) =>
    server.findAdministrator(app, actor, { email }),
  )
  print(administrator, options)
}

async function update(email: string, { org, json = false, ...changes }: Options & Changes): Promise<void> {
  const administrator = await asOperator(org, async (app, actor, server) =>
    server.updateAdministrator(app, actor, { ...changes, administratorId: await idOf(app, actor, email) }),
  )
  print(administrator, { json })
}

async function remove(email: string, options: Options): Promise<void> {
  const id = await asOperator(options.org, async (app, actor, server) => {
    const administratorId = await idOf(app, actor, email)
    await server.deleteAdministrator(app, actor, { administratorId })
    return administratorId
  })
  print({ id, deleted: true }, options)
}

async function idOf(app: App, actor: Actor, email: string): Promise<string> {
  const { findAdministrator } = await loadServer()
  return (await findAdministrator(app, actor, { email })).id
}
