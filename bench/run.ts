// npm run bench: what one server process does on this machine, as ratios to limits measured in the same run. README.md
// says how to read it.
//
// DATABASE_URL names a PostgreSQL to use instead of the embedded one. BENCH_NODE_OPTIONS is given to the servers.
import { availableParallelism } from 'node:os'
import type { TestEngine } from '../packages/server/test/support/engines.ts'
import { type Cluster, startCluster } from '../packages/server/test/support/process.ts'
import { startPostgres } from '../scripts/postgres.ts'
import { type Crowd, gather } from './crowd.ts'
import { fsyncOf, postgresAt, sqlite } from './engines.ts'
import { bareHttp, barePostgres, bareSqlite } from './limits.ts'
import type { Load } from './load.ts'
import { measureOperations } from './operations.ts'
import { measureRefusals } from './refusals.ts'
import { measureWaking } from './waking.ts'

/** The best that this machine could do, for what only reads and for what has to be durable. */
interface Limits {
  http: Load
  commits: Load
}

const readers = new Set(['session read', 'sync'])
const wakingsCount = 50
const began = performance.now()
const { DATABASE_URL, BENCH_NODE_OPTIONS: NODE_OPTIONS } = process.env
const postgres = DATABASE_URL ? { url: DATABASE_URL, stop: async () => {} } : await startPostgres()
try {
  say(`Node.js ${process.version}, ${availableParallelism()} processors, 32 requests at a time on 127.0.0.1`)
  const http = await bareHttp()
  sayLoad('a bare node:http server', http, '')
  await bench(sqlite, http)
  say(`\nPostgreSQL runs with fsync=${await fsyncOf(postgres.url)}.`)
  await bench(postgresAt(postgres.url), http)
} finally {
  await postgres.stop()
}
say(`\n${((performance.now() - began) / 1000).toFixed(0)} s`)
process.exit()

async function bench(engine: TestEngine, http: Load): Promise<void> {
  say(`\n${engine.name}`)
  const cluster = await startCluster(engine, {
    nodes: engine.name === 'sqlite' ? 1 : 2,
    settings: { COUNTERSIGN_TRUSTED_PROXIES: '127.0.0.1', ...(NODE_OPTIONS ? { NODE_OPTIONS } : {}) },
  })
  try {
    await measure(cluster, http)
  } finally {
    await cluster.stop()
  }
}

async function measure(cluster: Cluster, http: Load): Promise<void> {
  const { url, data } = cluster.database
  const commits = url === 'sqlite' ? bareSqlite(data) : await barePostgres(url)
  sayLoad('bare commits', commits, '')
  const crowd = await gather(cluster)
  await sayOperations(cluster, crowd, { http, commits })
  await sayWaking(cluster, crowd)
  await sayRefusals(cluster, crowd)
}

async function sayOperations({ nodes: [node] }: Cluster, crowd: Crowd, limits: Limits): Promise<void> {
  if (!node) return
  for (const [name, load] of Object.entries(await measureOperations(node, crowd))) {
    const [limit, of] = readers.has(name) ? [limits.http, 'of bare http'] : [limits.commits, 'of bare commits']
    sayLoad(name, load, `${(load.perSecond / limit.perSecond).toFixed(2)} ${of}`)
  }
}

async function sayWaking({ nodes: [asked, other] }: Cluster, { resting }: Crowd): Promise<void> {
  if (!asked) return
  for (const [polled, owners] of [
    [asked, resting.slice(0, wakingsCount)] as const,
    [other, resting.slice(wakingsCount)] as const,
  ]) {
    if (!polled) continue
    const { medianMs, maxMs } = await measureWaking(owners, { asked, polled })
    const where = polled === asked ? 'on the same node' : 'on another node'
    say(`  a poll ${where} answers after ${ms(medianMs)} (median), ${ms(maxMs)} (longest of ${owners.length})`)
  }
}

async function sayRefusals({ nodes: [node] }: Cluster, crowd: Crowd): Promise<void> {
  if (!node) return
  const medians = Object.entries(await measureRefusals(node, crowd))
  say(`  a refused begin: ${medians.map(([kind, median]) => `${kind} ${ms(median)}`).join(', ')}`)
}

function sayLoad(name: string, { perSecond, p50Ms, p99Ms }: Load, ratio: string): void {
  const rate = `${perSecond.toFixed(0).padStart(7)}/s`
  const times = `p50 ${p50Ms.toFixed(2).padStart(6)} ms  p99 ${p99Ms.toFixed(2).padStart(6)} ms`
  say(`  ${name.padEnd(24)}${rate}  ${times}  ${ratio}`.trimEnd())
}

function ms(value: number): string {
  return `${value.toFixed(2)} ms`
}

function say(line: string): void {
  console.log(line)
}
