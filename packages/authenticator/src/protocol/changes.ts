import { toBase64url } from '@countersign/protocol/base64url.ts'
import type { Factor, PushSubscription, UnlockProof } from '@countersign/protocol/device-messages.ts'
import type { UnlockBinding } from '@countersign/protocol/unlock.ts'
import type { ChangeId } from '../store/records.ts'
import { isRefusal } from './refusals.ts'
import { type Client, randomBytes, type Signer, sendOperation, signAgain, signOperation } from './signing.ts'
import { callPatiently, type Patience } from './transport.ts'

/** how long the server surely knows a message again; it promises a minute more */
const rememberedSeconds = 600
const noHash = new Uint8Array(32)

/** The jti of a change of factor comes before what is proven over it (§8). */
export function newChangeId({ clock }: Client): ChangeId {
  return { jti: toBase64url(randomBytes(16)), iat: Math.floor(clock.now() / 1000) }
}

/** Whether the server would still know a message with this jti again. */
export function isRemembered({ clock }: Client, { iat }: ChangeId): boolean {
  return clock.now() / 1000 - iat < rememberedSeconds
}

/** What a proof of the old factor is bound to, and with it what the jti of the message must be (§6). */
export function changeBinding(tid: string, jti: string): UnlockBinding {
  return { tid, op: 'factor', ref: jti, ans: 'change', hash: noHash }
}

/** Another factor, proven by the old one. Where one of them is a PIN, keep the message in memory only. */
export function signFactor(
  client: Client,
  signer: Signer,
  members: ChangeId & { factor: Factor; uv: UnlockProof },
): Promise<string> {
  return signOperation(client, signer, { op: 'factor', members })
}

/** A change of factor as it is sent, and who is told of it. */
export interface FactorMessage {
  jws: string
  id: ChangeId
  onLate: NonNullable<Patience['onLate']>
  /** It was signed anew, and is sent when this resolves: from now on only that one may be sent again. */
  onSignedAgain(message: { jws: string; id: ChangeId }): Promise<void>
}

/**
 * Sends a change of factor, the very same bytes until there is an answer; with the right time, once, where it is certain that it
 * was not judged before. Throws `clock_skew` where that is not, `factor_failed`, `factor_required`, `replayed` …
 */
export async function sendFactor(
  client: Client,
  signer: Signer,
  { jws, id, onLate, onSignedAgain }: FactorMessage,
): Promise<void> {
  const send = (body: string) => callPatiently(client.transport, { path: '/factor', body }, { times: 3, onLate })
  await send(jws).catch(async (refusal: unknown) => {
    if (isRefusal(refusal) && (refusal.time ?? 0) - id.iat >= rememberedSeconds) throw refusal
    const again = await signAgain(client, signer, { op: 'factor', jws }, refusal)
    await onSignedAgain({ jws: again.jws, id: { ...id, iat: again.iat } })
    return send(again.jws)
  })
}

/** Tells the server where to send notifications, or with null to send none. */
export async function setPush(client: Client, signer: Signer, push: PushSubscription | null): Promise<boolean> {
  return (await sendOperation(client, signer, 'push', { push })).push === 'ok'
}

/** Revokes a token on the server; one that it has revoked already, or does not know, is gone as well. */
export async function removeToken(client: Client, signer: Signer): Promise<void> {
  try {
    await sendOperation(client, signer, 'remove', {})
  } catch (error) {
    if (!isRefusal(error, 'token_revoked', 'bad_signature')) throw error
  }
}
