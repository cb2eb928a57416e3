import { createServer, type RequestListener, type Server } from 'node:http'
import { createServer as createSecureServer } from 'node:https'
import type { Socket } from 'node:net'
import fastify, { type FastifyInstance, type FastifyReply } from 'fastify'
import type { Address, App } from '../app.ts'
import { ApiError } from '../core/errors.ts'
import { Answers } from './answers.ts'
import { authenticate } from './authenticate.ts'
import { onClientError, onConnect, type RawAnswer } from './client-errors.ts'
import { Connections } from './connections.ts'
import { notFound, uriTooLong } from './errors.ts'
import { admitExpectations, refuseUnmet, waitsToContinue } from './expectations.ts'
import { incoming } from './incoming.ts'
import { listeners } from './listeners.ts'
import { allMethods, allowedMethods } from './paths.ts'
import type { RawGet } from './raw-get.ts'
import type { ApiRoute, DeviceRoute, Incoming, OpenRoute } from './route.ts'

export type ListenerOptions = { app: App; listen: Address; limits?: Partial<Limits> } & (
  | { kind: 'api'; routes: (ApiRoute | OpenRoute)[] }
  | { kind: 'device'; routes: DeviceRoute[] }
)

/** What a test may shorten: it cannot wait as long as a slow client may. */
interface Limits {
  headersTimeoutMs: number
  requestTimeoutMs: number
  timeoutCheckMs: number
  connectionsMax: number
}

/** A front that answers. */
export interface Listener {
  port: number
  /** Accepts no further connection, answers what was accepted, and resolves when the last connection is gone. */
  close(): Promise<void>
}

/** A route of either kind: `enter` runs before the body is read, and tells what to run after it. */
interface Entrance {
  method: ApiRoute['method']
  path: string
  bodyBytesMax?: number
  enter(request: Incoming): Promise<Handler>
}

type Handler = () => Promise<unknown>

declare module 'fastify' {
  interface FastifyRequest {
    handler: Handler | undefined
  }
  interface FastifyContextConfig {
    entrance?: Entrance
  }
}

const urlCharactersMax = 8192
const pathParameterCharactersMax = 1024
const timeoutCheckMs = 5_000
/** longer than the 60 s after which load balancers forget an idle connection */
const keepAliveMs = 75_000
/** a whole company that logs in at nine must not overflow it: with SYN cookies, what overflows is reset */
const backlogConnections = 4_096
/** less than the 10 s that a container has to stop */
const closeGraceMs = 8_000

/** Starts one of the HTTP fronts over a table of routes; resolves when it accepts connections. */
export async function startListener(options: ListenerOptions): Promise<Listener> {
  const connections = new Connections()
  const stopping = new AbortController()
  const front = buildFront(options, connections, stopping.signal)
  // biome-ignore lint/nursery/useAwaitThenable: it takes the overload with a callback for this one
  await front.listen({ ...options.listen, backlog: backlogConnections })
  const address = front.server.address()
  return {
    port: typeof address === 'object' ? (address?.port ?? 0) : 0,
    async close() {
      stopping.abort()
      connections.stop(closeGraceMs)
      await front.close()
    },
  }
}

function buildFront(options: ListenerOptions, connections: Connections, stopping: AbortSignal): FastifyInstance {
  const { app, kind } = options
  const { trustedProxies } = app.config
  const answers = new Answers(app, kind, stopping)
  const front: FastifyInstance = fastify({
    logger: false,
    bodyLimit: listeners[kind].bodyBytesMax,
    routerOptions: { maxParamLength: pathParameterCharactersMax },
    trustProxy: trustedProxies.length > 0 ? trustedProxies : false,
    return503OnClosing: false,
    serverFactory: (handler) => buildServer(options, handler, connections),
    clientErrorHandler(error, socket) {
      onClientError({ app, kind, connections, answerGet: (get) => inject(front, get, socket) }, error, socket)
    },
    frameworkErrors(error, { method }, reply) {
      answers.refuse(reply, error)
      app.log.debug({ method, status: reply.statusCode }, 'request')
    },
  })
  front.setErrorHandler((error, _request, reply) => answers.refuse(reply, error))
  admit(front, options, stopping)
  readBodies(front)
  for (const entrance of entrancesOf(options)) {
    front.route({
      method: entrance.method,
      url: entrance.path,
      ...(entrance.bodyBytesMax && { bodyLimit: entrance.bodyBytesMax }),
      config: { entrance },
      handler: async (request, reply) => answers.send(reply, await entered(request.handler)()),
    })
  }
  front.addHook('onResponse', async ({ method, routeOptions }, { statusCode, elapsedTime }) => {
    app.log.debug({ method, route: routeOptions.url, status: statusCode, ms: elapsedTime }, 'request')
  })
  return front
}

function buildServer(
  { app, kind, limits, routes }: ListenerOptions,
  handler: RequestListener,
  connections: Connections,
): Server {
  const defaults = listeners[kind]
  const headersTimeout = limits?.headersTimeoutMs ?? defaults.headersTimeoutMs
  const settings = {
    requireHostHeader: false,
    headersTimeout,
    requestTimeout: limits?.requestTimeoutMs ?? defaults.requestTimeoutMs,
    connectionsCheckingInterval: limits?.timeoutCheckMs ?? timeoutCheckMs,
    keepAliveTimeout: keepAliveMs,
    keepAlive: true,
  }
  const { tls } = app.config
  const server: Server = tls
    ? createSecureServer({ ...settings, ...tls, minVersion: 'TLSv1.2', handshakeTimeout: headersTimeout }, handler)
    : createServer(settings, handler)
  server.maxConnections = limits?.connectionsMax ?? defaults.connectionsMax(app.config)
  admitExpectations(server)
  const methods = allMethods(routes)
  server.on('connect', (_request, socket: Socket) => onConnect({ app, kind, connections, methods }, socket))
  connections.watch(server, tls ? 'secureConnection' : 'connection')
  return server
}

/** What is decided of a request while its body is still outside: whether there is such a route, and who may come in. */
function admit(front: FastifyInstance, options: ListenerOptions, stopping: AbortSignal): void {
  const allowed = allowedMethods(options.routes)
  front.decorateRequest('handler', undefined)
  front.addHook('onRequest', async (request, reply) => {
    const url = request.raw.url ?? ''
    if (url.length > urlCharactersMax) throw uriTooLong()
    refuseUnmet(request.raw)
    const { entrance } = request.routeOptions.config
    if (!entrance) throw refuseRoute(reply, allowed(url.split('?', 1)[0] ?? ''))
    request.handler = await entrance.enter(incoming(options.kind, request, reply, stopping))
  })
}

function refuseRoute(reply: FastifyReply, methods: string): ApiError {
  if (!methods) return notFound()
  reply.header('allow', methods)
  return new ApiError('api.error.methodnotallowed', `This address knows only ${methods}.`)
}

/** Bodies are bytes. Whether they are JSON is for the route to find out, from the bytes: clients say anything in Content-Type. */
function readBodies(front: FastifyInstance): void {
  front.removeAllContentTypeParsers()
  front.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) => done(null, body))
  front.addHook('preParsing', (request, reply, payload, done) => {
    // Fastify would answer 415 to a Content-Type that it cannot read.
    delete request.raw.headers['content-type']
    const length = Number(request.headers['content-length'])
    if (waitsToContinue(request.raw) && !(length > request.routeOptions.bodyLimit)) reply.raw.writeContinue()
    done(null, payload)
  })
}

function entrancesOf(options: ListenerOptions): Entrance[] {
  const { app } = options
  if (options.kind === 'device') {
    return options.routes.map((route) => ({ ...route, enter: async (request) => () => route.handle(app, request) }))
  }
  return options.routes.map((route) => ({
    ...route,
    async enter(request) {
      if ('enter' in route) return route.enter(app, request)
      const actor = await authenticate(app, request.headers)
      return () => route.handle(app, actor, request)
    },
  }))
}

function entered(handler: Handler | undefined): Handler {
  if (!handler) throw new Error('a route was reached without passing its entrance')
  return handler
}

async function inject(front: FastifyInstance, get: RawGet, peer: Socket): Promise<RawAnswer> {
  // biome-ignore lint/nursery/useAwaitThenable: it takes the overload without options for this one
  const { statusCode, headers, rawPayload } = await front.inject({
    ...get,
    method: 'GET',
    remoteAddress: peer.remoteAddress ?? '',
  })
  return { status: statusCode, headers, body: rawPayload }
}
