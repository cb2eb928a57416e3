// npm test: every test file, against SQLite and a PostgreSQL of its own.
//
//   npm test                                          everything
//   npm test -- --fast                                without the test/endurance folders
//   npm test -- packages/server/test/api/tokens.test.ts packages/sdk/test
//   npm test -- --test-name-pattern='a second token'  what node --test understands
//
// DATABASE_URL names a PostgreSQL to use instead. The tests find either one in COUNTERSIGN_TEST_POSTGRES.
import { spawn } from 'node:child_process'
import { globSync } from 'node:fs'
import { constants } from 'node:os'
import { join } from 'node:path'
import { startPostgres } from './postgres.ts'
import { pathWithRuntimes } from './runtimes.ts'
import { installSystemPackages } from './system-packages.ts'

const runnerFlags = [
  '--disable-warning=ExperimentalWarning',
  '--test',
  '--test-concurrency=2',
  '--test-reporter=spec',
  '--test-timeout=1200000', // a test that hangs fails after 20 minutes
]

const args = process.argv.slice(2)
const flags = args.filter((arg) => arg.startsWith('-') && arg !== '--fast')
const paths = args.filter((arg) => !arg.startsWith('-'))
const isFast = (file: string) => !file.includes('/test/endurance/')
const files = (paths.length > 0 ? paths : ['packages/*/test'])
  .flatMap(testFiles)
  .filter((file) => !args.includes('--fast') || isFast(file))
if (files.length === 0) fail('No test file is left to run.')
installSystemPackages([
  ...(files.every(isFast) ? [] : (['oathtool'] as const)),
  ...(files.some((file) => file.includes('/authenticator/')) ? (['chromium'] as const) : []),
])
if (!args.includes('--fast') && files.some((file) => file.endsWith('sdk/test/package.test.ts')))
  process.env.PATH = pathWithRuntimes()
process.exit(await runTests())

/** A file, a folder with all below it, or a pattern of either. */
function testFiles(path: string): string[] {
  const files = globSync([path, `${path}/**/*.test.ts`]).filter((found) => found.endsWith('.ts'))
  if (files.length === 0) fail(`No test file matches ${path}`)
  return files.sort()
}

async function runTests(): Promise<number> {
  let stopped: NodeJS.Signals | undefined
  let stop = (signal: NodeJS.Signals) => {
    stopped = signal
  }
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => stop(signal))

  const postgres = process.env.DATABASE_URL
    ? { url: process.env.DATABASE_URL, stop: async () => {} }
    : await startPostgres()
  try {
    if (stopped) return exitCodeOf(stopped)
    // Hundreds of processes are started, and each would compile the same files again.
    const compiled = join(import.meta.dirname, '../node_modules/.cache/node')
    const env = { ...process.env, COUNTERSIGN_TEST_POSTGRES: postgres.url, NODE_COMPILE_CACHE: compiled }
    const runner = spawn(process.execPath, [...runnerFlags, ...flags, ...files], { stdio: 'inherit', env })
    stop = (signal) => runner.kill(signal)
    return await new Promise((resolve, reject) => {
      runner.on('error', reject)
      runner.on('exit', (code, signal) => resolve(signal ? exitCodeOf(signal) : (code ?? 1)))
    })
  } finally {
    await postgres.stop()
  }
}

function exitCodeOf(signal: NodeJS.Signals): number {
  return 128 + constants.signals[signal]
}

function fail(message: string): never {
  console.error(message)
  process.exit(1)
}
