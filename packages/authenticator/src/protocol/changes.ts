import type { PushSubscription } from '@countersign/protocol/device-messages.ts'
import { newPinUnlock, type PinUnlock, pinFactor, provePin } from './pins.ts'
import { isRefusal } from './refusals.ts'
import { type Client, type Signer, sendOperation } from './signing.ts'

const noHash = new Uint8Array(32)

/** Another PIN, proven by the old one. Returns what is to be stored. Throws `factor_failed`, `factor_required`, `token_revoked` … */
export async function changePin(
  client: Client,
  signer: Signer,
  { old, oldPin, newPin, kind }: { old: PinUnlock; oldPin: string; newPin: string; kind: 'pin' | 'passcode' },
): Promise<PinUnlock> {
  const unlock = await newPinUnlock(newPin, kind, old)
  const factor = await pinFactor(newPin, signer.tid, unlock)
  await sendOperation(client, signer, 'factor', async ({ tid, jti }) => ({
    factor,
    uv: await provePin(oldPin, old, { tid, op: 'factor', ref: jti, ans: 'change', hash: noHash }),
  }))
  return unlock
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
