import { toBase64url } from '@countersign/protocol/base64url.ts'

/** A compact JWS with any header and any payload, under an ES256 signature that is right for it. Texts and bytes go in as they are. */
export async function forge(
  key: CryptoKey,
  header: object | string | Uint8Array,
  payload: object | string | Uint8Array,
): Promise<string> {
  const input = `${part(header)}.${part(payload)}`
  const signature = await crypto.subtle.sign({ name: 'ECDSA', hash: 'SHA-256' }, key, Buffer.from(input))
  return `${input}.${toBase64url(new Uint8Array(signature))}`
}

function part(value: object | string | Uint8Array): string {
  const bytes =
    value instanceof Uint8Array ? value : Buffer.from(typeof value === 'string' ? value : JSON.stringify(value))
  return toBase64url(new Uint8Array(bytes))
}
