import type { FastifyReply, FastifyRequest } from 'fastify'
import { clientAddress } from './client-address.ts'
import type { Health } from './health.ts'
import { type ListenerKind, listeners } from './listeners.ts'
import type { Incoming } from './route.ts'

/** A request as routes see it. Made before its body is read; the body is there when the route's own part runs. */
export function incoming(
  kind: ListenerKind,
  request: FastifyRequest,
  reply: FastifyReply,
  { stopping, health }: { stopping: AbortSignal; health: Health },
): Incoming {
  const address = clientAddress(request)
  return {
    params: request.params as Incoming['params'], // Fastify types them as unknown; its router only makes strings
    query: queryOf(request.raw.url ?? ''),
    headers: request.headers,
    clientAddress: address,
    get text() {
      const bytes = bytesOf(request)
      return bytes && listeners[kind].decode(bytes)
    },
    get bytes() {
      return bytesOf(request)
    },
    get signal() {
      return AbortSignal.any([stopping, hangUp(reply)])
    },
    get pollSignal() {
      // What comes while the server is going down waits as long as the server answers: it would come again at once.
      return health.draining ? this.signal : AbortSignal.any([stopping, hangUp(reply), health.drainSignal])
    },
  }
}

function bytesOf({ body }: FastifyRequest): Buffer | undefined {
  return Buffer.isBuffer(body) && body.length > 0 ? body : undefined
}

function queryOf(url: string): string {
  const mark = url.indexOf('?')
  return mark < 0 ? '' : url.slice(mark + 1)
}

function hangUp(reply: FastifyReply): AbortSignal {
  const controller = new AbortController()
  reply.raw.once('close', () => controller.abort())
  return controller.signal
}
