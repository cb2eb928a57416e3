import { readFileSync } from 'node:fs'
import { isIP } from 'node:net'
import { join } from 'node:path'

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
  /** PEM texts */
  tls: { cert: string; key: string } | undefined
  serverName: string
  trustedProxies: string[]
  pollsMax: number
  logLevel: string
  /** names that look like settings and are none: a slip of the pen, most likely */
  unknown: string[]
}

export interface Address {
  host: string
  port: number
}

interface Setting {
  type: string
  default: string
  /** one sentence for docs/configuration.md */
  about: string
}

/** What docs/configuration.md is generated from. Each is read from the environment, or from the file that NAME_FILE names. */
export const settings = {
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
    type: 'PEM file',
    default: '(none)',
    about: 'The certificate chain; with `COUNTERSIGN_TLS_KEY` both listeners speak https, TLS 1.2 or later.',
  },
  COUNTERSIGN_TLS_KEY: { type: 'PEM file', default: '(none)', about: 'The private key of the certificate.' },
  COUNTERSIGN_NAME: {
    type: 'text',
    default: 'Countersign',
    about: 'What authenticators show as the name of this server.',
  },
  COUNTERSIGN_TRUSTED_PROXIES: {
    type: 'addresses or CIDR ranges, comma-separated',
    default: '(none)',
    about: 'Peers whose `X-Forwarded-For` is believed; anyone else is who the connection says.',
  },
  COUNTERSIGN_POLLS_MAX: {
    type: 'number',
    default: '50000',
    about: 'How many authenticators may wait for requests on this node at once.',
  },
  COUNTERSIGN_LOG_LEVEL: {
    type: '`fatal`, `error`, `warn`, `info` or `debug`',
    default: 'info',
    about: 'How much is logged, as one JSON object a line on standard error.',
  },
} satisfies Record<string, Setting>

type Name = keyof typeof settings

/** One or more settings that cannot be used; the message has a line for each. */
export class ConfigError extends Error {}

/** Reads every setting and reports all mistakes at once. */
export function readConfig(env: Record<string, string | undefined>): Config {
  const mistakes: string[] = []
  const read = <T>(name: Name, parse: (text: string) => T, fallback: T): T => {
    try {
      const text = settingOf(env, name)
      return text === undefined ? fallback : parse(text)
    } catch (error) {
      mistakes.push(`${name}: ${error instanceof Error ? error.message : String(error)}`)
      return fallback
    }
  }
  const data = read('COUNTERSIGN_DATA', (text) => text, './data')
  const cert = read('COUNTERSIGN_TLS_CERT', readPem, '')
  const key = read('COUNTERSIGN_TLS_KEY', readPem, '')
  if (Boolean(cert) !== Boolean(key))
    mistakes.push('COUNTERSIGN_TLS_CERT and COUNTERSIGN_TLS_KEY: Set both or neither.')
  const scheme = cert && key ? 'https' : 'http'
  const apiListen = read('COUNTERSIGN_API_LISTEN', readAddress, { host: '127.0.0.1', port: 8080 })
  const deviceListen = read('COUNTERSIGN_DEVICE_LISTEN', readAddress, { host: '127.0.0.1', port: 8081 })
  if (overlap(apiListen, deviceListen)) {
    mistakes.push('COUNTERSIGN_API_LISTEN and COUNTERSIGN_DEVICE_LISTEN: They need a port each, or an address each.')
  }
  const config: Config = {
    data,
    database: read('COUNTERSIGN_DATABASE', readDatabase, 'sqlite'),
    keyring: read('COUNTERSIGN_KEYRING', (text) => text, join(data, 'keyring.json')),
    apiListen,
    deviceListen,
    apiUrl: read('COUNTERSIGN_API_URL', readOrigin, originOf(scheme, apiListen)),
    deviceUrl: read('COUNTERSIGN_DEVICE_URL', readOrigin, originOf(scheme, deviceListen)),
    tls: cert && key ? { cert, key } : undefined,
    serverName: read('COUNTERSIGN_NAME', (text) => text, 'Countersign'),
    trustedProxies: read('COUNTERSIGN_TRUSTED_PROXIES', readRanges, []),
    pollsMax: read('COUNTERSIGN_POLLS_MAX', readCount, 50_000),
    logLevel: read('COUNTERSIGN_LOG_LEVEL', readLevel, 'info'),
    unknown: Object.keys(env).filter(isUnknownSetting),
  }
  if (config.apiUrl === config.deviceUrl) {
    mistakes.push(
      `COUNTERSIGN_API_URL and COUNTERSIGN_DEVICE_URL: Both would be ${config.apiUrl}; authenticators need an origin of ` +
        'their own.',
    )
  }
  if (mistakes.length > 0) throw new ConfigError(mistakes.join('\n'))
  return config
}

function settingOf(env: Record<string, string | undefined>, name: Name): string | undefined {
  const file = env[`${name}_FILE`]
  const value = env[name]
  if (file && value) throw new Error(`Set it or ${name}_FILE, not both.`)
  // A file that a secret store writes usually ends in a newline.
  const text = file ? readFileSync(file, 'utf8').trimEnd() : value
  return text === '' ? undefined : text
}

function isUnknownSetting(name: string): boolean {
  return name.startsWith('COUNTERSIGN_') && !(name.replace(/_FILE$/, '') in settings)
}

function readAddress(text: string): Address {
  const match = /^(?:\[([0-9a-f:.]+)\]|([^:[\]]+)):(\d{1,5})$/i.exec(text)
  const port = Number(match?.[3])
  const host = match?.[1] ?? match?.[2]
  if (!host || port < 1 || port > 65_535) throw new Error(`"${text}" is not like 127.0.0.1:8080 or [::1]:8080.`)
  return { host, port }
}

function overlap(one: Address, other: Address): boolean {
  const wildcard = [one.host, other.host].some((host) => host === '0.0.0.0' || host === '::')
  return one.port === other.port && (wildcard || one.host === other.host)
}

/** WebAuthn and people prefer a name: `localhost` stands for loopback and wildcard addresses. */
function originOf(scheme: string, { host, port }: Address): string {
  const local = host === '0.0.0.0' || host === '::' || host === '::1' || /^127\./.test(host)
  const name = local ? 'localhost' : isIP(host) === 6 ? `[${host}]` : host
  return new URL(`${scheme}://${name}:${port}`).origin
}

function readOrigin(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (!url || !/^https?:$/.test(url.protocol) || (text !== url.origin && text !== `${url.origin}/`)) {
    throw new Error(`"${text}" is not an origin like https://mfa.example.org (no path, lower case, no default port).`)
  }
  return url.origin
}

function readDatabase(text: string): string {
  if (text === 'sqlite' || /^postgres(ql)?:\/\//.test(text)) return text
  throw new Error('It is "sqlite" or begins with postgres://.')
}

function readPem(file: string): string {
  const text = readFileSync(file, 'utf8')
  if (!text.includes('-----BEGIN')) throw new Error(`${file} is not a PEM file.`)
  return text
}

function readRanges(text: string): string[] {
  const ranges = text.split(',').map((range) => range.trim())
  for (const range of ranges) {
    const [address = '', bits, ...more] = range.split('/')
    const version = isIP(address)
    const fits = bits === undefined || (/^\d{1,3}$/.test(bits) && Number(bits) <= (version === 4 ? 32 : 128))
    if (!version || !fits || more.length > 0)
      throw new Error(`"${range}" is not an address or a range like 10.0.0.0/8.`)
  }
  return ranges
}

function readCount(text: string): number {
  const count = Number(text)
  if (!Number.isInteger(count) || count < 1) throw new Error(`"${text}" is not a whole number above 0.`)
  return count
}

function readLevel(text: string): string {
  if (['fatal', 'error', 'warn', 'info', 'debug'].includes(text)) return text
  throw new Error(`"${text}" is not one of fatal, error, warn, info, debug.`)
}
