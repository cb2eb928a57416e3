import { join } from 'node:path'
import {
  type Address,
  type CertificateFiles,
  contactOf,
  originOf,
  overlap,
  pairCertificates,
  readAddress,
  readAddressOrOff,
  readContactOrOff,
  readCount,
  readDatabase,
  readDrainSeconds,
  readHosts,
  readLevel,
  readOrigin,
  readPemFiles,
  readRanges,
} from './config-readers.ts'
import { Sources } from './config-sources.ts'

export type { Address, CertificateFiles }

/** Every setting of the server, as it is used. */
export interface Config {
  data: string
  /** `sqlite` or a postgres:// URL */
  database: string
  keyring: string
  apiListen: Address
  deviceListen: Address
  /** origins, without a path */
  apiUrl: string
  deviceUrl: string
  /** the first is for clients that name no host; none: the listeners speak http */
  tls: CertificateFiles[]
  serverName: string
  trustedProxies: string[]
  pollsMax: number
  logLevel: string
  /** undefined when it is switched off; one that was not asked for may be missing when its port is taken */
  metrics: { listen: Address; asked: boolean } | undefined
  /** how long the listeners go on after the server has said that it is going down */
  drainSeconds: number
  /** how push services reach the operator, a mailto: or https: address; undefined when no pushes are sent */
  pushContact: string | undefined
  /** of push services, beside those of the browsers' makers; `.example.org` stands for all names below it */
  pushHosts: string[]
  /** names of environment variables that look like settings and are none: a slip of the pen, most likely */
  unknown: string[]
}

interface Setting {
  type: string
  default: string
  /** in a configuration file it may be an array */
  list?: true
  /** one sentence for docs/configuration.md */
  about: string
}

/** What docs/configuration.md is generated from. Each is read from the environment, NAME_FILE, or the configuration file. */
export const settings = {
  COUNTERSIGN_CONFIG: {
    type: 'TOML file',
    default: '(none)',
    about: 'A file with settings, by the names in the second column. What the environment says goes before it.',
  },
  COUNTERSIGN_DATA: {
    type: 'directory',
    default: './data',
    about: 'Where the embedded database, the keyring and the lock of the running server live.',
  },
  COUNTERSIGN_DATABASE: {
    type: '`sqlite` or `postgres://…`',
    default: 'sqlite',
    about: 'The store: a file in the data directory, or a PostgreSQL database that several nodes share.',
  },
  COUNTERSIGN_KEYRING: {
    type: 'file',
    default: '`keyring.json` in the data directory',
    about:
      'The key-encryption keys; in production keep them off the disk that the database is on, and out of its backups.',
  },
  COUNTERSIGN_API_LISTEN: { type: 'address:port', default: '127.0.0.1:8080', about: 'Where the REST API listens.' },
  COUNTERSIGN_DEVICE_LISTEN: {
    type: 'address:port',
    default: '127.0.0.1:8081',
    about: 'Where authenticators reach the server: an origin of its own.',
  },
  COUNTERSIGN_API_URL: {
    type: 'origin',
    default: 'from `COUNTERSIGN_API_LISTEN`',
    about: 'The public origin of the REST API, without a path.',
  },
  COUNTERSIGN_DEVICE_URL: {
    type: 'origin',
    default: 'from `COUNTERSIGN_DEVICE_LISTEN`',
    about: 'The public origin that authenticators are bound to; phones activated under another one cannot answer.',
  },
  COUNTERSIGN_TLS_CERT: {
    type: 'PEM files, comma-separated',
    default: '(none)',
    list: true,
    about:
      'Certificate chains; with them the API and device listeners speak https, TLS 1.2 or later. The first is for clients that name no host, the others for the names in them.',
  },
  COUNTERSIGN_TLS_KEY: {
    type: 'PEM files, comma-separated',
    default: '(none)',
    list: true,
    about: 'The private keys of the certificates, in the same order.',
  },
  COUNTERSIGN_NAME: {
    type: 'text',
    default: 'Countersign',
    about: 'What authenticators show as the name of this server.',
  },
  COUNTERSIGN_TRUSTED_PROXIES: {
    type: 'addresses or CIDR ranges, comma-separated',
    default: '(none)',
    list: true,
    about: 'Peers whose `X-Forwarded-For` is believed; anyone else is who the connection says.',
  },
  COUNTERSIGN_POLLS_MAX: {
    type: 'number',
    default: '50000',
    about: 'How many authenticators may wait for requests on this node at once.',
  },
  COUNTERSIGN_PUSH_CONTACT: {
    type: '`mailto:` or `https:` address, or `off`',
    default: '`COUNTERSIGN_DEVICE_URL`, if it is https and a name on the internet; else `off`',
    about:
      'Whom the push services of Apple, Google, Microsoft and Mozilla can write to about this server’s notifications; `off` sends none, and authenticators hear of requests while they are open.',
  },
  COUNTERSIGN_PUSH_HOSTS: {
    type: 'host names, comma-separated',
    default: '(none)',
    list: true,
    about:
      'Further push services that authenticators may name, `.example.org` for all names below one. Their addresses must be public like those of the others.',
  },
  COUNTERSIGN_LOG_LEVEL: {
    type: '`fatal`, `error`, `warn`, `info` or `debug`',
    default: 'info',
    about: 'How much is logged, as one JSON object a line on standard error.',
  },
  COUNTERSIGN_METRICS_LISTEN: {
    type: 'address:port or `off`',
    default: '127.0.0.1:9464',
    about:
      'Where Prometheus reads `/metrics`: plain http, for a network that only operators reach. If the default port is taken, the server goes on without.',
  },
  COUNTERSIGN_DRAIN_SECONDS: {
    type: 'number',
    default: '0',
    about:
      'How long the server still answers after SIGTERM, while `/readyz` says 503. Behind a load balancer longer than that takes to notice: 10, for one.',
  },
} satisfies Record<string, Setting>

type Name = keyof typeof settings
type Environment = Record<string, string | undefined>

/** One or more settings that cannot be used; the message has a line for each, which begins with where it was written. */
export class ConfigError extends Error {}

/** Reads every setting, wherever it is written, and reports all mistakes at once. */
export function readConfig(env: Environment): Config {
  const sources = new Sources(env, settings)
  const { mistakes } = sources
  const read = <T>(name: Name, parse: (text: string) => T, fallback: T): T => sources.read(name, parse) ?? fallback
  const data = read('COUNTERSIGN_DATA', (text) => text, './data')
  const tls = readTls(sources)
  const scheme = tls.length > 0 ? 'https' : 'http'
  const apiListen = read('COUNTERSIGN_API_LISTEN', readAddress, { host: '127.0.0.1', port: 8080 })
  const deviceListen = read('COUNTERSIGN_DEVICE_LISTEN', readAddress, { host: '127.0.0.1', port: 8081 })
  const metrics = readMetrics(sources)
  const deviceUrl = read('COUNTERSIGN_DEVICE_URL', readOrigin, originOf(scheme, deviceListen))
  const config: Config = {
    data,
    database: read('COUNTERSIGN_DATABASE', readDatabase, 'sqlite'),
    keyring: read('COUNTERSIGN_KEYRING', (text) => text, join(data, 'keyring.json')),
    apiListen,
    deviceListen,
    apiUrl: read('COUNTERSIGN_API_URL', readOrigin, originOf(scheme, apiListen)),
    deviceUrl,
    tls,
    serverName: read('COUNTERSIGN_NAME', (text) => text, 'Countersign'),
    trustedProxies: read('COUNTERSIGN_TRUSTED_PROXIES', readRanges, []),
    pollsMax: read('COUNTERSIGN_POLLS_MAX', readCount, 50_000),
    logLevel: read('COUNTERSIGN_LOG_LEVEL', readLevel, 'info'),
    metrics,
    pushContact: sources.given('COUNTERSIGN_PUSH_CONTACT')
      ? sources.read('COUNTERSIGN_PUSH_CONTACT', readContactOrOff)
      : contactOf(deviceUrl),
    pushHosts: read('COUNTERSIGN_PUSH_HOSTS', readHosts, []),
    drainSeconds: read('COUNTERSIGN_DRAIN_SECONDS', readDrainSeconds, 0),
    unknown: Object.keys(env).filter(isUnknownSetting),
  }
  requirePortEach(sources, {
    COUNTERSIGN_API_LISTEN: apiListen,
    COUNTERSIGN_DEVICE_LISTEN: deviceListen,
    ...(metrics?.asked ? { COUNTERSIGN_METRICS_LISTEN: metrics.listen } : {}),
  })
  if (config.apiUrl === config.deviceUrl) {
    const where = `${sources.where('COUNTERSIGN_API_URL')} and ${sources.where('COUNTERSIGN_DEVICE_URL')}`
    mistakes.push(`${where}: Both would be ${config.apiUrl}; authenticators need an origin of their own.`)
  }
  if (mistakes.length > 0) throw new ConfigError(mistakes.join('\n'))
  return config
}

function readTls(sources: Sources): CertificateFiles[] {
  const [cert, key] = ['COUNTERSIGN_TLS_CERT', 'COUNTERSIGN_TLS_KEY'] as const
  const certs = sources.read(cert, readPemFiles)
  const keys = sources.read(key, readPemFiles)
  const where = `${sources.where(cert)} and ${sources.where(key)}`
  if (sources.given(cert) !== sources.given(key)) sources.mistakes.push(`${where}: Set both or neither.`)
  if (!certs || !keys) return []
  const { pairs, mistakes } = pairCertificates(certs, keys)
  sources.mistakes.push(...mistakes.map((mistake) => `${where}: ${mistake}`))
  return pairs
}

function readMetrics(sources: Sources): Config['metrics'] {
  const name = 'COUNTERSIGN_METRICS_LISTEN'
  const asked = sources.given(name)
  const listen = asked ? sources.read(name, readAddressOrOff) : { host: '127.0.0.1', port: 9464 }
  return listen && { listen, asked }
}

/** No two on one port, unless each has an address of its own. */
function requirePortEach(sources: Sources, listeners: Partial<Record<Name, Address>>): void {
  const entries = Object.entries(listeners)
  for (const [index, [name, address]] of entries.entries()) {
    const [other] = entries.slice(index + 1).find(([, later]) => overlap(address, later)) ?? []
    if (other)
      sources.mistakes.push(
        `${sources.where(name)} and ${sources.where(other)}: They need a port each, or an address each.`,
      )
  }
}

function isUnknownSetting(name: string): boolean {
  return name.startsWith('COUNTERSIGN_') && !(name.replace(/_FILE$/, '') in settings)
}
