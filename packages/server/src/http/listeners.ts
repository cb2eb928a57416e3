import type { IncomingHttpHeaders } from 'node:http'
import type { Config } from '../app.ts'
import { badRequest } from '../core/errors.ts'
import { mediaType } from './api/media-types.ts'
import { decodeText, decodeUtf8 } from './json.ts'

export type ListenerKind = 'api' | 'device'

/** In what the two listeners differ, routes apart. */
export interface ListenerTraits {
  bodyBytesMax: number
  /** for the request line and headers, and for the whole request */
  headersTimeoutMs: number
  requestTimeoutMs: number
  connectionsMax(config: Config): number
  publicUrl(config: Config): string
  decode(bytes: Buffer): string
  /** of answers that say nothing else */
  mediaType(headers: IncomingHttpHeaders): string
  headers: Record<string, string>
}

const everywhere = { 'x-content-type-options': 'nosniff', 'cache-control': 'no-store' }
const strictTransport = { 'strict-transport-security': 'max-age=31536000' }

export const listeners: Record<ListenerKind, ListenerTraits> = {
  api: {
    bodyBytesMax: 1024 * 1024,
    headersTimeoutMs: 20_000,
    requestTimeoutMs: 120_000,
    connectionsMax: () => 16_384,
    publicUrl: (config) => config.apiUrl,
    decode: decodeText,
    mediaType,
    headers: everywhere,
  },
  device: {
    bodyBytesMax: 16 * 1024,
    headersTimeoutMs: 10_000,
    requestTimeoutMs: 15_000,
    // Each waiting authenticator holds one connection; the rest are passing.
    connectionsMax: (config) => config.pollsMax + 4096,
    publicUrl: (config) => config.deviceUrl,
    decode: decodeStrictly,
    mediaType: () => 'application/json',
    headers: {
      ...everywhere,
      'content-security-policy': [
        "default-src 'none'",
        // WebAssembly, but not eval: what reads QR codes where the browser cannot
        "script-src 'self' 'wasm-unsafe-eval'",
        "style-src 'self'",
        "img-src 'self' data:",
        "font-src 'self'",
        "connect-src 'self'",
        "manifest-src 'self'",
        "worker-src 'self'",
        "media-src 'self' blob:",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
        // Svelte's templates, and the address of the service worker
        'trusted-types svelte-trusted-html countersign-worker',
      ].join('; '),
      'referrer-policy': 'no-referrer',
      'cross-origin-opener-policy': 'same-origin',
      'permissions-policy': 'camera=(self), publickey-credentials-get=(self), publickey-credentials-create=(self)',
    },
  },
}

/** The headers of every answer of a listener, whether we or a proxy before us speak https. */
export function commonHeaders(kind: ListenerKind, config: Config): Record<string, string> {
  const { headers, publicUrl } = listeners[kind]
  const secure = config.tls.length > 0 || publicUrl(config).startsWith('https:')
  return secure ? { ...headers, ...strictTransport } : headers
}

function decodeStrictly(bytes: Buffer): string {
  const text = decodeUtf8(bytes)
  if (text === undefined) throw badRequest('body', 'It is not UTF-8.')
  return text
}
