import { readFileSync } from 'node:fs'
import { isIP } from 'node:net'
import { createSecureContext } from 'node:tls'

// From text to what a setting means. Each throws an Error whose message says what is wrong, without the name of the setting.

export interface Address {
  host: string
  port: number
}

/** Two PEM files: a certificate with its chain, and its private key. */
export interface CertificateFiles {
  cert: string
  key: string
}

export function readAddress(text: string): Address {
  const match = /^(?:\[([0-9a-f:.]+)\]|([^:[\]]+)):(\d{1,5})$/i.exec(text)
  const port = Number(match?.[3])
  const host = match?.[1] ?? match?.[2]
  if (!host || port < 1 || port > 65_535) throw new Error(`"${text}" is not like 127.0.0.1:8080 or [::1]:8080.`)
  return { host, port }
}

/** An address, or undefined for `off`. */
export function readAddressOrOff(text: string): Address | undefined {
  return text === 'off' ? undefined : readAddress(text)
}

/** Whether two listeners could not both have what they want. */
export function overlap(one: Address, other: Address): boolean {
  const wildcard = [one.host, other.host].some((host) => host === '0.0.0.0' || host === '::')
  return one.port === other.port && (wildcard || one.host === other.host)
}

/** WebAuthn and people prefer a name: `localhost` stands for loopback and wildcard addresses. */
export function originOf(scheme: string, { host, port }: Address): string {
  const local = host === '0.0.0.0' || host === '::' || host === '::1' || /^127\./.test(host)
  const name = local ? 'localhost' : isIP(host) === 6 ? `[${host}]` : host
  return new URL(`${scheme}://${name}:${port}`).origin
}

export function readOrigin(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (!url || !/^https?:$/.test(url.protocol) || (text !== url.origin && text !== `${url.origin}/`)) {
    throw new Error(`"${text}" is not an origin like https://mfa.example.org (no path, lower case, no default port).`)
  }
  return url.origin
}

export function readDatabase(text: string): string {
  if (text === 'sqlite' || /^postgres(ql)?:\/\//.test(text)) return text
  throw new Error('It is "sqlite" or begins with postgres://.')
}

/** The names of PEM files, each of which was read once. */
export function readPemFiles(text: string): string[] {
  const files = listOf(text)
  for (const file of files) {
    if (!readFileSync(file, 'utf8').includes('-----BEGIN')) throw new Error(`${file} is not a PEM file.`)
  }
  return files
}

/** Certificates and keys by their order. What does not belong together is told pair by pair. */
export function pairCertificates(certs: string[], keys: string[]): { pairs: CertificateFiles[]; mistakes: string[] } {
  if (certs.length !== keys.length) {
    const counts = `there are ${certs.length} certificates and ${keys.length} keys`
    return { pairs: [], mistakes: [`Name as many keys as certificates: ${counts}.`] }
  }
  const pairs = certs.map((cert, index) => ({ cert, key: keys[index] ?? '' }))
  return { pairs, mistakes: pairs.flatMap(problemOf) }
}

function problemOf({ cert, key }: CertificateFiles): string[] {
  try {
    createSecureContext({ cert: readFileSync(cert), key: readFileSync(key) })
    return []
  } catch (error) {
    // OpenSSL's own words, which never quote the files.
    return [`${cert} and ${key} are not a certificate and its key (${(error as Error).message}).`]
  }
}

export function readRanges(text: string): string[] {
  const ranges = listOf(text)
  for (const range of ranges) {
    const [address = '', bits, ...more] = range.split('/')
    const version = isIP(address)
    const fits = bits === undefined || (/^\d{1,3}$/.test(bits) && Number(bits) <= (version === 4 ? 32 : 128))
    if (!version || !fits || more.length > 0)
      throw new Error(`"${range}" is not an address or a range like 10.0.0.0/8.`)
  }
  return ranges
}

export function readCount(text: string): number {
  const count = Number(text)
  if (!Number.isInteger(count) || count < 1) throw new Error(`"${text}" is not a whole number above 0.`)
  return count
}

const drainMaxSeconds = 600

export function readDrainSeconds(text: string): number {
  if (!/^\d{1,3}$/.test(text) || Number(text) > drainMaxSeconds) {
    throw new Error(`"${text}" is not a whole number from 0 to ${drainMaxSeconds}.`)
  }
  return Number(text)
}

export function readLevel(text: string): string {
  if (['fatal', 'error', 'warn', 'info', 'debug'].includes(text)) return text
  throw new Error(`"${text}" is not one of fatal, error, warn, info, debug.`)
}

/** `off`, or what push services can reach the operator by (RFC 8292, 2.1); Apple's refuses every push that names no real one. */
export function readContactOrOff(text: string): string | undefined {
  if (text === 'off') return undefined
  const host = /^mailto:[^\s@]+@([^\s@]+)$/.exec(text)?.[1] ?? httpsHostOf(text)
  if (!host || !isRealHost(host)) {
    throw new Error(
      `"${text}" is not like mailto:admin@example.org or https://example.org, at a name that others can find.`,
    )
  }
  return text
}

/** A device origin that the world can find is a contact, too; undefined for any other. */
export function contactOf(origin: string): string | undefined {
  const host = httpsHostOf(origin)
  return host && isRealHost(host) ? origin : undefined
}

/** Names of hosts, and such as `.push.example.org` for all names below one. */
export function readHosts(text: string): string[] {
  const hosts = listOf(text)
  for (const host of hosts) {
    if (!isRealHost(host.replace(/^\./, '')))
      throw new Error(`"${host}" is not like push.example.org or .push.example.org.`)
  }
  return hosts
}

function httpsHostOf(text: string): string | undefined {
  const url = /^https:\/\/[^\s@]+$/.test(text) && URL.canParse(text) ? new URL(text) : undefined
  return url?.hostname
}

/** A name of several labels, none of those that are found in one network only, and no address. */
function isRealHost(host: string): boolean {
  return /^([a-z0-9-]+\.)+[a-z0-9-]*[a-z][a-z0-9-]*$/.test(host) && !/\.(local|localhost|localdomain)$/.test(host)
}

function listOf(text: string): string[] {
  return text.split(',').map((item) => item.trim())
}
