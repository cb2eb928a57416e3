import { fromBase64url, toBase64url } from '@countersign/protocol/base64url.ts'
import type { PublicJwk } from '@countersign/protocol/jws.ts'
import { importHmacKey } from '@countersign/protocol/unlock.ts'

const ecdsa = { name: 'ECDSA', namedCurve: 'P-256' }
const hmac = { name: 'HMAC', hash: 'SHA-256', length: 256 }

/** The signing key of a token: a handle that nothing can read, or JSON for stores that are files. */
export type StoredSigningKey = { jwk: PublicJwk } & (
  | { form: 'handle'; privateKey: CryptoKey }
  | { form: 'json'; d: string }
)

/** The key that PINs are mixed with, likewise. `raw` is base64url of 32 bytes. */
export type StoredMixKey = { form: 'handle'; key: CryptoKey } | { form: 'json'; raw: string }

/** A new signing key; unless it must be exportable, its private half can never be read. */
export async function generateSigningKey(exportable: boolean): Promise<StoredSigningKey> {
  const { privateKey, publicKey } = await crypto.subtle.generateKey(ecdsa, exportable, ['sign', 'verify'])
  const { x, y } = await crypto.subtle.exportKey('jwk', publicKey)
  if (x === undefined || y === undefined) throw new TypeError('A P-256 key has two coordinates')
  const jwk: PublicJwk = { kty: 'EC', crv: 'P-256', x, y }
  if (!exportable) return { jwk, form: 'handle', privateKey }
  const { d } = await crypto.subtle.exportKey('jwk', privateKey)
  if (d === undefined) throw new TypeError('An exported private key has its secret')
  return { jwk, form: 'json', d }
}

/** Whether two stored keys are the same key. */
export function isSameKey(one: StoredSigningKey, other: StoredSigningKey): boolean {
  return one.jwk.x === other.jwk.x && one.jwk.y === other.jwk.y
}

/** The private half, ready to sign. */
export async function signingKeyOf(stored: StoredSigningKey): Promise<CryptoKey> {
  if (stored.form === 'handle') return stored.privateKey
  return crypto.subtle.importKey('jwk', { ...stored.jwk, d: stored.d }, ecdsa, false, ['sign'])
}

/** A new key to mix PINs with. */
export async function generateMixKey(exportable: boolean): Promise<StoredMixKey> {
  const key = await crypto.subtle.generateKey(hmac, exportable, ['sign'])
  if (!exportable) return { form: 'handle', key }
  return { form: 'json', raw: toBase64url(new Uint8Array(await crypto.subtle.exportKey('raw', key))) }
}

/** The mixing key, ready to use. Throws when the store was damaged. */
export async function mixKeyOf(stored: StoredMixKey): Promise<CryptoKey> {
  if (stored.form === 'handle') return stored.key
  const raw = fromBase64url(stored.raw)
  if (raw?.length !== 32) throw new TypeError('The stored mixing key is damaged')
  return importHmacKey(raw)
}
