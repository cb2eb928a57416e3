/** Where the browsers' makers run push services. A name that begins with a dot stands for all names below it. */
const wellKnown = [
  'web.push.apple.com',
  'fcm.googleapis.com',
  'jmt17.google.com',
  'updates.push.services.mozilla.com',
  '.notify.windows.com',
]

/** The address that pushes to a subscription go to, and the name in the list that allows it. */
export interface Endpoint {
  url: URL
  service: string
}

/**
 * Reads an endpoint, if this server may send there: https on port 443 of a push service's host
 * (docs/specs/device-protocol.md §11). A phone names it, so that anything else would be a request by anybody to anywhere.
 */
export function readEndpoint(endpoint: string, furtherHosts: string[]): Endpoint | undefined {
  const url = URL.canParse(endpoint) ? new URL(endpoint) : undefined
  if (url?.protocol !== 'https:' || url.port !== '' || url.username !== '' || url.password !== '') return undefined
  const service = [...wellKnown, ...furtherHosts].find((host) => matches(url.hostname, host))
  return service === undefined ? undefined : { url, service }
}

function matches(hostname: string, host: string): boolean {
  return host.startsWith('.') ? hostname.endsWith(host) && hostname.length > host.length : hostname === host
}
