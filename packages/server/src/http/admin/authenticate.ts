import type { App } from '../../app.ts'
import type { Actor } from '../../core/actors.ts'
import { authenticateApiKey } from '../../core/api-keys.ts'
import { authenticate } from '../authenticate.ts'
import type { Incoming } from '../route.ts'

const bearer = /^Bearer +([0-9A-Za-z]{64}) *$/i

/** Who asks something of the management API: an application by its key (RFC 6750 §2.1, or as LoginTC's clients send it). */
export async function authenticateAdmin(app: App, request: Incoming): Promise<Actor> {
  const key = bearer.exec(request.headers.authorization ?? '')?.[1]
  return key === undefined ? authenticate(app, request.headers) : authenticateApiKey(app, key)
}
