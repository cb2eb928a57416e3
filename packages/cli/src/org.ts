import { Command } from 'commander'
import { asOperator, type Options, print, printTable, verb, withApp } from './command.ts'

/** `countersign org …` */
export function orgCommand(): Command {
  const org = new Command('org').description('Organizations: each has its own users, domains and API keys.')
  org
    .command('create')
    .description('Create an organization and its first API key, which is shown this once.')
    .requiredOption('--name <name>', 'what it is called')
    .option('--json', 'print JSON, on one line')
    .action(create)
  org
    .command('list')
    .description('List the organizations of this server.')
    .option('--json', 'print JSON, on one line')
    .action(list)
  verb(org, 'show', 'Show an organization.').action(show)
  verb(org, 'rename <name>', 'Rename an organization.').action(rename)
  return org
}

async function create(options: { name: string; json?: boolean }): Promise<void> {
  print(await withApp((app, server) => server.createOrganization(app, options), { create: true }), options)
  if (!options.json)
    process.stderr.write('The API key is shown this once. Keep it where your application reads its secrets.\n')
}

async function list(options: { json?: boolean }): Promise<void> {
  const organizations = await withApp((app, server) => server.listOrganizations(app))
  printTable(organizations, ['id', 'name', 'createdAt'], options)
}

async function show(options: Options): Promise<void> {
  print(await asOperator(options.org, (app, actor, server) => server.getManagedOrganization(app, actor)), options)
}

async function rename(name: string, options: Options): Promise<void> {
  print(await asOperator(options.org, (app, actor, server) => server.updateOrganization(app, actor, { name })), options)
}
