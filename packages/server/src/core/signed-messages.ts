import type { Operation } from '@countersign/protocol/device-messages.ts'
import { messageType } from '@countersign/protocol/device-messages.ts'
import {
  importPublicKey,
  type PublicJwk,
  parseMessage,
  readPayload,
  type SignedMessage,
  thumbprint,
  verifySignature,
} from '@countersign/protocol/jws.ts'
import type { App } from '../app.ts'
import type { TokenRow } from '../storage/tokens.ts'
import { type Payloads, readPayloadOf } from './device-schemas.ts'
import { ApiError, type LimitName } from './errors.ts'
import { sameSecret } from './secrets.ts'
import { reportTampering } from './tampering.ts'
import { isIntact, tamperedToken } from './tokens.ts'
import { available } from './transactions.ts'

/** A message whose signature is right, and the token it speaks for. */
export interface Verified<Op extends Operation> {
  token: TokenRow
  payload: Payloads[Op]
  payloadHash: string
  /** the message itself, which is evidence */
  text: string
}

const clockSkewMaxSeconds = 300

/**
 * Verification keys by tid, each with the row's words it was imported from; importing one costs as much as checking a
 * signature. What is here has signed or been activated on this node.
 */
export type PublicKeys = Map<string, { source: string; key: CryptoKey }>
const publicKeysMax = 50_000

/**
 * Checks a signed message in the order of docs/specs/device-protocol.md §3; the first failure is thrown. The key comes from
 * the database, never from the message.
 */
export async function verifyMessage<Op extends Operation>(app: App, op: Op, text: string): Promise<Verified<Op>> {
  const message = parseTokenMessage(op, text)
  if (!message) throw malformed()
  const token = await usableToken(app, await available(app, () => app.storage.tokens.findByTid(message.kid)))
  return { token, text, ...(await verifyFor(app, op, message, token)) }
}

/** Steps 1 to 3: a message whose kid can be a tid; undefined for anything else. */
export function parseTokenMessage(op: Operation, text: string): SignedMessage | undefined {
  const message = parseMessage(text, messageType(op))
  return message && /^[0-9a-f]{40}$/.test(message.kid) ? message : undefined
}

/** Steps 5 to 7 for a token that was looked up already. */
export async function verifyFor<Op extends Operation>(app: App, op: Op, message: SignedMessage, token: TokenRow) {
  const key = await publicKeyOf(app, token)
  if (!key || !(await verifySignature(message, key))) throw badSignature()
  const payload = payloadOf(app, op, message)
  if (app.limits.signedMessages.retryAfter(token.tid) > 0)
    throw rateLimited(app.limits.signedMessages.retryAfter(token.tid), 'messages_of_token')
  app.limits.signedMessages.count(token.tid)
  // An answer's freshness is its challenge; a change that was answered before is answered again, however late.
  if (op === 'sync') checkClock(app, payload.iat)
  return { payload, payloadHash: payloadHashOf(app, message) }
}

/** Step 6: an object of exactly this operation's members, for this server and for the token that signed it. */
export function payloadOf<Op extends Operation>(app: App, op: Op, message: SignedMessage, tid?: string): Payloads[Op] {
  const raw = readPayload(message)
  if (raw && Number.isInteger(raw.v) && raw.v !== 1) throw unsupportedVersion()
  const payload = raw && readPayloadOf(op, raw)
  if (!payload || payload.aud !== app.config.deviceUrl) throw malformed()
  if (payload.tid !== (tid ?? message.kid)) throw malformed()
  return payload
}

/** The token that a kid names, if it can sign: revoked ones say so, anything else looks like a wrong signature. */
export async function usableToken(app: App, token: TokenRow | undefined): Promise<TokenRow> {
  if (token?.state === 'revoked') throw tokenRevoked()
  if (token?.state !== 'active') throw badSignature()
  if (isIntact(app, token)) return token
  await reportTampering(app, tamperedToken(token))
  throw badSignature()
}

/** Step 7 for everything but answers, whose freshness is the challenge. */
export function checkClock(app: App, iat: number): void {
  const time = Math.floor(app.now() / 1000)
  if (Math.abs(iat - time) <= clockSkewMaxSeconds) return
  throw new ApiError('clock_skew', 'The clock of this device is wrong; it will be corrected.', { extra: { time } })
}

/**
 * What tells one payload from another under the same jti. Keyed: a payload holds an unlock proof, and a plain hash of it would
 * let whoever has the database and the phone search for the PIN.
 */
export function payloadHashOf(app: App, message: SignedMessage): string {
  return app.secrets.mac('reply', Buffer.from(message.payload).toString('base64url'))
}

/** Whether a row locked in a unit is still the one that a message was verified against. */
export function isSameKey(locked: TokenRow, verified: TokenRow): boolean {
  return locked.thumbprint === verified.thumbprint && locked.key_generation === verified.key_generation
}

async function publicKeyOf(app: App, token: TokenRow): Promise<CryptoKey | undefined> {
  if (token.public_key === null || token.thumbprint === null) return undefined
  const known = app.publicKeys.get(token.tid)
  if (known?.source === sourceOf(token)) return known.key
  const jwk = JSON.parse(token.public_key) as PublicJwk
  // The row MAC binds the thumbprint: a key that was swapped has another.
  if (!sameSecret(await thumbprint(jwk), token.thumbprint)) {
    await reportTampering(app, tamperedToken(token))
    return undefined
  }
  const key = await importPublicKey(jwk)
  if (key) rememberKey(app, token, key)
  return key
}

/** Whether a message is signed by a token that has signed before; decided without the database, for an address that must wait. */
export async function isByKnownSigner(app: App, op: Operation, text: string): Promise<boolean> {
  const message = parseTokenMessage(op, text)
  const known = message && app.publicKeys.get(message.kid)
  return message !== undefined && known !== undefined && verifySignature(message, known.key)
}

type Signer = Pick<TokenRow, 'tid' | 'key_generation' | 'public_key'>

/** Keeps a key that has proven itself, so that it need not be imported again. */
export function rememberKey(app: App, signer: Signer, key: CryptoKey): void {
  if (app.publicKeys.size >= publicKeysMax) app.publicKeys.clear()
  app.publicKeys.set(signer.tid, { source: sourceOf(signer), key })
}

function sourceOf({ key_generation, public_key }: Signer): string {
  return `${key_generation} ${public_key}`
}

export function malformed(): ApiError {
  return new ApiError('malformed', 'The message is not one that this server understands.')
}

export function badSignature(): ApiError {
  return new ApiError('bad_signature', 'The message is not signed by an active token of this server.')
}

export function tokenRevoked(): ApiError {
  return new ApiError('token_revoked', 'This token was revoked. Ask your administrator for a new activation code.')
}

export function replayed(): ApiError {
  return new ApiError('replayed', 'This message was sent before.')
}

export function rateLimited(retryAfterSeconds: number, limit: LimitName): ApiError {
  return new ApiError('rate_limited', 'Too many messages. Please wait a moment.', { retryAfterSeconds, limit })
}

/** The version that a message names is none of ours. */
export function unsupportedVersion(): ApiError {
  return new ApiError('unsupported_version', 'This server speaks version 1 only.', { extra: { versions: [1] } })
}
