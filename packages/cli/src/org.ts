import { Command } from 'commander'
import { print, withApp } from './command.ts'

/** `countersign org …` */
export function orgCommand(): Command {
  const org = new Command('org').description('Organizations: each has its own users, domains and API keys.')
  org
    .command('create')
    .description('Create an organization and its first API key, which is shown this once.')
    .requiredOption('--name <name>', 'what it is called')
    .option('--json', 'print one JSON object')
    .action(async (options: { name: string; json?: boolean }) => {
      print(await withApp((app, server) => server.createOrganization(app, options), { create: true }), options)
      if (!options.json)
        process.stderr.write('The API key is shown this once. Keep it where your application reads its secrets.\n')
    })
  return org
}
