import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { Address, App } from '../app.ts'
import { ApiError } from '../core/errors.ts'
import { asApiError, notFound, renderError } from './errors.ts'
import { type Health, healthRoutes } from './health.ts'
import type { Listener } from './server.ts'

interface Rendered {
  status: number
  headers: Record<string, string>
  body: string
}

const requestTimeoutMs = 10_000
const connectionsMax = 64

/** For operators and their machines: `/metrics`, `/healthz` and `/readyz`, in plain http and without a key. */
export async function startMetricsListener(app: App, health: Health, listen: Address): Promise<Listener> {
  app.metrics.addProcess()
  const timeouts = { headersTimeout: requestTimeoutMs, requestTimeout: requestTimeoutMs }
  const server = createServer(timeouts, (request, response) => void respond(app, health, request, response))
  server.maxConnections = connectionsMax
  server.listen(listen)
  await once(server, 'listening')
  const address = server.address()
  return {
    port: typeof address === 'object' ? (address?.port ?? 0) : 0,
    close: () => close(server),
  }
}

async function close(server: Server): Promise<void> {
  const closed = once(server, 'close')
  server.close()
  server.closeAllConnections()
  await closed
}

async function respond(app: App, health: Health, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { status, headers, body } = await answer(app, health, request).catch((error) =>
    withType(renderError(asApiError(error, 'api'))),
  )
  request.resume()
  response.writeHead(status, { ...headers, 'content-length': Buffer.byteLength(body), 'cache-control': 'no-store' })
  response.end(body)
}

async function answer(app: App, health: Health, { method, url = '' }: IncomingMessage): Promise<Rendered> {
  const path = url.split('?', 1)[0]
  const probe = healthRoutes(health).find((route) => route.path === path)
  if (!probe && path !== '/metrics') throw notFound()
  if (method !== 'GET' && method !== 'HEAD') {
    const refusal = new ApiError('api.error.methodnotallowed', 'This address knows only GET, HEAD.')
    const { headers, ...rest } = withType(renderError(refusal))
    return { ...rest, headers: { ...headers, allow: 'GET, HEAD' } }
  }
  if (probe) return withType({ status: 200, headers: {}, body: JSON.stringify(await probe.handle(app)) })
  const { contentType, text } = await app.metrics.read()
  return { status: 200, headers: { 'content-type': contentType }, body: text }
}

function withType(rendered: Rendered): Rendered {
  return { ...rendered, headers: { ...rendered.headers, 'content-type': 'application/json' } }
}
