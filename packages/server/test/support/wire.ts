import assert from 'node:assert/strict'
import { connect, type Socket } from 'node:net'
import { connect as connectSecurely } from 'node:tls'

/** One answer as it came over the wire. */
export interface WireAnswer {
  status: number
  /** lower-case names */
  headers: Record<string, string>
  /** one character a byte */
  body: string
}

type Bytes = string | Uint8Array

/** A bare connection: what a test writes goes out byte for byte, and what comes in is cut into answers. */
export class Wire {
  readonly socket: Socket
  #received = ''
  #ended = false
  #wake: () => void = () => {}

  constructor(socket: Socket) {
    this.socket = socket
    // Head and body are written apart, as some clients do; nobody should wait for an acknowledgement between them.
    socket.setNoDelay(true)
    socket.on('data', (data) => {
      this.#received += data.toString('latin1')
      this.#wake()
    })
    for (const event of ['end', 'error', 'close']) {
      socket.on(event, () => {
        this.#ended = true
        this.#wake()
      })
    }
  }

  /** Connects to an origin; over TLS without asking whose certificate it is. */
  static async open(origin: string): Promise<Wire> {
    const { protocol, hostname, port } = new URL(origin)
    const to = { host: hostname, port: Number(port), allowHalfOpen: true }
    const secure = protocol === 'https:'
    const socket = secure ? connectSecurely({ ...to, rejectUnauthorized: false }) : connect(to)
    const wire = new Wire(socket)
    await new Promise<void>((resolve, reject) => {
      socket.once(secure ? 'secureConnect' : 'connect', resolve).once('error', reject)
    })
    return wire
  }

  /** One character of a string is one byte. */
  send(...parts: Bytes[]): this {
    for (const part of parts) this.socket.write(typeof part === 'string' ? Buffer.from(part, 'latin1') : part)
    return this
  }

  /** The next answer, interim ones too. `bodiless` is for the answer to a HEAD. */
  async answer({ bodiless = false } = {}): Promise<WireAnswer> {
    const head = await this.#take((text) => {
      const end = text.indexOf('\r\n\r\n')
      return end < 0 ? undefined : end + 4
    })
    const [statusLine = '', ...lines] = head.trimEnd().split('\r\n')
    const headers = Object.fromEntries(lines.map((line) => [nameOf(line), line.slice(line.indexOf(':') + 1).trim()]))
    const length = bodiless ? 0 : Number(headers['content-length'] ?? 0)
    const body = await this.#take((text) => (text.length < length ? undefined : length))
    return { status: Number(statusLine.split(' ')[1]), headers, body }
  }

  /** Resolves when the server has closed; with whatever it sent besides the answers read. */
  async closed(): Promise<string> {
    while (!this.#ended) await this.#more()
    this.close()
    return this.#received
  }

  close(): void {
    this.socket.destroy()
  }

  async #take(measure: (text: string) => number | undefined): Promise<string> {
    for (;;) {
      const length = measure(this.#received)
      if (length !== undefined) {
        const taken = this.#received.slice(0, length)
        this.#received = this.#received.slice(length)
        return taken
      }
      assert.ok(!this.#ended, `the connection ended after ${JSON.stringify(this.#received)}`)
      await this.#more()
    }
  }

  #more(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve
    })
  }
}

/** One request on a connection of its own. */
export async function exchange(origin: string, ...request: Bytes[]): Promise<WireAnswer> {
  const wire = await Wire.open(origin)
  try {
    return await wire.send(...request).answer()
  } finally {
    wire.close()
  }
}

function nameOf(line: string): string {
  return line.slice(0, line.indexOf(':')).toLowerCase()
}
