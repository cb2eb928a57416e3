import type { Server, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'

interface Connection {
  /** of requests whose answer is not out yet, in the order they came */
  responses: Set<ServerResponse>
  /** what had been read when the last answer was out: more than that is a request on its way */
  bytesReadAtRest: number
  served: boolean
}

const freshMs = 1000

/** The connections of one listener, so that it can end them without cutting an answer off. */
export class Connections {
  readonly #sockets = new Set<Socket>()
  readonly #connections = new Map<Socket, Connection>()
  readonly #timers: NodeJS.Timeout[] = []
  #stopping = false

  /** `ready` is the event that hands over a socket on which requests arrive. */
  watch(server: Server, ready: 'connection' | 'secureConnection'): void {
    server.on('connection', (socket: Socket) => remember(this.#sockets, socket))
    server.on(ready, (socket: Socket) => this.#begin(socket))
    server.on('request', (request, response) => this.#answering(request.socket, response))
    server.on('close', () => {
      for (const timer of this.#timers) clearTimeout(timer)
    })
    // Node calls this when it closes, and would cut answers that were ended but are not sent yet: stop() below ends idle connections.
    server.closeIdleConnections = () => {}
  }

  /** The answers that a socket still owes, oldest first. */
  owed(socket: Socket): ServerResponse[] {
    return [...(this.#connections.get(socket)?.responses ?? [])]
  }

  /** Ends idle connections now, the others after their answer, and whatever is left after `graceMs`. */
  stop(graceMs: number): void {
    this.#stopping = true
    // After one whole turn of the event loop: requests that the kernel already holds are read first.
    setImmediate(() => setImmediate(() => this.#endIdle((connection) => connection.served)))
    this.#timers.push(
      setTimeout(() => this.#endIdle(() => true), Math.min(freshMs, graceMs)),
      setTimeout(() => this.#endAll(), graceMs),
    )
  }

  #begin(socket: Socket): void {
    this.#connections.set(socket, { responses: new Set(), bytesReadAtRest: socket.bytesRead, served: false })
    socket.once('close', () => this.#connections.delete(socket))
  }

  #answering(socket: Socket, response: ServerResponse): void {
    const connection = this.#connections.get(socket)
    if (!connection) return
    connection.responses.add(response)
    connection.served = true
    response.once('close', () => {
      connection.responses.delete(response)
      connection.bytesReadAtRest = socket.bytesRead
      if (this.#stopping && connection.responses.size === 0) socket.destroySoon()
    })
  }

  #endAll(): void {
    for (const socket of this.#sockets) socket.destroy()
  }

  #endIdle(among: (connection: Connection) => boolean): void {
    for (const [socket, connection] of this.#connections) {
      const idle = connection.responses.size === 0 && socket.bytesRead === connection.bytesReadAtRest
      if (idle && among(connection)) socket.destroySoon()
    }
  }
}

function remember(sockets: Set<Socket>, socket: Socket): void {
  sockets.add(socket)
  socket.once('close', () => sockets.delete(socket))
}
