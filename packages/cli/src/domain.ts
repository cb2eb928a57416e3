import { Command } from 'commander'
import { print, wholeNumber, withApp } from './command.ts'

interface CreateOptions {
  org: string
  name: string
  type?: string
  keyType?: string
  minLength?: number
  requestTimeout?: number
  maxAllowedRetries?: number
  activationCodeExpiration?: number
  requestPolling: boolean
  bypass: boolean
  numberMatching?: string
  onFraud?: string
  json?: boolean
}

/** `countersign domain …` */
export function domainCommand(): Command {
  const domain = new Command('domain').description('Domains: what users log in to, each with its own rules.')
  domain
    .command('create')
    .description('Create a domain in an organization.')
    .requiredOption('--org <id>', 'the organization')
    .requiredOption('--name <name>', 'what users see')
    .option('--type <type>', 'RADIUS, API, PAM, SAML, OIDC or OTHER', 'API')
    .option('--key-type <type>', 'how a phone is unlocked to approve: ONE_STEP, PIN or PASSCODE', 'ONE_STEP')
    .option(
      '--min-length <characters>',
      'of a PIN or passcode, 4 to 16; default 4 for PIN, 8 for PASSCODE',
      wholeNumber,
    )
    .option('--request-timeout <seconds>', 'life of a request, 30 to 600', wholeNumber)
    .option('--max-allowed-retries <number>', 'wrong PINs in a row that revoke a token, 1 to 10', wholeNumber)
    .option('--activation-code-expiration <days>', 'life of an activation code, 1 to 365', wholeNumber)
    .option('--number-matching <rule>', 'off, whenAsked or required')
    .option('--on-fraud <reaction>', 'what "not me" does to the token: suspend, notify or revoke')
    .option('--no-request-polling', 'tell devices not to poll while open')
    .option('--no-bypass', 'switch bypass codes off')
    .option('--json', 'print one JSON object')
    .action(async (options: CreateOptions) => print(await create(options), options))
  return domain
}

function create({ org, requestPolling, bypass, json: _, ...input }: CreateOptions) {
  const settings = { ...input, requestPollingEnabled: requestPolling, bypassEnabled: bypass }
  return withApp(async (app, server) => server.createDomain(app, await server.operatorOf(app, org), settings))
}
