import { Readable } from 'node:stream'
import type { FastifyReply } from 'fastify'
import type { App } from '../app.ts'
import { countRejection } from '../core/event-metrics.ts'
import { asApiError, logError, renderError } from './errors.ts'
import { serialize } from './json.ts'
import { lingering } from './linger.ts'
import { commonHeaders, type ListenerKind, listeners } from './listeners.ts'
import { Answer } from './route.ts'

/** Sends what routes return and what they throw: the one place that knows how an answer looks on the wire. */
export class Answers {
  readonly #app: App
  readonly #kind: ListenerKind
  readonly #headers: Record<string, string>
  readonly #isGoing: () => boolean

  /** `isGoing` tells whether connections should go elsewhere: each then ends with its next answer. */
  constructor(app: App, kind: ListenerKind, isGoing: () => boolean) {
    this.#app = app
    this.#kind = kind
    this.#headers = commonHeaders(kind, app.config)
    this.#isGoing = isGoing
  }

  /** 200 with what a route returned; see ApiRoute. */
  send(reply: FastifyReply, result: unknown): FastifyReply {
    const { body, headers, status } = result instanceof Answer ? result : new Answer(result, {})
    reply.code(status).headers(this.#headers)
    if (body === undefined) return this.#finish(reply.headers(headers), undefined)
    reply.header('content-type', listeners[this.#kind].mediaType(reply.request.headers)).headers(headers)
    if (body instanceof Readable) return this.#stream(reply, body)
    return this.#finish(reply, body instanceof Uint8Array ? Buffer.from(body) : Buffer.from(serialize(body), 'latin1'))
  }

  /** The envelope for whatever was thrown. */
  refuse(reply: FastifyReply, thrown: unknown): FastifyReply {
    const { id, method, routeOptions } = reply.request
    const error = asApiError(thrown, this.#kind)
    const where = `${method} ${routeOptions?.url ?? '(no such path)'}`
    // That a node is not ready is what a probe asks, every second or so; it is no failure of the request.
    if (!routeOptions?.config?.entrance?.probe) logError(this.#app.log, error, { where, requestId: id })
    if (error.status === 429) countRejection(this.#app, error)
    const { status, headers, body } = renderError(error)
    reply.code(status).headers(this.#headers).headers(headers)
    reply.header('content-type', listeners[this.#kind].mediaType({}))
    return this.#finish(reply, Buffer.from(body, 'latin1'))
  }

  // What is read for it waits until the client takes it, and ends when the client hangs up.
  #stream(reply: FastifyReply, body: Readable): FastifyReply {
    if (this.#isGoing()) reply.header('connection', 'close')
    body.once('error', (err) => this.#app.log.warn({ err }, 'an answer was broken off'))
    if (reply.request.method !== 'HEAD') return reply.send(body)
    body.destroy() // Fastify would read it to its end
    return reply.send(undefined)
  }

  // Fastify adds a charset to the content type of a text, and none to that of bytes.
  #finish(reply: FastifyReply, bytes: Buffer | undefined): FastifyReply {
    const unread = reply.request.raw.complete === false
    if (unread || this.#isGoing()) reply.header('connection', 'close')
    if (!unread || !bytes) return reply.send(bytes)
    return reply.header('content-length', bytes.length).send(lingering(bytes, reply.request.raw))
  }
}
