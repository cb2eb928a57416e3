import { setTimeout as delay } from 'node:timers/promises'
import type { App } from '../app.ts'
import { ApiError } from '../core/errors.ts'
import { hasOrganizations } from '../core/organizations.ts'

/** A route that anybody may ask, on every listener: it tells a load balancer about this process and nothing else. */
export interface HealthRoute {
  method: 'GET'
  path: string
  handle(app: App): Promise<object>
}

const databaseWaitMs = 2_000

/** What one process says of itself to whoever sends it requests. */
export class Health {
  readonly #draining = new AbortController()
  #asking: Promise<void> | undefined
  #ready = true

  /** true once the process is going down: it still answers, and asks to be left alone */
  get draining(): boolean {
    return this.drainSignal.aborted
  }

  /** aborted when it begins to go down */
  get drainSignal(): AbortSignal {
    return this.#draining.signal
  }

  drain(): void {
    this.#draining.abort()
  }

  /** Throws `api.error.unavailable` while draining and when the database does not answer within two seconds. */
  async requireReady(app: App): Promise<void> {
    if (this.draining) throw notReady('This server is going down.')
    // However many ask at once, and anybody may: the database is asked once.
    this.#asking ??= this.#askDatabase(app).finally(() => {
      this.#asking = undefined
    })
    await this.#asking
  }

  async #askDatabase(app: App): Promise<void> {
    try {
      await databaseAnswer(app)
    } catch (cause) {
      // Asked every second or so: that it is not ready is told once.
      if (this.#ready) app.log.warn({ err: cause }, 'not ready: the database does not answer')
      this.#ready = false
      throw notReady('The database does not answer.', cause)
    }
    if (!this.#ready) app.log.info('ready again: the database answers')
    this.#ready = true
  }
}

/** Alive, and ready for requests. */
export function healthRoutes(health: Health): HealthRoute[] {
  return [
    { method: 'GET', path: '/healthz', handle: async () => ({ status: 'OK' }) },
    {
      method: 'GET',
      path: '/readyz',
      async handle(app) {
        await health.requireReady(app)
        return { status: 'OK' }
      },
    },
  ]
}

async function databaseAnswer(app: App): Promise<void> {
  const late = delay(databaseWaitMs, undefined, { ref: false }).then(() => {
    throw new Error(`It did not answer within ${databaseWaitMs} ms.`)
  })
  await Promise.race([hasOrganizations(app), late])
}

function notReady(message: string, cause?: unknown): ApiError {
  return new ApiError('api.error.unavailable', message, { cause, retryAfterSeconds: 1 })
}
