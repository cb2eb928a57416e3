import { Command } from 'commander'
import { asOperator, everything, print, printTable, wholeNumber } from './command.ts'

interface Options {
  org: string
  json?: boolean
}

interface CreateOptions extends Options {
  name: string
  scope: string
  domain?: string[]
  expires?: string
}

const shownOnce = 'The API key is shown this once. Keep it where your application reads its secrets.\n'

/** `countersign api-key …` */
export function apiKeyCommand(): Command {
  const apiKey = new Command('api-key').description('API keys: what applications show to the REST API.')
  apiKey
    .command('create')
    .description('Create an API key, which is shown this once.')
    .requiredOption('--org <id>', 'the organization')
    .requiredOption('--name <name>', 'what it is for')
    .requiredOption('--scope <scope>', 'auth, read, enroll or admin')
    .option('--domain <id...>', 'the only domains that it may act in; all unless told')
    .option('--expires <time>', 'when it stops working, such as 2027-12-31T23:59:59Z; never unless told')
    .option('--json', 'print one JSON object')
    .action(create)
  apiKey
    .command('list')
    .description('List the API keys, with those that were revoked or have expired.')
    .requiredOption('--org <id>', 'the organization')
    .option('--json', 'print one JSON array')
    .action(list)
  apiKey
    .command('revoke <id>')
    .description('Revoke an API key: the next request with it is refused.')
    .requiredOption('--org <id>', 'the organization')
    .option('--json', 'print one JSON object')
    .action(revoke)
  apiKey
    .command('rotate <id>')
    .description('Replace an API key by another one, which is shown this once.')
    .requiredOption('--org <id>', 'the organization')
    .option('--overlap-hours <hours>', 'how long the old one goes on working, 0 to 720; default 24', wholeNumber)
    .option('--json', 'print one JSON object')
    .action(rotate)
  return apiKey
}

async function create({ org, json, domain, expires, name, scope }: CreateOptions): Promise<void> {
  const input = { name, scope, domainIds: domain ?? null, expiresAt: expires ?? null }
  printKey(await asOperator(org, (app, actor, server) => server.createApiKey(app, actor, input)), json)
}

async function list(options: Options): Promise<void> {
  const rows = await asOperator(options.org, (app, actor, server) =>
    everything((part) => server.listApiKeys(app, actor, part)),
  )
  printTable(rows, ['id', 'name', 'prefix', 'scope', 'domainIds', 'expiresAt', 'revokedAt', 'lastUsedAt'], options)
}

async function revoke(keyId: string, options: Options): Promise<void> {
  await asOperator(options.org, (app, actor, server) => server.revokeApiKey(app, actor, { keyId }))
  print({ id: keyId, revoked: true }, options)
}

async function rotate(keyId: string, { org, json, ...input }: Options & { overlapHours?: number }): Promise<void> {
  printKey(await asOperator(org, (app, actor, server) => server.rotateApiKey(app, actor, { keyId, ...input })), json)
}

function printKey(key: { id: string; name: string; scope: string; apiKey: string }, json = false): void {
  const { id, name, scope, apiKey } = key
  print(json ? key : { id, name, scope, apiKey }, { json })
  if (!json) process.stderr.write(shownOnce)
}
