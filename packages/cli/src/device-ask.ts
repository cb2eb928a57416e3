import type { DenyReason } from '@countersign/protocol/device-messages.ts'
import type { Approval, SignInRequest } from '@countersign/sdk/device.ts'
import { say, type Terminal, visible } from './device-terminal.ts'

/** What the user decided about a request. */
export type Decision =
  | { answer: 'approve'; approval: Approval }
  | { answer: 'deny'; why: DenyReason }
  | { answer: 'skip' }

// A key that was pressed for something else must not approve what has just appeared.
const armedAfterMs = 700
const ways = { api: 'an application', radius: 'a RADIUS client', panel: 'an administrator' }
const choices: Record<string, 'approve' | DenyReason | 'skip'> = { a: 'approve', m: 'mistake', n: 'not_me', s: 'skip' }

/** Everything that the challenge says; what the server vouches for apart from what the application claims. */
export function describe({ challenge, suspicious }: SignInRequest): string[] {
  const { domain, user, ip, iat, exp, via, attrs } = challenge
  const server: [string, string][] = [
    ['Sign in to', domain.name],
    ['User', user],
    ['From', ip ?? 'an address that was not given'],
    ['Time', `${new Date(iat * 1000).toISOString()}, for ${exp - iat} seconds`],
    ['Asked by', ways[via]],
  ]
  const application = attrs.map(({ k, v }): [string, string] => [k, v])
  return [
    '',
    '== Sign-in request ==',
    ...(suspicious ? ['!! More than one request is waiting: at least one of them is not yours.'] : []),
    'The server says:',
    ...table(server),
    ...(application.length > 0
      ? ['The application says (the server does not vouch for it):', ...table(application)]
      : []),
    '',
  ]
}

/** Shows a request and asks what to do. Throws when nobody can be asked any more: that is no answer. */
export async function decide(
  terminal: Terminal,
  request: SignInRequest,
  { pin, number, signal }: Approval & { signal: AbortSignal },
): Promise<Decision> {
  say(...describe(request))
  const choice = await choose(terminal, signal)
  if (choice === 'skip') return { answer: 'skip' }
  if (choice !== 'approve') return { answer: 'deny', why: choice }
  const approval = await askProofs(terminal, request, { ...(pin && { pin }), ...(number && { number }), signal })
  return { answer: 'approve', approval }
}

/** Asks for what an approval needs and was not given: the number and the PIN. */
export async function askProofs(
  terminal: Terminal,
  { challenge }: SignInRequest,
  { pin, number, signal }: Approval & { signal: AbortSignal },
): Promise<Approval> {
  const { match, unlock } = challenge
  const ask = async (text: string, hidden: boolean) => heard(await terminal.ask(text, { hidden, signal }))
  const typedNumber = match.type === 'enter' ? (number ?? (await ask(numberQuestion(match.len), false))) : ''
  const typedPin = unlock === 'pin' ? (pin ?? (await ask('PIN: ', true))) : ''
  return { ...(typedNumber !== '' && { number: typedNumber }), ...(typedPin !== '' && { pin: typedPin }) }
}

async function choose(terminal: Terminal, signal: AbortSignal): Promise<'approve' | DenyReason | 'skip'> {
  for (;;) {
    const question = 'a = approve, m = deny (my mistake), n = deny (not me!), s = skip: '
    const line = heard(await terminal.ask(question, { armedAfterMs, signal }))
    const choice = choices[line.trim().toLowerCase()]
    if (choice) return choice
  }
}

function heard(line: string | undefined): string {
  if (line === undefined) throw new Error('Nobody can be asked: standard input has ended.')
  return line
}

function numberQuestion(length: number): string {
  return `The ${length} digits that the sign-in page shows: `
}

function table(rows: [string, string][]): string[] {
  const width = Math.max(...rows.map(([name]) => visible(name).length))
  return rows.map(([name, value]) => `  ${visible(name).padEnd(width)}  ${visible(value)}`)
}
