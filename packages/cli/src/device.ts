import { Authenticator, DeviceError, type StoredToken } from '@countersign/sdk/device.ts'
import { Command, Option } from 'commander'
import { type ActivateOptions, activateToken, chooseNewPin, given, missing } from './device-activate.ts'
import { fileStore } from './device-file.ts'
import { jsonLine, say, Terminal, visible } from './device-terminal.ts'
import { type WatchOptions, watchRequests } from './device-watch.ts'

interface StoreOptions {
  store: string
  json?: boolean
}

interface TokenOptions extends StoreOptions {
  tid?: string
  pin?: string
  newPin?: string
}

type WatchArguments = StoreOptions &
  Pick<WatchOptions, 'answer' | 'pin' | 'number'> & { once?: boolean; timeout?: number }

/** `countersign device …`: an authenticator for the terminal. */
export function deviceCommand(): Command {
  return new Command('device')
    .description('An authenticator for the terminal: it holds tokens in a file and answers requests.')
    .addCommand(activateCommand())
    .addCommand(watchCommand())
    .addCommand(listCommand())
    .addCommand(pinCommand())
    .addCommand(rotateCommand())
    .addCommand(removeCommand())
}

function activateCommand(): Command {
  return storeCommand('activate', 'Make this terminal the authenticator of a user, by an activation code or link.')
    .option('--server <url>', 'the address for authenticators, such as https://mfa.example.org')
    .option('--code <code>', 'the activation code; - reads it from standard input')
    .option('--username <name>', 'the user it was made for')
    .option('--link <url>', 'the activation link, instead of server, code and user name')
    .option('--pin <pin>', 'the PIN or passcode to set; - reads it from standard input, after the code')
    .option('--name <text>', 'what administrators see as the name of this device')
    .action(action<ActivateOptions & StoreOptions>((options, terminal) => activate(options, terminal)))
}

function watchCommand(): Command {
  const answer = new Option('--answer <how>', 'what to do with a request').choices(['approve', 'deny', 'ask'])
  return storeCommand('watch', 'Wait for requests and answer them. Prints a line of JSON for each answer.')
    .addOption(answer.makeOptionMandatory())
    .option('--pin <pin>', 'the PIN to approve with; - reads it from standard input')
    .option('--number <digits>', 'the number that the sign-in page shows')
    .option('--once', 'end after the first answer')
    .option('--timeout <seconds>', 'end when nothing was answered for so long', readSeconds)
    .action(action<WatchArguments>((options, terminal) => watch(options, terminal)))
}

function listCommand(): Command {
  return storeCommand('list', 'Show the tokens of this authenticator.').action(
    action<StoreOptions>((options) => list(options)),
  )
}

function pinCommand(): Command {
  return tokenCommand('pin', 'Change the PIN or passcode of a token.')
    .option('--pin <pin>', 'the PIN that is; - reads it from standard input')
    .option('--new-pin <pin>', 'the PIN that shall be; - reads it from standard input, after the other')
    .action(action<TokenOptions>((options, terminal) => changePin(options, terminal)))
}

function rotateCommand(): Command {
  return tokenCommand('rotate', 'Replace the signing key of a token.')
    .option('--pin <pin>', 'the PIN; - reads it from standard input')
    .action(action<TokenOptions>((options, terminal) => rotate(options, terminal)))
}

function removeCommand(): Command {
  const command = tokenCommand('remove', 'Give a token up, on the server and here.')
  return command.action(action<TokenOptions>((options) => remove(options)))
}

function storeCommand(name: string, description: string): Command {
  return new Command(name)
    .description(description)
    .requiredOption('--store <file>', 'the file that holds the tokens')
    .option('--json', 'print JSON')
}

function tokenCommand(name: string, description: string): Command {
  return storeCommand(name, description).option('--tid <tid>', 'which token; needed when there are several')
}

async function activate(options: ActivateOptions & StoreOptions, terminal: Terminal): Promise<void> {
  const { tid, state, user, domain } = await activateToken(fileStore(options.store), terminal, options)
  print(options, { state, tid }, `${user} can now answer requests of ${domain.name} here.`)
}

async function watch(options: WatchArguments, terminal: Terminal): Promise<void> {
  const { answer, number, once = false, timeout } = options
  const pin = await given(terminal, options.pin, 'PIN: ')
  await watchRequests(fileStore(options.store), terminal, {
    ...{ answer, once },
    ...(pin !== undefined && { pin }),
    ...(number !== undefined && { number }),
    ...(timeout !== undefined && { timeoutMs: timeout * 1000 }),
  })
}

async function list(options: StoreOptions): Promise<void> {
  const tokens = (await fileStore(options.store).load()).map(({ tid, state, aud, server, domain, user, pin }) => {
    return { tid, state, server: aud, serverName: server.name, domain: domain.name, user, unlock: pin?.kind ?? 'none' }
  })
  if (options.json) process.stdout.write(jsonLine(tokens))
  else if (tokens.length === 0) say('There is no token here.')
  else for (const token of tokens) process.stdout.write(`${Object.values(token).map(visible).join('  ')}\n`)
}

async function changePin(options: TokenOptions, terminal: Terminal): Promise<void> {
  const { token, authenticator } = await open(options)
  const oldPin = await askPin(terminal, options.pin)
  const pin = await chooseNewPin(terminal, token.policy, await given(terminal, options.newPin, 'New PIN: '))
  await authenticator.changeFactor(token.tid, { oldPin, pin })
  print(options, { tid: token.tid, factor: 'ok' }, 'The PIN is changed.')
}

async function rotate(options: TokenOptions, terminal: Terminal): Promise<void> {
  const { token, authenticator } = await open(options)
  const pin = token.pin && (await askPin(terminal, options.pin))
  await authenticator.rotateKey(token.tid, pin === undefined ? {} : { pin })
  print(options, { tid: token.tid, rotated: true }, 'The token has a new key.')
}

async function remove(options: TokenOptions): Promise<void> {
  const { token, authenticator } = await open(options)
  await authenticator.remove(token.tid)
  print(options, { tid: token.tid, state: 'removed' }, 'The token is removed, here and on the server.')
}

async function open({ store: file, tid }: TokenOptions): Promise<{ token: StoredToken; authenticator: Authenticator }> {
  const store = fileStore(file)
  const tokens = await store.load()
  const [token, ...more] = tid === undefined ? tokens : tokens.filter((candidate) => candidate.tid === tid)
  if (!token) throw new Error(tid === undefined ? 'There is no token here.' : `There is no token ${visible(tid)} here.`)
  if (more.length > 0) return missing('--tid, since there are several tokens (countersign device list)')
  return { token, authenticator: new Authenticator({ server: token.aud, store }) }
}

async function askPin(terminal: Terminal, option: string | undefined): Promise<string> {
  const pin = await given(terminal, option, 'PIN: ')
  if (pin !== undefined) return pin
  const typed = terminal.interactive ? await terminal.ask('PIN: ', { hidden: true }) : undefined
  return typed ?? missing('--pin')
}

function print({ json }: StoreOptions, value: object, sentence: string): void {
  process.stdout.write(json ? jsonLine(value) : `${visible(sentence)}\n`)
}

/** Gives a command the terminal, and takes from a server's error message what a terminal would obey. */
function action<Options>(
  run: (options: Options, terminal: Terminal) => Promise<void>,
): (options: Options) => Promise<void> {
  return async (options) => {
    const terminal = new Terminal()
    try {
      await run(options, terminal)
    } catch (error) {
      throw error instanceof DeviceError ? new Error(visible(error.message), { cause: rootOf(error.cause) }) : error
    } finally {
      terminal.close()
    }
  }
}

/** The innermost cause: fetch wraps what the system said. */
function rootOf(error: unknown): unknown {
  return error instanceof Error && error.cause !== undefined ? rootOf(error.cause) : error
}

function readSeconds(text: string): number {
  if (/^\d{1,6}$/.test(text)) return Number(text)
  throw new Error(`"${visible(text)}" is not a number of seconds.`)
}
