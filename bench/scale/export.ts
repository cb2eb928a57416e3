import { get } from 'node:http'
import { setTimeout as delay } from 'node:timers/promises'
import { type Seeded, timeOf } from './seeded.ts'
import type { ScaleServer } from './server.ts'

const eventsMax = 1_000_000
// In the middle the reader takes nothing for a while, and then little by little.
const pauseMs = 5_000
const slowChunkMs = 5
const slowChunks = 1_000

/** Exports a million events, or all, to a reader that is slow for a part of the time. */
export async function measureExport(server: ScaleServer, seeded: Seeded): Promise<string[]> {
  // Not the newest: what the seed did by the server is among them.
  const count = Math.min(eventsMax, Math.floor(0.9 * seeded.sizes.audit))
  await read(server, seeded, { count: Math.floor(count / 20), isSlow: false }) // what the first export of a process needs for good
  const { rssBytes: before } = await server.memory()
  const began = performance.now()
  const { lines, bytes, peaks } = await read(server, seeded, { count, isSlow: true })
  const seconds = (performance.now() - began) / 1_000
  if (lines !== count) throw new Error(`${lines} events were exported instead of ${count}.`)
  return [
    `export of ${lines} events: ${mebibytes(bytes)} in ${seconds.toFixed(0)} s, with a reader that was slow in the middle`,
    `  memory of the server: ${mebibytes(before)} before; at most in each tenth: ${peaks.map(mebibytes).join(', ')}`,
  ]
}

interface Reading {
  count: number
  isSlow: boolean
}

async function read(server: ScaleServer, { audit, apiKey }: Seeded, { count, isSlow }: Reading) {
  const time = (n: number) => new Date(timeOf(audit, n)).toISOString()
  const url = `${server.apiUrl}/admin/v1/audit/export?since=${time(1)}&until=${time(count + 1)}`
  const response = await new Promise<AsyncIterable<Buffer> & { statusCode?: number }>((resolve, reject) => {
    get(url, { headers: { authorization: `LoginTC key="${apiKey}"` } }, resolve).on('error', reject)
  })
  if (response.statusCode !== 200) throw new Error(`The export was answered with ${response.statusCode}.`)
  let [lines, bytes, slow] = [0, 0, 0]
  const peaks: number[] = []
  for await (const chunk of response) {
    bytes += chunk.length
    for (const byte of chunk) if (byte === 10) lines++
    if (lines >= ((peaks.length + 1) * count) / 10) peaks.push((await server.memory()).rssPeakBytes)
    if (!isSlow || lines < count / 2 || slow++ >= slowChunks) continue
    await delay(slow === 1 ? pauseMs : slowChunkMs)
  }
  return { lines, bytes, peaks }
}

function mebibytes(bytes: number): string {
  return `${(bytes / 1_048_576).toFixed(0)} MiB`
}
