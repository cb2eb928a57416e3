import { readFileSync } from 'node:fs'
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client'

// docs/metrics.md is generated from these tables. No label may hold an id, a name, a code or anything else that a client chooses.

const seconds = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30]

/** What is counted. */
export const counters = {
  countersign_sessions_total: {
    labels: ['outcome', 'method'],
    help: 'Sessions by what became of them: created, approved, denied, cancelled, expired, or refused at their creation. One that is revoked after its approval counts as approved and as denied.',
  },
  countersign_audit_events_total: {
    labels: ['event'],
    help: 'Audit events written, by their name.',
  },
  countersign_limit_rejections_total: {
    labels: ['limit'],
    help: 'What was refused because somebody asked too often, by the limit that was reached.',
  },
  countersign_pushes_total: {
    labels: ['result'],
    help: 'Pushes by what became of them. `accepted` by the push service. Not sent: `polled` (the open authenticator was told), `unneeded` (nothing waited any more when its turn came), `dropped` (too many at once, or the server went down). Failed: `gone` (the subscription is erased), `forbidden` (the push service refuses this server), `refused`, `busy` (after two more tries), `timeout`, `unreachable`, `blocked` (no public address, or a host that is not allowed), `unsendable` (the subscription or its key cannot be read).',
  },
  countersign_certificate_reloads_total: {
    labels: ['result'],
    help: 'Certificates read again after their files changed: loaded, or failed and the old one kept.',
  },
} as const

/** What is measured, in seconds unless the name says otherwise. */
export const histograms = {
  countersign_http_request_duration_seconds: {
    labels: ['listener', 'method', 'route', 'status'],
    buckets: seconds,
    help: 'From the request’s head to the end of the answer. Polls and reads that wait are as long as they waited.',
  },
  countersign_push_duration_seconds: {
    labels: ['result'],
    buckets: seconds,
    help: 'One try to hand a push to its push service, from the look-up of its address to the head of the answer.',
  },
  countersign_transaction_duration_seconds: {
    labels: ['result'],
    buckets: seconds,
    help: 'Units of work from their beginning (in a queue, with SQLite) until they are durable or have failed.',
  },
  countersign_commit_units: {
    labels: [],
    buckets: [1, 2, 4, 8, 16, 32, 64, 128, 256, 512],
    help: 'Units of work that one commit of the embedded database made durable together.',
  },
} as const

/** What is read when Prometheus asks. */
export const gauges = {
  countersign_polls_pending: { labels: [], help: 'Authenticators that wait for requests on this node.' },
  countersign_pushes_open: { labels: [], help: 'Pushes of this node that wait for their turn or are being sent.' },
  countersign_session_reads_waiting: { labels: [], help: 'Reads of sessions that wait for a verdict on this node.' },
  countersign_build_info: { labels: ['version', 'node'], help: 'Always 1; what runs stands in the labels.' },
} as const

type Labels<Table, Name extends keyof Table> = Table[Name] extends { labels: readonly (infer Label extends string)[] }
  ? Record<Label, string>
  : never

/** What happens in this process, in numbers. Names and labels are those of the tables above. */
export interface Metrics {
  count<Name extends keyof typeof counters>(name: Name, labels: Labels<typeof counters, Name>, times?: number): void
  observe<Name extends keyof typeof histograms>(
    name: Name,
    labels: Labels<typeof histograms, Name>,
    value: number,
  ): void
  /** `value` is called whenever the metrics are read. */
  gauge(
    name: 'countersign_polls_pending' | 'countersign_pushes_open' | 'countersign_session_reads_waiting',
    value: () => number,
  ): void
  /** Adds what every Node.js process can tell of itself. For a process that somebody reads the metrics of. */
  addProcess(): void
  /** In Prometheus' text format, with its content type. */
  read(): Promise<{ contentType: string; text: string }>
}

/** Metrics that begin at nothing. */
export function openMetrics(): Metrics {
  const registry = new Registry()
  const registers = [registry]
  const counting = mapValues(counters, (name, { labels, help }) => {
    return new Counter<string>({ name, labelNames: labels, help, registers })
  })
  const observing = mapValues(histograms, (name, { labels, help, buckets }) => {
    return new Histogram<string>({ name, labelNames: labels, help, registers, buckets: [...buckets] })
  })
  const { labels, help } = gauges.countersign_build_info
  const build = new Gauge<string>({ name: 'countersign_build_info', labelNames: labels, help, registers })
  let processAdded = false
  build.set({ version: versionOf(), node: process.versions.node }, 1)
  return {
    count: (name, labels, times = 1) => counting[name].inc(labels, times),
    observe: (name, labels, value) => observing[name].observe(labels, value),
    gauge(name, value) {
      const collect = function (this: Gauge) {
        this.set(value())
      }
      new Gauge({ name, help: gauges[name].help, registers, collect })
    },
    addProcess() {
      if (!processAdded) collectDefaultMetrics({ register: registry })
      processAdded = true
    },
    read: async () => ({ contentType: registry.contentType, text: await registry.metrics() }),
  }
}

function mapValues<Table extends object, Made>(
  table: Table,
  make: (name: string, value: Table[keyof Table]) => Made,
): Record<keyof Table, Made> {
  const made = Object.entries(table).map(([name, value]) => [name, make(name, value)])
  return Object.fromEntries(made) as Record<keyof Table, Made> // the same names, by construction
}

/** The package's own, beside src/ as well as beside what is built from it. */
function versionOf(): string {
  return JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')).version
}
