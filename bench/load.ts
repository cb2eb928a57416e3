/** What came of asking for the same thing over and over, from several sides at once. */
export interface Load {
  operations: number
  perSecond: number
  p50Ms: number
  p99Ms: number
}

const concurrency = 32
const warmUpMs = 500
const measuredMs = 3_000

/** Runs `work`, numbered from 0, for a few seconds or until so many have run. One failure ends all. */
export async function drive(work: (number: number) => Promise<unknown>, countMax = Number.POSITIVE_INFINITY) {
  const start = performance.now() + warmUpMs
  const end = start + measuredMs
  const times: number[] = []
  let next = 0
  let last = start
  await allAtOnce(async () => {
    for (let began = performance.now(); began < end && next < countMax; began = last) {
      await work(next++)
      last = performance.now()
      if (began >= start) times.push(last - began)
    }
  })
  return loadOf(times, last - start)
}

/** Runs `work` for each item, so many at once; the results are in the items' order. */
export async function forEach<Item, Result>(
  items: readonly Item[],
  work: (item: Item, number: number) => Promise<Result>,
): Promise<Result[]> {
  const results: Result[] = []
  const entries = items.entries()
  await allAtOnce(async () => {
    for (const [number, item] of entries) results[number] = await work(item, number)
  })
  return results
}

/** The value below which that part of all values is. */
export function quantile(values: readonly number[], part: number): number {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.floor(part * (sorted.length - 1))] ?? Number.NaN
}

export function loadOf(times: readonly number[], elapsedMs: number): Load {
  if (times.length === 0) throw new Error('Everything was used up before the warm-up was over: prepare more.')
  return {
    operations: times.length,
    perSecond: (times.length / elapsedMs) * 1_000,
    p50Ms: quantile(times, 0.5),
    p99Ms: quantile(times, 0.99),
  }
}

async function allAtOnce(worker: () => Promise<void>): Promise<void> {
  await Promise.all(Array.from({ length: concurrency }, worker))
}
