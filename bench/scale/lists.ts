// node bench/scale/lists.ts DIRECTORY
//
// Asks a server on a database that seed.ts has filled for every list, with every choice of filters, and exports a million
// events. Ends with 1 when a list's number of statements depends on the part or its length, or a plan on the number of rows.
import { availableParallelism, loadavg } from 'node:os'
import { quantile } from '../load.ts'
import { type Case, casesOf } from './cases.ts'
import { measureExport } from './export.ts'
import { openPlanner, type Planner } from './plans.ts'
import { idOf, readSeeded } from './seeded.ts'
import { type ScaleServer, startServerOn } from './server.ts'
import type { Watched } from './watch.ts'

/** What came of one list with one choice of filters. */
interface Measured {
  /** of the requests that were answered with items, each number once */
  statements: number[]
  flaws: string[]
  times: number[]
  /** of reads of one row by its key, each right before a list */
  limit: number[]
}

const rounds = 15
const flawsShownMax = 3
const lengths = [1, 100, 1_000]
const [directory] = process.argv.slice(2)
if (!directory) throw new Error('Usage: node bench/scale/lists.ts DIRECTORY')
const seeded = readSeeded(directory)
const { users, audit } = seeded.sizes
const engine = seeded.database === 'sqlite' ? 'sqlite' : 'postgres'
say(`Node.js ${process.version}, ${availableParallelism()} processors, load average ${loadavg()[0]?.toFixed(1)}`)
say(`${engine}: ${users} users, tokens and sessions, ${audit} audit events; one request at a time`)
const server = await startServerOn(seeded)
const planner = await openPlanner(seeded)
let failed = false
try {
  for (let n = 0; n < 8; n++)
    await server.call(`/admin/v1/users/${idOf(1 + n * 7_919)}/bypass-codes`, { usesAllowed: 1 })
  say(`${'list'.padEnd(68)}statements  p50      p95     of a read of one row`)
  for (const asked of casesOf(seeded)) await report(asked)
  say(`load average ${loadavg()[0]?.toFixed(1)}`)
  for (const line of await measureExport(server, seeded)) say(line)
} finally {
  await planner.close()
  await server.stop()
}
process.exit(failed ? 1 : 0)

async function report(asked: Case): Promise<void> {
  const { statements, flaws, times, limit } = await measure(asked, { server, planner })
  const counts =
    statements.length > 0 ? [...new Set([Math.min(...statements), Math.max(...statements)])] : ['none found']
  const [p50, p95] = [quantile(times, 0.5), quantile(times, 0.95)]
  const ratios = `${(p50 / quantile(limit, 0.5)).toFixed(1)}  p95 ${(p95 / quantile(limit, 0.95)).toFixed(1)}`
  const name = `${asked.list} ${asked.filters}`.padEnd(68)
  say(`${name}${counts.join('–').padEnd(9)}${milliseconds(p50)} ${milliseconds(p95)}  p50 ${ratios}`)
  if (counts.length > 1 && !asked.stepwise) flaws.push('the number of statements is not fixed')
  for (const flaw of flaws.slice(0, flawsShownMax)) say(`    ${flaw}`)
  failed ||= flaws.length > 0
}

async function measure(asked: Case, { server, planner }: { server: ScaleServer; planner: Planner }): Promise<Measured> {
  const measured: Measured = { statements: [], flaws: [], times: [], limit: [] }
  const paths = asked.paths(0)
  // The compatible API's parts have one length.
  const sized = paths.flatMap((path) =>
    path.startsWith('/admin') ? lengths.map((length) => `${path}&limit=${length}`.replace('?&', '?')) : [path],
  )
  for (const path of sized) await judge(path, { asked, planner, measured })
  for (let n = 0; n < rounds; n++) {
    for (const path of asked.paths(n)) {
      measured.limit.push(await timeOf(() => server.call(`/admin/v1/domains/${seeded.domainIds[0]}`)))
      measured.times.push(await timeOf(() => server.call(path)))
    }
  }
  return { ...measured, statements: [...new Set(measured.statements)], flaws: [...new Set(measured.flaws)] }
}

interface Judged {
  asked: Case
  planner: Planner
  measured: Measured
}

async function judge(path: string, { asked, planner, measured }: Judged): Promise<void> {
  let found = 0
  const statements = await server.statementsOf(async () => {
    const { body } = await server.call(path)
    found = (Array.isArray(body) ? body : (body.items ?? [body])).length
  })
  const own = statements.filter(isOfRequest)
  if (found > 0) measured.statements.push(own.length)
  if (asked.whole) return
  for (const statement of own) {
    const { flaws } = await planner.planOf(statement)
    measured.flaws.push(...flaws.map((flaw) => `${flaw}: ${statement.text.slice(0, 300)}`))
  }
}

// Whatever a sweeper asks at the same time is about all organizations.
function isOfRequest({ text }: Watched): boolean {
  return /^select .* where .*organization_id/.test(text)
}

async function timeOf(work: () => Promise<unknown>): Promise<number> {
  const began = performance.now()
  await work()
  return performance.now() - began
}

function milliseconds(ms: number): string {
  return `${ms.toFixed(1).padStart(6)} ms`
}

function say(line: string): void {
  console.log(line)
}
