import { toBase64url } from './base64url.ts'

const utf8 = new TextEncoder()

/** PBKDF2 rounds between the PIN and k0 (device-protocol.md §6). */
export const pinIterations = 600_000

/** What an unlock proof is bound to: one approval, one factor change or one rotation of one token. */
export interface UnlockBinding {
  tid: string
  op: 'answer' | 'factor' | 'rotate'
  /** sid for an answer, jti otherwise */
  ref: string
  ans: 'approve' | 'change' | 'rotate'
  /** 32 bytes: the challenge hash, zeros, or the hash of the new key's thumbprint */
  hash: Uint8Array
}

/** The binding value `uvb` that every unlock method proves knowledge or presence over (§6). */
export async function unlockBinding(binding: UnlockBinding): Promise<Uint8Array<ArrayBuffer>> {
  const { tid, op, ref, ans, hash } = binding
  return sha256(concat(utf8.encode(`dp1/uv\n${tid}\n${op}\n${ref}\n${ans}\n`), hash))
}

/**
 * The challenge of a WebAuthn registration (§5). `nonce` is the activation's, or for a change of factor the jti of the message
 * that brings it.
 */
export async function registrationChallenge({
  tid,
  nonce,
}: {
  tid: string
  nonce: string
}): Promise<Uint8Array<ArrayBuffer>> {
  return sha256(utf8.encode(`dp1/reg\n${tid}\n${nonce}\n`))
}

/** The key a PIN or passcode stands for on this device. Slow by design, and never stored where the salt and mixKey are. */
export async function derivePinKey(
  pin: string,
  device: { salt: Uint8Array<ArrayBuffer>; mixKey: CryptoKey; tid: string },
): Promise<Uint8Array<ArrayBuffer>> {
  const secret = await crypto.subtle.importKey('raw', utf8.encode(pin.normalize('NFKC')), 'PBKDF2', false, [
    'deriveBits',
  ])
  const slow = { name: 'PBKDF2', hash: 'SHA-256', salt: device.salt, iterations: pinIterations }
  const k0 = new Uint8Array(await crypto.subtle.deriveBits(slow, secret, 256))
  const message = concat(utf8.encode(`dp1/pin\n${device.tid}\n`), k0)
  return new Uint8Array(await crypto.subtle.sign('HMAC', device.mixKey, message))
}

/** The proof sent as `uv.p`: HMAC(pinKey, uvb). */
export async function pinProof(pinKey: Uint8Array<ArrayBuffer>, uvb: Uint8Array<ArrayBuffer>): Promise<string> {
  const key = await importHmacKey(pinKey)
  return toBase64url(new Uint8Array(await crypto.subtle.sign('HMAC', key, uvb)))
}

/** A 32-byte secret as a key that can only sign, and cannot be read back. */
export function importHmacKey(bytes: Uint8Array<ArrayBuffer>): Promise<CryptoKey> {
  return crypto.subtle.importKey('raw', bytes, { name: 'HMAC', hash: 'SHA-256' }, false, ['sign'])
}

/** SHA-256 by WebCrypto. */
export async function sha256(bytes: Uint8Array<ArrayBuffer>): Promise<Uint8Array<ArrayBuffer>> {
  return new Uint8Array(await crypto.subtle.digest('SHA-256', bytes))
}

function concat(first: Uint8Array, second: Uint8Array): Uint8Array<ArrayBuffer> {
  const joined = new Uint8Array(first.length + second.length)
  joined.set(first)
  joined.set(second, first.length)
  return joined
}
