import type { Network } from './network.ts'
import { Blocked, post } from './post.ts'
import { readEndpoint } from './push-endpoints.ts'

/** One push: whose it is shows nowhere but in the endpoint. */
export interface PushMessage {
  /** of the subscription, as the browser made it */
  endpoint: string
  p256dh: string
  auth: string
  /** the key that the subscription was made under */
  vapid: { publicKey: string; privateKey: string }
  /** a push takes the place of an older one with the same topic that was not delivered yet */
  topic: string
  ttlSeconds: number
}

/** What became of one try. */
export interface PushResult {
  result: 'accepted' | 'gone' | 'forbidden' | 'refused' | 'busy' | 'timeout' | 'unreachable' | 'blocked'
  /** of the push service */
  host: string
  /** of its answer */
  status?: number
  /** as the push service wrote it: seconds or a date (RFC 9110, 10.2.3) */
  retryAfter?: string
  /** for the operator; names no subscription */
  error?: string
}

/** Sends what makes a phone look, to the push service that its browser has chosen (RFC 8030, 8291, 8292). */
export interface WebPush {
  /** The push service of an endpoint, by its name in the list of those that pushes may go to; undefined for any other. */
  serviceOf(endpoint: string): string | undefined
  /** Tries once, for ten seconds at most. Never throws. */
  send(message: PushMessage, signal: AbortSignal): Promise<PushResult>
}

interface Options {
  /** mailto: or https: */
  contact: string
  /** push services beside those of the browsers' makers */
  hosts: string[]
  /** the origin of the authenticator, which the notification opens */
  deviceUrl: string
  network: Network
}

const clearTextBytes = 512
const timeoutMs = 10_000

export function openWebPush({ contact, hosts, deviceUrl, network }: Options): WebPush {
  const clearText = clearTextFor(deviceUrl)
  return {
    serviceOf: (endpoint) => readEndpoint(endpoint, hosts)?.service,
    async send(message, signal) {
      const { url } = readEndpoint(message.endpoint, hosts) ?? {}
      if (!url) return { result: 'blocked', host: '', error: 'The host is not one of a push service.' }
      const host = url.hostname
      const timeout = new AbortController()
      const done = new AbortController()
      const over = AbortSignal.any([signal, timeout.signal])
      void network.wait(timeoutMs, done.signal).then(() => timeout.abort())
      try {
        const { status, retryAfter } = await post(network, url, await encrypt(message, contact, clearText), over)
        return { result: resultOf(status), host, status, ...(retryAfter === undefined ? {} : { retryAfter }) }
      } catch (error) {
        return { result: timeout.signal.aborted ? 'timeout' : failureOf(error), host, error: textOf(error) }
      } finally {
        done.abort()
      }
    },
  }
}

/** The same for everybody, and of one length: a push service learns when, and nothing else. */
function clearTextFor(deviceUrl: string): string {
  const notification = {
    title: 'Sign-in request',
    body: 'Open to review',
    navigate: `${deviceUrl}/#/inbox`,
    lang: 'en',
    tag: 'dp1',
    silent: false,
  }
  return JSON.stringify({ web_push: 8030, notification }).padEnd(clearTextBytes)
}

async function encrypt(message: PushMessage, contact: string, clearText: string) {
  // Only here: a command that sends nothing starts sooner without.
  const { default: webPush } = await import('web-push')
  const { endpoint, p256dh, auth, vapid, topic, ttlSeconds } = message
  const { headers, body } = webPush.generateRequestDetails({ endpoint, keys: { p256dh, auth } }, clearText, {
    vapidDetails: { subject: contact, ...vapid },
    contentEncoding: 'aes128gcm',
    TTL: ttlSeconds,
    urgency: 'high',
    topic,
  })
  return { headers, body }
}

function resultOf(status: number): PushResult['result'] {
  if (status >= 200 && status < 300) return 'accepted'
  if (status === 404 || status === 410) return 'gone'
  // RFC 8292, 4.2 has 403; some services answer 401 to the same.
  if (status === 401 || status === 403) return 'forbidden'
  return status === 429 || status >= 500 ? 'busy' : 'refused'
}

function failureOf(error: unknown): 'blocked' | 'unreachable' {
  return error instanceof Blocked ? 'blocked' : 'unreachable'
}

/** What Node says of a connection: the host and its address at most. */
function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
