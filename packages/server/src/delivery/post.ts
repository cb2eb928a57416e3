import { request } from 'node:https'
import { isPublic } from './addresses.ts'
import type { Network } from './network.ts'

export interface Outgoing {
  headers: Record<string, string | number>
  body: Uint8Array
}

/** The head of an answer; nothing more of it is read. */
export interface Answer {
  status: number
  retryAfter: string | undefined
}

/** The host has an address that nobody outside of this network could have. */
export class Blocked extends Error {}

const headBytesMax = 16_384

/**
 * Posts to a public address and to no other: the host's name is looked up once, and what was found and checked is what is
 * connected to. Follows no redirects. Throws Blocked, or whatever went wrong on the way; ends when the signal aborts.
 */
export async function post(network: Network, url: URL, outgoing: Outgoing, signal: AbortSignal): Promise<Answer> {
  const addresses = await unlessAborted(network.resolve(url.hostname), signal)
  const hidden = addresses.find((address) => !isPublic(address))
  if (hidden !== undefined || addresses.length === 0) {
    throw new Blocked(hidden === undefined ? 'The name has no address.' : `The name leads to ${hidden}.`)
  }
  return new Promise((resolve, reject) => {
    const { headers, body } = outgoing
    const createConnection = () => network.dial(url.hostname, addresses)
    // Without the port Node would name another one in `Host`.
    const options = { method: 'POST', headers, signal, maxHeaderSize: headBytesMax, defaultPort: 443, createConnection }
    const sending = request(url, options, (response) => {
      resolve({ status: response.statusCode ?? 0, retryAfter: response.headers['retry-after'] })
      response.destroy()
    })
    sending.on('error', reject)
    // An answer 101 comes as neither: Node closes the connection, and says nothing more.
    sending.on('close', () => reject(new Error('The connection ended without an answer.')))
    sending.end(body)
  })
}

function unlessAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  const { promise, resolve, reject } = Promise.withResolvers<T>()
  const end = () => reject(signal.reason)
  if (signal.aborted) end()
  signal.addEventListener('abort', end, { once: true })
  work.then(resolve, reject)
  return promise.finally(() => signal.removeEventListener('abort', end))
}
