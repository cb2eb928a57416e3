import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

/** How many rows of each kind. */
export interface Sizes {
  /** and as many tokens and sessions */
  users: number
  audit: number
}

/** A stretch of time in which rows of one kind were made, evenly. */
export interface Stretch {
  beganAt: number
  stepMs: number
}

/** What a database was filled with: all that is needed to ask for it. */
export interface Seeded {
  /** COUNTERSIGN_DATABASE */
  database: string
  /** COUNTERSIGN_DATA */
  data: string
  organizationId: string
  apiKey: string
  /** everybody is in the first; four of ten are in one of the others, too */
  domainIds: string[]
  sizes: Sizes
  users: Stretch
  sessions: Stretch
  audit: Stretch
}

const file = 'seeded.json'

/** Keeps it in the data directory. */
export function writeSeeded(seeded: Seeded): void {
  writeFileSync(join(seeded.data, file), JSON.stringify(seeded, null, 2))
}

export function readSeeded(data: string): Seeded {
  return JSON.parse(readFileSync(join(data, file), 'utf8')) as Seeded
}

/** The id that row n has: in no order, as random ones would be. */
export function idOf(n: number): string {
  const scattered = (BigInt(n) * 2_654_435_761n) % 4_294_967_296n
  return scattered.toString(16).padStart(8, '0') + n.toString(16).padStart(32, '0')
}

/** The name of user n. */
export function usernameOf(n: number): string {
  return `user${String(n).padStart(8, '0')}`
}

/** When row n was made. */
export function timeOf({ beganAt, stepMs }: Stretch, n: number): number {
  return beganAt + n * stepMs
}
