import { once } from 'node:events'
import { createServer } from 'node:https'
import { setTimeout as delay } from 'node:timers/promises'
import { connect, type TLSSocket } from 'node:tls'
import type { World } from '../../src/main.ts'
import { pushCertificate } from './certificate.ts'

/** A push as it arrived. */
export interface ReceivedPush {
  host: string
  path: string
  method: string
  headers: Record<string, string>
  body: Buffer
}

/** What a push is answered with: 201 unless a test says otherwise. */
export interface PushAnswer {
  status: number
  headers?: Record<string, string>
  body?: string | Buffer
}

/** Every push service there is, on this machine. */
export interface PushService {
  /** for ServerOptions */
  network: NonNullable<World['network']>
  received: ReceivedPush[]
  /** hosts whose address was asked for, and what was connected to */
  resolved: string[]
  dialled: { host: string; addresses: string[] }[]
  /** Addresses of a host, a public one unless told. Throws like a resolver where there is none. */
  addressesOf: (host: string) => string[]
  /** Undefined: no answer ever. */
  answer: (push: ReceivedPush) => PushAnswer | undefined
  /** Resolves when so many pushes have arrived in all. */
  until(count: number): Promise<void>
  close(): Promise<void>
}

const deadlineMs = 10_000

/** An address that is somebody's on the internet; nothing here connects to it. */
export const publicAddress = '9.9.9.9'

/** Speaks RFC 8030 over TLS for every host that a certificate of the tests names. */
export async function startPushService(): Promise<PushService> {
  const sockets = new Set<TLSSocket>()
  const server = createServer(pushCertificate, (request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk) => chunks.push(chunk))
    request.on('end', () => {
      const headers = Object.fromEntries(Object.entries(request.headers).map(([name, value]) => [name, String(value)]))
      const { host = '' } = headers
      const { url: path = '', method = '' } = request
      const push = { host, path, method, headers, body: Buffer.concat(chunks) }
      service.received.push(push)
      const answer = service.answer(push)
      if (answer) response.writeHead(answer.status, answer.headers).end(answer.body)
    })
  })
  server.on('secureConnection', (socket) => sockets.add(socket))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  const port = typeof address === 'object' && address ? address.port : 0
  const service: PushService = {
    received: [],
    resolved: [],
    dialled: [],
    addressesOf: () => [publicAddress],
    answer: () => ({ status: 201 }),
    network: {
      resolve: async (host) => {
        service.resolved.push(host)
        return service.addressesOf(host)
      },
      dial(host, addresses) {
        service.dialled.push({ host, addresses })
        return connect({ host: '127.0.0.1', port, servername: host, ca: pushCertificate.cert })
      },
    },
    async until(count) {
      const deadline = performance.now() + deadlineMs
      while (service.received.length < count) {
        if (performance.now() > deadline) throw new Error(`${service.received.length} pushes arrived, not ${count}`)
        await delay(2)
      }
    },
    async close() {
      server.close()
      for (const socket of sockets) socket.destroy()
    },
  }
  return service
}
