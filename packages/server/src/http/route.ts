import type { IncomingHttpHeaders } from 'node:http'
import type { App } from '../app.ts'
import type { ApiKeyActor } from '../core/actors.ts'

/** What a route is told of a request. */
export interface Incoming {
  /** the path's parameters, percent-decoded */
  readonly params: Readonly<Record<string, string | undefined>>
  /** what follows the first `?`, byte for byte; '' if there is none */
  readonly query: string
  readonly headers: IncomingHttpHeaders
  /** who the connection says, or whom a trusted proxy speaks for */
  readonly clientAddress: string
  /** the body as it was sent; undefined when it has no byte. Reading it throws when it is not text in the listener's encoding. */
  readonly text: string | undefined
  /** the same as it came; undefined when it has no byte */
  readonly bytes: Uint8Array | undefined
  /** aborted when the client hangs up and when the server stops: a route that waits then answers with what it has */
  readonly signal: AbortSignal
  /** aborted when the server begins to go down, too: for a wait after which the client asks again, perhaps another node */
  readonly pollSignal: AbortSignal
}

interface RouteData {
  method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
  /** segments that begin with a colon are parameters */
  path: string
  /** instead of the listener's limit */
  bodyBytesMax?: number
}

/**
 * A route of the REST API. The key is judged before a byte of the body is read. What `handle` returns is sent with 200: an object
 * or array as JSON, undefined as an empty body, an Answer with its headers; what it throws goes through errors.ts.
 */
export interface ApiRoute extends RouteData {
  handle(app: App, actor: ApiKeyActor, request: Incoming): Promise<unknown>
}

/** A route of the device listener, under the same rules as an ApiRoute; who is asking stands in the signed body. */
export interface DeviceRoute extends RouteData {
  handle(app: App, request: Incoming): Promise<unknown>
}

/** A route that finds out by itself who asks, before a byte of the body is read; what it resolves with runs after that. */
export interface OpenRoute extends RouteData {
  enter(app: App, request: Incoming): Promise<() => Promise<unknown>>
}

/** A reply with headers or a status of its own. A body that is a stream or bytes is sent as it is, and its headers say what it is. */
export class Answer {
  readonly body: unknown
  readonly headers: Record<string, string>
  readonly status: number

  constructor(body: unknown, headers: Record<string, string>, status = 200) {
    this.body = body
    this.headers = headers
    this.status = status
  }
}
