import type { App } from '../../app.ts'
import type { Actor } from '../../core/actors.ts'
import { authenticateAdministrator } from '../../core/administrator-sessions.ts'
import { authenticateApiKey } from '../../core/api-keys.ts'
import { authenticate } from '../authenticate.ts'
import type { Incoming, OpenRoute } from '../route.ts'
import { requireSameOrigin, sessionCookie } from './session-cookie.ts'

const bearer = /^Bearer +([0-9A-Za-z]{64}) *$/i

/**
 * Who asks something of the management API: an application by its key (RFC 6750 §2.1, or as LoginTC's clients send it), else
 * an administrator by the cookie. What changes something must then come from a page of ours: a browser sends the cookie along.
 */
export async function authenticateAdmin(app: App, request: Incoming, method: OpenRoute['method']): Promise<Actor> {
  const { authorization } = request.headers
  const cookie = authorization === undefined ? sessionCookie(request.headers) : undefined
  if (cookie !== undefined) {
    if (method !== 'GET') requireSameOrigin(app.config, request.headers)
    return authenticateAdministrator(app, cookie)
  }
  const key = bearer.exec(authorization ?? '')?.[1]
  return key === undefined ? authenticate(app, request.headers) : authenticateApiKey(app, key)
}
