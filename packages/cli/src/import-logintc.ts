import { CountersignClient, type Domain, type User } from '@countersign/sdk/rest.ts'
import type { Actor, App } from '@countersign/server/main.ts'
import type { Command } from 'commander'
import { asOperator, everything, type Server } from './command.ts'
import { given } from './device-activate.ts'
import { Terminal } from './device-terminal.ts'
import { type ImportOptions, report, section, withProgress, would } from './import-report.ts'
import { startProgress } from './progress.ts'

interface LoginTcOptions extends ImportOptions {
  url: string
  key: string
}

/** What another server has. */
interface Remote {
  users: User[]
  /** those that somebody is a member of: its API has no list of them */
  domains: Domain[]
}

interface CopiedDomain {
  name: string
  /** null where it would have to be created first */
  id: string | null
  created: boolean
  members: number
  added: number
}

interface Copied {
  created: number
  existing: number
  domains: CopiedDomain[]
  refused: { username: string; problem: string }[]
}

/** `countersign import logintc` */
export function addLoginTcImport(command: Command): void {
  command
    .command('logintc')
    .description(
      'Copy users and memberships from a server with LoginTC’s REST API, which is only read. Domains are found by name, or ' +
        'made with the rules that they have there. Tokens stay behind: everybody activates a new one. Exit code 1 when any ' +
        'user was refused.',
    )
    .requiredOption('--url <origin>', 'of the other server, such as https://cloud.logintc.com')
    .requiredOption('--key <->', 'read its API key from standard input')
    .option('--org <id>', 'the organization; may be left out where there is only one')
    .option('--dry-run', 'say what would happen and change nothing')
    .option('--json', 'print JSON, on one line')
    .action(importLoginTc)
}

async function importLoginTc(options: LoginTcOptions): Promise<void> {
  const { org, dryRun = false } = options
  const remote = await read(clientOf(options.url, await readKey(options.key)))
  // Each user is looked at once as such, and once for each membership.
  const total = remote.users.reduce((sum, { domains }) => sum + 1 + domains.length, 0)
  const result = await withProgress(total, (onProgress) =>
    asOperator(org, (app, actor, server) => copy(app, actor, { server, remote, dryRun, onProgress })),
  )
  const { created, existing, domains, refused } = result
  report(options, { users: remote.users.length, ...result }, [
    `${would(dryRun, 'created')}: ${created}. There already: ${existing}. Refused: ${refused.length}.`,
    ...section(domains, [
      ['Domain', ({ name }) => name],
      ['Here', ({ created }) => (created ? would(dryRun, 'created').toLowerCase() : 'there already')],
      ['Members', ({ members }) => members],
      [would(dryRun, 'added'), ({ added }) => added],
    ]),
    ...section(refused, [
      ['User name', ({ username }) => username],
      ['Refused because', ({ problem }) => problem],
    ]),
  ])
}

/** What a command line holds others on the machine can read: a key comes by standard input only. */
async function readKey(option: string): Promise<string> {
  if (option !== '-') throw new Error('--key takes only "-": write it to standard input.')
  const terminal = new Terminal()
  try {
    return ((await given(terminal, option, 'API key of the other server: ')) ?? '').trim()
  } finally {
    terminal.close()
  }
}

function clientOf(url: string, apiKey: string): CountersignClient {
  if (!URL.canParse(url)) throw new Error(`--url: "${url}" is no address, such as https://cloud.logintc.com.`)
  if (!/^[0-9A-Za-z]{64}$/.test(apiKey)) throw new Error('An API key has 64 letters and digits.')
  return new CountersignClient({ url, apiKey })
}

/** Everything is read before anything is changed: what is read only in part must not pass for the whole. */
async function read(client: CountersignClient): Promise<Remote> {
  const progress = startProgress()
  try {
    const users: User[] = []
    for await (const user of client.users()) {
      users.push(user)
      progress.show(`Reading users: ${users.length}`)
    }
    const domains: Domain[] = []
    for (const id of new Set(users.flatMap((user) => user.domains))) domains.push(await client.getDomain(id))
    return { users, domains }
  } finally {
    progress.end()
  }
}

interface Work {
  server: Server
  remote: Remote
  dryRun: boolean
  onProgress(done: number): void
}

async function copy(app: App, actor: Actor, { server, remote, dryRun, onProgress }: Work): Promise<Copied> {
  const entries = remote.users.map(({ username, name, email }, index) => ({ line: index + 1, username, name, email }))
  const { created, existing, refused } = await server.importUsers(app, actor, { entries, dryRun, onProgress })
  const refusedLines = new Set(refused.map(({ line }) => line))
  const places = await everything((part) => server.listDomains(app, actor, { ...part, limit: 1_000 }))
  const domains: CopiedDomain[] = []
  let done = entries.length
  for (const domain of remote.domains) {
    const members = entries.filter(
      ({ line }) => !refusedLines.has(line) && remote.users[line - 1]?.domains.includes(domain.id),
    )
    const before = done
    const work: MemberWork = { server, domain, members, dryRun, onProgress: (count) => onProgress(before + count) }
    domains.push(await copyDomain(app, actor, { ...work, found: places.filter(({ name }) => name === domain.name) }))
    done += members.length
  }
  const problems = refused.map(({ line, problem }) => ({ username: entries[line - 1]?.username ?? '', problem }))
  return { created, existing: existing.length, domains, refused: problems }
}

interface MemberWork extends Omit<Work, 'remote'> {
  domain: Domain
  members: { line: number; username: string; name: string; email: string }[]
}

async function copyDomain(
  app: App,
  actor: Actor,
  { server, domain, members, found, dryRun, onProgress }: MemberWork & { found: { id: string }[] },
): Promise<CopiedDomain> {
  const { id: _, ...rules } = domain
  const counts = { name: domain.name, members: members.length }
  if (found.length > 1) throw new Error(`Several domains are called "${domain.name}": rename all but one.`)
  if (found.length === 0 && dryRun) return { ...counts, id: null, created: true, added: members.length }
  const id = found[0]?.id ?? (await server.createDomain(app, actor, rules)).id
  const { added } = await server.importUsers(app, actor, { entries: members, domainId: id, dryRun, onProgress })
  return { ...counts, id, created: found.length === 0, added }
}
