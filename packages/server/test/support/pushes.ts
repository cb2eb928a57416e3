import assert from 'node:assert/strict'
import { setTimeout as delay } from 'node:timers/promises'
import type { TestEngine } from './engines.ts'
import type { Phone } from './phones.ts'
import { type PushService, startPushService } from './push-service.ts'
import { type ServerOptions, startTestServer, type TestServer } from './server.ts'
import { type TimedClock, timedClock } from './timers.ts'

/** A server that sends pushes, the service that they go to, and the clock that everything waits by. */
export interface PushWorld {
  server: TestServer
  service: PushService
  clock: TimedClock
  /** The application asks; the session as it was created. */
  ask(phone: Phone): Promise<{ id: string; state: string; reason: string }>
  /** What became of pushes since the last call, once so many have come to an end. */
  outcomes(count: number): Promise<Record<string, number>>
  stop(): Promise<void>
}

export const pushSettings = { COUNTERSIGN_PUSH_CONTACT: 'mailto:mfa@example.org' }
const deadlineMs = 10_000

export async function startPushWorld(engine: TestEngine, options: ServerOptions = {}): Promise<PushWorld> {
  const [service, clock] = [await startPushService(), timedClock()]
  const { settings, ...more } = options
  const server = await startTestServer(engine, {
    ...more,
    settings: { ...pushSettings, ...settings },
    network: service.network,
    clock,
  })
  let seen: Record<string, number> = {}
  let { metrics } = server.app
  return {
    server,
    service,
    clock,
    async ask({ domainId, userId }) {
      const body = { user: { id: userId } }
      const headers = { accept: 'application/vnd.countersign.v1+json' }
      const reply = await server.call('POST', `/api/domains/${domainId}/sessions`, { body, headers })
      assert.equal(reply.status, 200, reply.text)
      return reply.body
    },
    async outcomes(count) {
      const deadline = performance.now() + deadlineMs
      if (metrics !== server.app.metrics) seen = {} // a restart begins them anew
      metrics = server.app.metrics
      for (;;) {
        const all = await counted(server)
        const news = Object.entries(all).map(([name, value]) => [name, value - (seen[name] ?? 0)] as const)
        const sum = news.reduce((sum, [, value]) => sum + value, 0)
        if (sum >= count) {
          assert.equal(sum, count, JSON.stringify(news))
          seen = all
          return Object.fromEntries(news.filter(([, value]) => value > 0))
        }
        if (performance.now() > deadline) assert.fail(`${sum} pushes came to an end, not ${count}`)
        await delay(2)
      }
    },
    stop: async () => void (await Promise.all([service.close(), server.stop()])),
  }
}

async function counted({ app }: TestServer): Promise<Record<string, number>> {
  const { text } = await app.metrics.read()
  const lines = [...text.matchAll(/^countersign_pushes_total\{result="(\w+)"\} (\d+)$/gm)]
  return Object.fromEntries(lines.map(([, name = '', value]) => [name, Number(value)]))
}
