import { connect, createServer, type Server, type Socket } from 'node:net'

/** Stands between a server and its database, and can be cut like a cable. */
export interface Detour {
  /** the database's URL, through the proxy */
  url: string
  /** Ends every connection and refuses new ones. */
  cut(): Promise<void>
  mend(): Promise<void>
  /** how many connections came since it was cut */
  readonly knocks: number
  close(): Promise<void>
}

/** Starts a proxy in front of a database that is reached by TCP. */
export async function startProxy(databaseUrl: string): Promise<Detour> {
  const target = new URL(databaseUrl)
  const sockets = new Set<Socket>()
  let whole = true
  let knocks = 0
  const server: Server = createServer((near) => {
    if (!whole) {
      knocks++
      near.destroy()
      return
    }
    const far = connect(Number(target.port), target.hostname)
    for (const [socket, other] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(socket)
      socket.on('error', () => {}) // the other end goes with it
      socket.on('close', () => {
        sockets.delete(socket)
        other.destroy()
      })
      socket.pipe(other)
    }
  })
  const port = await new Promise<number>((resolve) => {
    server.listen(0, '127.0.0.1', () => {
      const address = server.address()
      resolve(typeof address === 'object' && address ? address.port : 0)
    })
  })
  const url = new URL(databaseUrl)
  url.host = `127.0.0.1:${port}`
  const endAll = () => {
    for (const socket of sockets) socket.destroy()
  }
  return {
    url: url.href,
    async cut() {
      whole = false
      knocks = 0
      endAll()
    },
    async mend() {
      whole = true
    },
    get knocks() {
      return knocks
    },
    async close() {
      endAll()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
