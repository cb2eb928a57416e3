import { fromBase64url, toBase64url } from './base64url.ts'

const utf8 = new TextEncoder()
const strictUtf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
const es256 = { name: 'ECDSA', hash: 'SHA-256' }

/** The longest message a receiver reads, in characters. */
export const messageLengthMax = 16_384

/** What a compact JWS of the device protocol holds, before its signature is checked. */
export interface SignedMessage {
  kid: string
  signingInput: Uint8Array<ArrayBuffer>
  signature: Uint8Array<ArrayBuffer>
  payload: Uint8Array<ArrayBuffer>
}

/** The public half of a P-256 key: exactly these four members. */
export interface PublicJwk {
  kty: 'EC'
  crv: 'P-256'
  x: string
  y: string
}

/**
 * Steps 1–3 of §3: length, three parts, a header of exactly alg ES256, typ and kid, 64 bytes of signature.
 * Undefined for anything else; nothing in the header can choose an algorithm or bring a key along.
 */
export function parseMessage(text: string, typ: string): SignedMessage | undefined {
  if (text.length > messageLengthMax) return undefined
  const parts = text.split('.')
  if (parts.length !== 3) return undefined
  const [head = '', body = '', tail = ''] = parts
  const kid = readHeader(head, typ)
  const payload = fromBase64url(body)
  const signature = fromBase64url(tail)
  if (kid === undefined || !payload || signature?.length !== 64) return undefined
  return { kid, payload, signature, signingInput: utf8.encode(`${head}.${body}`) }
}

/** Step 5 of §3. False for r or s out of range, too; never throws. */
export function verifySignature(message: SignedMessage, key: CryptoKey): Promise<boolean> {
  return crypto.subtle.verify(es256, key, message.signature, message.signingInput)
}

/** The payload as an I-JSON object (RFC 7493): strict UTF-8, no BOM, no lone surrogate, at most 16 levels. Undefined otherwise. */
export function readPayload(message: SignedMessage): Record<string, unknown> | undefined {
  return readObject(message.payload)
}

/** Signs a message of the device protocol. */
export async function signMessage(key: CryptoKey, typ: string, kid: string, payload: object): Promise<string> {
  const head = toBase64url(utf8.encode(JSON.stringify({ alg: 'ES256', typ, kid })))
  const body = toBase64url(utf8.encode(JSON.stringify(payload)))
  const signature = await crypto.subtle.sign(es256, key, utf8.encode(`${head}.${body}`))
  return `${head}.${body}.${toBase64url(new Uint8Array(signature))}`
}

/** A public key that can only verify. Undefined when the JWK is not exactly a point on P-256. */
export async function importPublicKey(jwk: unknown): Promise<CryptoKey | undefined> {
  if (!isPublicJwk(jwk)) return undefined
  try {
    return await crypto.subtle.importKey('jwk', { ...jwk }, { name: 'ECDSA', namedCurve: 'P-256' }, false, ['verify'])
  } catch {
    return undefined // WebCrypto refuses points that are not on the curve
  }
}

/** JWK thumbprint (RFC 7638), SHA-256, base64url. */
export async function thumbprint(jwk: PublicJwk): Promise<string> {
  const canonical = JSON.stringify({ crv: jwk.crv, kty: jwk.kty, x: jwk.x, y: jwk.y })
  return toBase64url(new Uint8Array(await crypto.subtle.digest('SHA-256', utf8.encode(canonical))))
}

function isPublicJwk(value: unknown): value is PublicJwk {
  if (typeof value !== 'object' || value === null) return false
  const { kty, crv, x, y, ...rest } = value as Record<string, unknown>
  return kty === 'EC' && crv === 'P-256' && is32Bytes(x) && is32Bytes(y) && Object.keys(rest).length === 0
}

function is32Bytes(value: unknown): boolean {
  return typeof value === 'string' && fromBase64url(value)?.length === 32
}

function readHeader(encoded: string, typ: string): string | undefined {
  const bytes = fromBase64url(encoded)
  const header = bytes && readObject(bytes)
  if (!header || Object.keys(header).length !== 3) return undefined
  if (header.alg !== 'ES256' || header.typ !== typ || typeof header.kid !== 'string') return undefined
  return header.kid
}

function readObject(bytes: Uint8Array<ArrayBuffer>): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(strictUtf8.decode(bytes))
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined
    return isInterchangeable(value, 16) ? (value as Record<string, unknown>) : undefined
  } catch {
    return undefined // not UTF-8 or not JSON
  }
}

/** Whether a parsed JSON value has no lone surrogate and at most this many levels. */
export function isInterchangeable(value: unknown, levels: number): boolean {
  if (typeof value === 'string') return value.isWellFormed()
  if (typeof value !== 'object' || value === null) return true
  if (levels === 0) return false
  return Object.entries(value).every(([key, member]) => key.isWellFormed() && isInterchangeable(member, levels - 1))
}
