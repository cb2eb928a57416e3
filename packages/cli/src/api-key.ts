import { Command } from 'commander'
import { asOperator, everything, type Options, print, printTable, verb, wholeNumber } from './command.ts'

interface CreateOptions extends Options {
  name: string
  scope: string
  domain?: string[]
  expires?: string
}

interface UpdateOptions extends Options {
  name?: string
  domain?: string[]
  anyDomain?: boolean
  expires?: string
}

const shownOnce = 'The API key is shown this once. Keep it where your application reads its secrets.\n'

/** `countersign api-key …` */
export function apiKeyCommand(): Command {
  const apiKey = new Command('api-key').description('API keys: what applications show to the REST API.')
  verb(apiKey, 'create', 'Create an API key, which is shown this once.')
    .requiredOption('--name <name>', 'what it is for')
    .requiredOption('--scope <scope>', 'auth, read, enroll or admin')
    .option('--domain <id...>', 'the only domains that it may act in; all unless told')
    .option('--expires <time>', 'when it stops working, such as 2027-12-31T23:59:59Z; never unless told')
    .action(create)
  verb(apiKey, 'list', 'List the API keys, with those that were revoked or have expired.').action(list)
  verb(apiKey, 'show <id>', 'Show an API key, but for the key itself.').action(show)
  verb(apiKey, 'update <id>', 'Change an API key that is not over.')
    .option('--name <name>', 'what it is for')
    .option('--domain <id...>', 'the only domains that it may act in')
    .option('--any-domain', 'let it act in all domains')
    .option('--expires <time>', 'when it stops working; "never" for never')
    .action(update)
  verb(apiKey, 'revoke <id>', 'Revoke an API key: the next request with it is refused.').action(revoke)
  verb(apiKey, 'rotate <id>', 'Replace an API key by another one, which is shown this once.')
    .option('--overlap-hours <hours>', 'how long the old one goes on working, 0 to 720; default 24', wholeNumber)
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

async function show(keyId: string, options: Options): Promise<void> {
  print(await asOperator(options.org, (app, actor, server) => server.getApiKey(app, actor, { keyId })), options)
}

async function update(keyId: string, { name, domain, anyDomain, expires, ...options }: UpdateOptions): Promise<void> {
  const changes = {
    ...(name !== undefined && { name }),
    ...(domain !== undefined && { domainIds: domain }),
    ...(anyDomain && { domainIds: null }),
    ...(expires !== undefined && { expiresAt: expires === 'never' ? null : expires }),
  }
  const key = asOperator(options.org, (app, actor, server) => server.updateApiKey(app, actor, { keyId, ...changes }))
  print(await key, options)
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
