// Loaded into a server before it starts (node --import): answers what statements it runs and how much memory it has.
import { StatementSync } from 'node:sqlite'
import pg from 'pg'

/** A statement as it was given to the database. */
export interface Watched {
  text: string
  values: unknown[]
}

/** What a server answers when it is asked over its channel, each time for the time since it was asked before. */
export interface Observed {
  /** empty unless it was told to watch */
  statements: Watched[]
  rssBytes: number
  rssPeakBytes: number
}

const sampleMs = 20
let watching = false
let statements: Watched[] = []
let rssPeakBytes = 0

const { all } = StatementSync.prototype
const { query } = pg.Client.prototype
StatementSync.prototype.all = function (this: StatementSync, ...values: unknown[]) {
  note(this.sourceSQL, values)
  return all.apply(this, values as never)
} as typeof all
pg.Client.prototype.query = function (this: pg.Client, ...values: unknown[]) {
  const [first] = values
  if (typeof first === 'object' && first !== null && 'text' in first && 'values' in first) {
    note(String(first.text), first.values as unknown[])
  }
  return query.apply(this, values as never)
} as typeof query

setInterval(sample, sampleMs).unref()
process.on('message', (message) => {
  sample()
  process.send?.({ statements, rssBytes: process.memoryUsage.rss(), rssPeakBytes } satisfies Observed)
  watching = message === 'watch'
  statements = []
  rssPeakBytes = 0
})
process.channel?.unref()

function note(text: string, values: unknown[]): void {
  if (watching) statements.push({ text, values })
}

function sample(): void {
  rssPeakBytes = Math.max(rssPeakBytes, process.memoryUsage.rss())
}
