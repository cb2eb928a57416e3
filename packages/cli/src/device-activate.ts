import { hostname } from 'node:os'
import type { DeviceStore, PendingActivation, StoredToken, Unlock } from '@countersign/sdk/device.ts'
import { type ActivationChoice, Authenticator, isCommonPin, isDeviceError } from '@countersign/sdk/device.ts'
import { say, type Terminal, visible } from './device-terminal.ts'

/** What the command line says about a new token. */
export interface ActivateOptions {
  server?: string
  code?: string
  username?: string
  link?: string
  pin?: string
  name?: string
}

/** What an activation link holds. */
interface Link {
  server: string
  code?: string
  secret?: string
  username?: string
}

/** Activates a token and returns it. Nothing is used up unless it succeeds. */
export async function activateToken(
  store: DeviceStore,
  terminal: Terminal,
  options: ActivateOptions,
): Promise<StoredToken> {
  const link: Partial<Link> = options.link === undefined ? {} : readLink(options.link)
  const server = originOf(options.server ?? link.server ?? missing('--server (or --link)'))
  // Read in this order, so that a script can write both to standard input.
  const code = (await given(terminal, options.code, 'Activation code: ')) ?? link.code ?? missing('--code (or --link)')
  const pin = await given(terminal, options.pin, 'New PIN: ')
  const username = options.username ?? link.username
  const proof =
    link.secret !== undefined && options.username === undefined
      ? { secret: link.secret }
      : { username: username ?? missing('--username') }
  const authenticator = new Authenticator({ server, store })
  const pending = await authenticator.begin(code, proof)
  say(`Adding ${visible(`${pending.domain.name} for ${pending.user}, at ${pending.server.name} (${server})`)}`)
  const unlock = await chooseUnlock(terminal, pending, pin)
  return finish(authenticator, pending, { unlock, device: deviceOf(options.name) })
}

/** An option that may stand for a line of standard input. */
export async function given(
  terminal: Terminal,
  option: string | undefined,
  question = '',
): Promise<string | undefined> {
  if (option !== '-') return option
  const line = await terminal.ask(terminal.interactive ? question : '', { hidden: true })
  return line ?? missing('the line on standard input that an option "-" asks for')
}

/** A new PIN, typed twice where somebody can be asked. A common one is warned about, and taken. */
export async function chooseNewPin(
  terminal: Terminal,
  { minLength }: { minLength: number },
  pin?: string,
): Promise<string> {
  const chosen = pin ?? (await typeTwice(terminal, minLength))
  if (isCommonPin(chosen))
    say('Warning: this PIN is one of those that are guessed first. You can change it: countersign device pin')
  return chosen
}

/** The origin of an address, which tokens are bound to. */
function originOf(address: string): string {
  const url = URL.parse(address)
  if (!url || !['https:', 'http:'].includes(url.protocol)) {
    throw new Error(`"${visible(address)}" is not the address of a server, such as https://mfa.example.org`)
  }
  const local = url.hostname === 'localhost' || url.hostname === '[::1]' || url.hostname.startsWith('127.')
  if (url.protocol === 'http:' && !local)
    say(`Warning: ${url.origin} is not encrypted; whoever is on the way can read the PIN's key.`)
  return url.origin
}

/** Throws that something was not given. */
export function missing(what: string): never {
  throw new Error(`Missing: ${what}`)
}

async function typeTwice(terminal: Terminal, minLength: number): Promise<string> {
  if (!terminal.interactive) return missing('--pin')
  const first = await terminal.ask(`New PIN or passcode (${minLength} characters or more): `, { hidden: true })
  const second = await terminal.ask('Once more: ', { hidden: true })
  if (first === undefined || first !== second) throw new Error('The two are not the same.')
  return first
}

async function chooseUnlock(
  terminal: Terminal,
  { policy }: PendingActivation,
  pin: string | undefined,
): Promise<Unlock> {
  if (policy.unlock.includes('pin')) return { pin: await chooseNewPin(terminal, policy, pin) }
  if (pin !== undefined) say('This domain asks for no PIN: it is not used.')
  return 'none'
}

async function finish(
  authenticator: Authenticator,
  pending: PendingActivation,
  choice: ActivationChoice,
): Promise<StoredToken> {
  try {
    return await authenticator.finish(pending, choice)
  } catch (error) {
    if (!isDeviceError(error, 'factor_required') || choice.unlock === 'none') throw error
    throw new Error('This domain asks for a passcode: letters and digits. The code is still good.')
  }
}

function deviceOf(name = hostname()): ActivationChoice['device'] {
  return { name: name.slice(0, 64), platform: process.platform, app: 'countersign-cli', persisted: true }
}

/** Reads https://{device origin}/a#c=code&s=secret&u=username; the fragment never reaches a server. */
function readLink(text: string): Link {
  const url = URL.parse(text)
  if (!url) throw new Error('The link is not a URL.')
  const members = new Map(
    url.hash
      .slice(1)
      .split('&')
      .map((part) => splitOnce(part)),
  )
  const [code, secret, username] = ['c', 's', 'u'].map((name) => members.get(name))
  return {
    server: url.origin,
    ...(code !== undefined && { code }),
    ...(secret !== undefined && { secret }),
    ...(username !== undefined && { username }),
  }
}

function splitOnce(part: string): [string, string] {
  const end = part.indexOf('=')
  try {
    return [part.slice(0, end), decodeURIComponent(part.slice(end + 1))]
  } catch (cause) {
    throw new Error('The link is damaged.', { cause })
  }
}
