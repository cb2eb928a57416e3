import { randomUUID } from 'node:crypto'
import { createServer, type RequestListener, type Server } from 'node:http'
import { createServer as createSecureServer, type ServerOptions as SecureServerOptions } from 'node:https'
import type { Socket } from 'node:net'
import fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify'
import type { Address, App } from '../app.ts'
import { ApiError } from '../core/errors.ts'
import { Answers } from './answers.ts'
import { authenticate } from './authenticate.ts'
import { onClientError, onConnect, type RawAnswer } from './client-errors.ts'
import { Connections } from './connections.ts'
import { notFound, uriTooLong } from './errors.ts'
import { admitExpectations, refuseUnmet, waitsToContinue } from './expectations.ts'
import { Health, healthRoutes } from './health.ts'
import { incoming } from './incoming.ts'
import { listeners } from './listeners.ts'
import { allMethods, allowedMethods } from './paths.ts'
import type { RawGet } from './raw-get.ts'
import type { ApiRoute, DeviceRoute, Incoming, OpenRoute } from './route.ts'
import type { Certificates } from './tls.ts'

export type ListenerOptions = {
  app: App
  listen: Address
  limits?: Partial<Limits>
  /** of all listeners of the process: the listener has its own otherwise */
  health?: Health
  /** the listener speaks https with them, and http without */
  certificates?: Certificates
} & ({ kind: 'api'; routes: (ApiRoute | OpenRoute)[] } | { kind: 'device'; routes: DeviceRoute[] })

/** What a test may shorten: it cannot wait as long as a slow client may. */
interface Limits {
  headersTimeoutMs: number
  requestTimeoutMs: number
  timeoutCheckMs: number
  connectionsMax: number
  keyFreshMs: number
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
  /** asked every second or so by a machine */
  probe?: boolean
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
/** a key is asked for again where its body took longer to arrive: it may have been revoked meanwhile */
const keyFreshMs = 1_000
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
  const { app, kind, health = new Health() } = options
  const { trustedProxies } = app.config
  const answers = new Answers(app, kind, () => stopping.aborted || health.draining)
  const entrances = [...entrancesOf(options), ...probesOf(app, health)]
  const front: FastifyInstance = fastify({
    logger: false,
    genReqId: () => randomUUID(),
    bodyLimit: listeners[kind].bodyBytesMax,
    routerOptions: { maxParamLength: pathParameterCharactersMax },
    trustProxy: trustedProxies.length > 0 ? trustedProxies : false,
    return503OnClosing: false,
    serverFactory: (handler) => buildServer(options, handler, connections),
    clientErrorHandler(error, socket) {
      onClientError({ app, kind, connections, answerGet: (get) => inject(front, get, socket) }, error, socket)
    },
    frameworkErrors(error, { id: requestId, method }, reply) {
      answers.refuse(reply, error)
      app.log.debug({ requestId, listener: kind, method, status: reply.statusCode }, 'request')
    },
  })
  front.setErrorHandler((error, _request, reply) => answers.refuse(reply, error))
  admit(front, options, { entrances, stopping, health })
  readBodies(front)
  for (const entrance of entrances) {
    front.route({
      method: entrance.method,
      url: entrance.path,
      ...(entrance.bodyBytesMax && { bodyLimit: entrance.bodyBytesMax }),
      config: { entrance },
      handler: async (request, reply) => answers.send(reply, await entered(request.handler)()),
    })
  }
  front.addHook('onResponse', async (request, reply) => noteRequest(app, kind, request, reply))
  return front
}

/** The route's pattern, never the address: that has ids and names in it. */
function noteRequest(app: App, listener: string, request: FastifyRequest, reply: FastifyReply): void {
  const { id: requestId, method, routeOptions } = request
  const { statusCode: status, elapsedTime: ms } = reply
  const route = routeOptions.url
  app.log.debug({ requestId, listener, method, route, status, ms }, 'request')
  const labels = { listener, method, route: route ?? '(none)', status: `${Math.floor(status / 100)}xx` }
  app.metrics.observe('countersign_http_request_duration_seconds', labels, ms / 1000)
}

function buildServer(
  { app, kind, limits, routes, certificates }: ListenerOptions,
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
  const server = certificates
    ? buildSecureServer(certificates, { ...settings, handshakeTimeout: headersTimeout }, handler)
    : createServer(settings, handler)
  server.maxConnections = limits?.connectionsMax ?? defaults.connectionsMax(app.config)
  admitExpectations(server)
  const methods = allMethods(routes)
  server.on('connect', (_request, socket: Socket) => onConnect({ app, kind, connections, methods }, socket))
  connections.watch(server, certificates ? 'secureConnection' : 'connection')
  return server
}

function buildSecureServer(
  certificates: Certificates,
  settings: SecureServerOptions,
  handler: RequestListener,
): Server {
  const server = createSecureServer({ ...settings, ...certificates.options() }, handler)
  certificates.attach(server)
  return server
}

/** What is decided of a request while its body is still outside: whether there is such a route, and who may come in. */
function admit(
  front: FastifyInstance,
  { kind }: ListenerOptions,
  { entrances, ...going }: { entrances: Entrance[]; stopping: AbortSignal; health: Health },
): void {
  const allowed = allowedMethods(entrances)
  front.decorateRequest('handler', undefined)
  front.addHook('onRequest', async (request, reply) => {
    const url = request.raw.url ?? ''
    if (url.length > urlCharactersMax) throw uriTooLong()
    refuseUnmet(request.raw)
    const { entrance } = request.routeOptions.config
    if (!entrance) throw refuseRoute(reply, allowed(url.split('?', 1)[0] ?? ''))
    request.handler = await entrance.enter(incoming(kind, request, reply, going))
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
      const asked = performance.now()
      return async () => {
        const isFresh = performance.now() - asked < (options.limits?.keyFreshMs ?? keyFreshMs)
        return route.handle(app, isFresh ? actor : await authenticate(app, request.headers), request)
      }
    },
  }))
}

function probesOf(app: App, health: Health): Entrance[] {
  return healthRoutes(health).map((route) => ({ ...route, probe: true, enter: async () => () => route.handle(app) }))
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
