import { X509Certificate } from 'node:crypto'
import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connect } from 'node:tls'
import type { CertificateFiles } from '../../src/config.ts'

/** PEM texts. */
export interface Pem {
  cert: string
  key: string
}

/** A directory of certificates that goes with the test. */
export class TlsFiles {
  readonly directory = mkdtempSync(join(tmpdir(), 'countersign-tls-'))

  write(name: string, { cert, key }: Pem): CertificateFiles {
    const files = { cert: join(this.directory, `${name}.pem`), key: join(this.directory, `${name}.key`) }
    writeFileSync(files.cert, cert)
    writeFileSync(files.key, key)
    return files
  }

  /** Puts others in their place by renaming, the way a careful program does. */
  rename(files: CertificateFiles, pem: Pem): void {
    const next = this.write('next', pem)
    renameSync(next.key, files.key)
    renameSync(next.cert, files.cert)
  }

  remove(): void {
    rmSync(this.directory, { recursive: true })
  }
}

/** The serial number of the certificate that a server shows to whoever asks for this name; no name is an old client. */
export async function shownBy(origin: string, servername?: string): Promise<string> {
  const { port } = new URL(origin)
  const socket = connect({
    host: '127.0.0.1',
    port: Number(port),
    rejectUnauthorized: false,
    ...(servername === undefined ? {} : { servername }),
  })
  return new Promise((resolve, reject) => {
    socket.once('error', reject)
    socket.once('secureConnect', () => {
      resolve(socket.getPeerCertificate().serialNumber)
      socket.destroy()
    })
  })
}

export function serialOf({ cert }: Pem): string {
  return new X509Certificate(cert).serialNumber
}
