import type { IncomingHttpHeaders } from 'node:http'
import type { Config } from '../../app.ts'
import { sessionLifeMs } from '../../core/administrator-sessions.ts'
import { ApiError } from '../../core/errors.ts'

const name = '__Host-countersign'
// RFC 6265bis §4.1.3.2: __Host- keeps other hosts of the domain from setting it. The panel is opened by a link in a mail,
// and asks the server from its own page only: Strict costs nothing.
const attributes = 'Path=/; Secure; HttpOnly; SameSite=Strict'

/** The secret in the cookie of an administrator's session; undefined when there is none. */
export function sessionCookie({ cookie = '' }: IncomingHttpHeaders): string | undefined {
  const named = cookie.split(';').map((pair) => pair.trim().split('=', 2))
  return named.find(([key]) => key === name)?.[1]
}

/** Set-Cookie for a new session. */
export function openingCookie(secret: string): Record<string, string> {
  return { 'set-cookie': `${name}=${secret}; Max-Age=${sessionLifeMs / 1_000}; ${attributes}` }
}

/** Set-Cookie that makes the browser forget it. */
export const closingCookie = { 'set-cookie': `${name}=; Max-Age=0; ${attributes}` }

/** Throws `api.error.forbidden` unless the browser says that a page of this very origin sends the request. */
export function requireSameOrigin(config: Config, headers: IncomingHttpHeaders): void {
  if (!isSameOrigin(config, headers)) throw foreignPage()
}

/** The same where there may be no browser at all: only what is said to come from elsewhere is refused. */
export function refuseForeignPages(config: Config, headers: IncomingHttpHeaders): void {
  const said = headers['sec-fetch-site'] ?? headers.origin
  if (said !== undefined && !isSameOrigin(config, headers)) throw foreignPage()
}

// A page can set neither. Sec-Fetch-Site goes by the name in the address bar, whatever name COUNTERSIGN_API_URL has.
function isSameOrigin({ apiUrl }: Config, headers: IncomingHttpHeaders): boolean {
  const site = headers['sec-fetch-site']
  return site === undefined ? headers.origin === apiUrl : site === 'same-origin'
}

function foreignPage(): ApiError {
  return new ApiError('api.error.forbidden', 'A page of another origin cannot do that.')
}
