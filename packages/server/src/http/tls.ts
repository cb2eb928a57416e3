import { createHash, X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import type { Server } from 'node:https'
import { createSecureContext, type SecureContext, type TlsOptions } from 'node:tls'
import type { App, CertificateFiles } from '../app.ts'

/** A certificate and its key as they are in use, and what their files were when somebody last looked. */
interface Pair {
  files: CertificateFiles
  inUse: Material
  /** of the files' content, good or bad, that has been dealt with */
  seen: string
  /** of a bad content that was met once: it may have been half written */
  suspect?: string
}

interface Material {
  cert: Buffer
  key: Buffer
  context: SecureContext
  names: X509Certificate
}

const pollMs = 5_000
const tlsFloor = { minVersion: 'TLSv1.2' } as const
/** Names stand in subjectAltName and nowhere else (RFC 6125), and a star is a whole label. */
const nameRules = { subject: 'never', partialWildcards: false, multiLabelWildcards: false } as const

/**
 * The certificates of the https listeners. Their files are looked at every few seconds, by content, so that it does not matter how
 * they were replaced (written over, renamed, a directory of links exchanged). What cannot be used is logged, and the old one stays.
 */
export class Certificates {
  readonly #app: Pick<App, 'log' | 'metrics'>
  readonly #pairs: Pair[]
  readonly #servers = new Set<Server>()
  readonly #timer: NodeJS.Timeout
  #looking: Promise<void> = Promise.resolve()

  /** Throws when a pair cannot be used. `everyMs` is how often the files are looked at. */
  constructor(app: Pick<App, 'log' | 'metrics'>, files: CertificateFiles[], everyMs = pollMs) {
    this.#app = app
    this.#pairs = files.map(openPair)
    this.#timer = setInterval(() => void this.#look('patient'), everyMs).unref()
  }

  /** What an https server is made with. */
  options(): TlsOptions {
    return {
      ...this.#default(),
      SNICallback: (name, done) => done(null, this.#contextFor(name)),
    }
  }

  /** Keeps the server's default certificate up to date for as long as it runs. */
  attach(server: Server): void {
    this.#servers.add(server)
    server.once('close', () => this.#servers.delete(server))
  }

  /** Reads all files again, now. */
  async reload(): Promise<void> {
    await this.#look('strict')
    this.#app.log.info('the certificates were read again')
  }

  close(): void {
    clearInterval(this.#timer)
  }

  #default() {
    const { cert, key } = this.#pairs[0]?.inUse ?? {}
    return { cert, key, ...tlsFloor }
  }

  /** A certificate that has the very name goes before one with a star, an earlier one before a later; undefined: the default. */
  #contextFor(name: string): SecureContext | undefined {
    if (!/^\w[\w.-]*$/.test(name)) return undefined
    const matches = this.#pairs.flatMap(({ inUse: { names, context } }) => {
      const match = names.checkHost(name, nameRules)
      return match === undefined ? [] : [{ context, exact: !match.startsWith('*') }]
    })
    return (matches.find(({ exact }) => exact) ?? matches[0])?.context
  }

  /** One after another, so that no older content overtakes a newer one. */
  #look(manner: 'patient' | 'strict'): Promise<void> {
    this.#looking = this.#looking.then(async () => {
      for (const pair of this.#pairs) await this.#refresh(pair, manner)
    })
    return this.#looking
  }

  async #refresh(pair: Pair, manner: 'patient' | 'strict'): Promise<void> {
    const { files } = pair
    const content = await readPair(files)
    if (content.hash === pair.seen) return
    try {
      if ('error' in content) throw content.error
      pair.inUse = open(content.cert, content.key)
    } catch (err) {
      // Two files are not replaced in one moment: what is wrong once may be right when looked at again.
      if (manner === 'patient' && pair.suspect !== content.hash) pair.suspect = content.hash
      else this.#keep(pair, content.hash, err)
      return
    }
    pair.seen = content.hash
    if (pair === this.#pairs[0]) for (const server of this.#servers) server.setSecureContext(this.#default())
    this.#app.metrics.count('countersign_certificate_reloads_total', { result: 'loaded' })
    this.#app.log.info({ certificate: files.cert, validTo: pair.inUse.names.validTo }, 'a certificate was replaced')
  }

  #keep(pair: Pair, hash: string, err: unknown): void {
    pair.seen = hash
    this.#app.metrics.count('countersign_certificate_reloads_total', { result: 'failed' })
    const message = 'the new files of a certificate cannot be used: the old one stays'
    this.#app.log.error({ alarm: 'certificate.unusable', certificate: pair.files.cert, err }, message)
  }
}

function openPair(files: CertificateFiles): Pair {
  const [cert, key] = [readFileSync(files.cert), readFileSync(files.key)]
  return { files, inUse: open(cert, key), seen: hashOf(cert, key) }
}

/** Throws OpenSSL's error when one of them is none, or when they do not belong together. */
function open(cert: Buffer, key: Buffer): Material {
  return { cert, key, context: createSecureContext({ cert, key, ...tlsFloor }), names: new X509Certificate(cert) }
}

async function readPair({ cert: certFile, key: keyFile }: CertificateFiles) {
  try {
    const [cert, key] = await Promise.all([readFile(certFile), readFile(keyFile)])
    return { cert, key, hash: hashOf(cert, key) }
  } catch (error) {
    return { error, hash: (error as Error).message }
  }
}

function hashOf(...parts: Buffer[]): string {
  const hash = createHash('sha256')
  for (const part of parts) hash.update(`${part.length}:`).update(part)
  return hash.digest('base64url')
}
