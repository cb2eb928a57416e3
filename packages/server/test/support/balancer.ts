import { once } from 'node:events'
import { request } from 'node:http'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'

/** A load balancer for TCP that believes `/readyz`, like those that operators have. */
export interface Balancer {
  url: string
  /** Resolves once it sends connections to exactly so many nodes. */
  untilReady(count: number): Promise<void>
  close(): Promise<void>
}

const checkMs = 100
const checkTimeoutMs = 2_000

/** Starts one before these origins. A connection that the chosen node refuses is refused to the client, too: nothing is tried again. */
export async function startBalancer(origins: string[]): Promise<Balancer> {
  const sockets = new Set<Socket>()
  const ready = new Set<string>()
  let turn = 0
  let open = true
  const server = createServer((near) => {
    const nodes = [...ready]
    const node = nodes[turn++ % nodes.length]
    if (node === undefined) near.destroy()
    else join(near, node, sockets)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const checks = origins.map(async (origin) => {
    for (; open; await delay(checkMs)) {
      if (await isReady(origin)) ready.add(origin)
      else ready.delete(origin)
    }
  })
  return {
    // An address of a listening TCP server is never a pipe's name.
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async untilReady(count) {
      while (ready.size !== count) await delay(checkMs / 10)
    },
    async close() {
      open = false
      await Promise.all(checks)
      for (const socket of sockets) socket.destroy()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

function join(near: Socket, node: string, sockets: Set<Socket>): void {
  const far = connect(Number(new URL(node).port), '127.0.0.1')
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
}

function isReady(origin: string): Promise<boolean> {
  return new Promise((resolve) => {
    const asking = request(`${origin}/readyz`, { agent: false, timeout: checkTimeoutMs }, (response) => {
      response.resume()
      resolve(response.statusCode === 200)
    })
    asking.on('timeout', () => asking.destroy())
    asking.on('error', () => resolve(false))
    asking.end()
  })
}
