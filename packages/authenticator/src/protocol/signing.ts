import { toBase64url } from '@countersign/protocol/base64url.ts'
import { type CommonPayload, messageType, type Operation } from '@countersign/protocol/device-messages.ts'
import { type PublicJwk, parseMessage, readPayload, signMessage } from '@countersign/protocol/jws.ts'
import type { ServerClock } from './clock.ts'
import type { Json } from './json.ts'
import { isRefusal } from './refusals.ts'
import { callPatiently, type Transport } from './transport.ts'

/** What talking to the server takes. */
export interface Client {
  transport: Transport
  clock: ServerClock
}

/** Who signs. */
export interface Signer {
  tid: string
  aud: string
  signKey: CryptoKey
}

/** Members of a payload beyond the common ones; a function where they depend on the jti. */
export type Members = object | ((common: CommonPayload) => Promise<object>)

export function randomBytes(length: number): Uint8Array<ArrayBuffer> {
  return crypto.getRandomValues(new Uint8Array(length))
}

/** A signing key that nobody can read, not even this page. */
export async function generateSignKey(): Promise<{ signKey: CryptoKey; publicKey: PublicJwk }> {
  const ecdsa = { name: 'ECDSA', namedCurve: 'P-256' }
  const { privateKey, publicKey } = await crypto.subtle.generateKey(ecdsa, false, ['sign', 'verify'])
  const { x = '', y = '' } = await crypto.subtle.exportKey('jwk', publicKey)
  return { signKey: privateKey, publicKey: { kty: 'EC', crv: 'P-256', x, y } }
}

/** The members that every payload begins with (§3). */
function commonPayload<Op extends Operation>(clock: ServerClock, signer: Signer, op: Op): CommonPayload<Op> {
  const { aud, tid } = signer
  return { v: 1, op, aud, tid, iat: Math.floor(clock.now() / 1000), jti: toBase64url(randomBytes(16)) }
}

/** One operation, signed; `kid` is the tid but for `activate`. */
export async function signOperation(
  client: Client,
  signer: Signer,
  { op, members, kid = signer.tid }: { op: Operation; members: Members; kid?: string },
): Promise<string> {
  const common = commonPayload(client.clock, signer, op)
  const own = typeof members === 'function' ? await members(common) : members
  return signMessage(signer.signKey, messageType(op), kid, { ...common, ...own })
}

/**
 * After `clock_skew`: learns the time, and signs a message anew with it. All else stays as it was, the jti too: what was proven
 * over it is still proven. Throws any other refusal.
 */
export async function signAgain(
  client: Client,
  { signKey }: Signer,
  { op, jws }: { op: Operation; jws: string },
  refusal: unknown,
): Promise<{ jws: string; iat: number }> {
  const message = parseMessage(jws, messageType(op))
  const payload = message && readPayload(message)
  if (!payload || !isRefusal(refusal, 'clock_skew')) throw refusal
  if (refusal.time !== undefined) client.clock.learn(refusal.time)
  const iat = Math.floor(client.clock.now() / 1000)
  return { jws: await signMessage(signKey, messageType(op), message.kid, { ...payload, iat }), iat }
}

/** Signs and sends; signs anew, once each, when the clock was off or the jti taken. Not for `answer`, which needs neither. */
export async function sendOperation(client: Client, signer: Signer, op: Operation, members: Members): Promise<Json> {
  const tried = new Set<string>()
  for (;;) {
    try {
      const body = await signOperation(client, signer, { op, members })
      return await callPatiently(client.transport, { path: `/${op}`, body })
    } catch (error) {
      if (!isRefusal(error, 'clock_skew', 'replayed') || tried.has(error.code)) throw error
      tried.add(error.code)
      if (error.time !== undefined) client.clock.learn(error.time)
    }
  }
}
