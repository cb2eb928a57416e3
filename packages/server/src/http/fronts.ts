import { setTimeout as delay } from 'node:timers/promises'
import type { App } from '../app.ts'
import { adminRoutes } from './admin/routes.ts'
import { apiRoutes } from './api/routes.ts'
import { appFileRoutes } from './device/app-files.ts'
import { deviceRoutes } from './device/routes.ts'
import { Health } from './health.ts'
import { startMetricsListener } from './metrics.ts'
import { documentRoutes } from './openapi/routes.ts'
import { type Listener, startListener } from './server.ts'
import { Certificates } from './tls.ts'

/** Everything of this process that answers HTTP. */
export interface Fronts {
  /** Says that it is going down and goes on answering for as long as the configuration wants, so that load balancers notice. */
  drain(): Promise<void>
  /** Reads the certificates again. */
  reloadCertificates(): Promise<void>
  /** Answers what is under way and ends what waits. */
  close(): Promise<void>
}

const routesOfApi = [...apiRoutes, ...adminRoutes, ...documentRoutes]

/** Starts all listeners, or none: those that did start are closed again when another cannot. */
export async function startFronts(app: App): Promise<Fronts> {
  const { tls } = app.config
  const certificates = tls.length > 0 ? new Certificates(app, tls) : undefined
  const health = new Health()
  const listeners: Listener[] = []
  const close = async () => {
    certificates?.close()
    await Promise.all(listeners.map((listener) => listener.close()))
  }
  const common = { app, health, ...(certificates && { certificates }) }
  const { apiListen, deviceListen } = app.config
  try {
    listeners.push(await startListener({ ...common, kind: 'api', listen: apiListen, routes: routesOfApi }))
    const routesOfDevices = [...deviceRoutes, ...appFileRoutes(app)]
    listeners.push(await startListener({ ...common, kind: 'device', listen: deviceListen, routes: routesOfDevices }))
    listeners.push(...(await startMetrics(app, health)))
  } catch (error) {
    await close()
    throw error
  }
  return {
    close,
    drain: () => drain(app, health),
    reloadCertificates: async () => certificates?.reload(),
  }
}

/** Where the port is taken although nobody asked for it (a second node on one machine), the server does without. */
async function startMetrics(app: App, health: Health): Promise<Listener[]> {
  const { metrics } = app.config
  if (!metrics) return []
  try {
    return [await startMetricsListener(app, health, metrics.listen)]
  } catch (error) {
    if (metrics.asked || !isTaken(error)) throw error
    app.log.warn(metrics.listen, 'no metrics: their default port is taken; set COUNTERSIGN_METRICS_LISTEN, or to "off"')
    return []
  }
}

async function drain(app: App, health: Health): Promise<void> {
  const { drainSeconds } = app.config
  health.drain()
  if (drainSeconds === 0) return
  app.log.info({ drainSeconds }, 'going down: not ready any more, still answering')
  await delay(drainSeconds * 1_000)
}

function isTaken(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'EADDRINUSE'
}
