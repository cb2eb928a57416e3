import type { IncomingHttpHeaders } from 'node:http'

const compatible = 'application/vnd.logintc.v1+json'
const detailed = 'application/vnd.countersign.v1+json'

/** Whether the client asked for the richer objects that LoginTC's API does not have. */
export function wantsDetails(headers: IncomingHttpHeaders): boolean {
  return (headers.accept ?? '').split(',').some((range) => range.split(';', 1)[0]?.trim().toLowerCase() === detailed)
}

/** The type of the answer. Any Accept is answered: the original API has no 406, and clients send anything, nothing or `image/png`. */
export function mediaType(headers: IncomingHttpHeaders): string {
  return wantsDetails(headers) ? detailed : compatible
}
