import { type CommonPayload, messageType, type PushSubscription } from '@countersign/protocol/device-messages.ts'
import { signMessage, thumbprint } from '@countersign/protocol/jws.ts'
import { sha256 } from '@countersign/protocol/unlock.ts'
import { DeviceError, isDeviceError, isUndecided } from './device-errors.ts'
import { generateSigningKey, signingKeyOf } from './device-keys.ts'
import { amend, type Device, sendSigned, serverTime, settle, signerOf, tokenOf } from './device-send.ts'
import type { OfferedKey, StoredToken } from './device-store.ts'
import { isAccepted } from './device-sync.ts'
import { type NewPin, type PinKey, pinKeyOf, pinOf, provePin, replacementPin } from './device-unlock.ts'

/** The PIN that is and the one that shall be. */
export interface FactorChange extends NewPin {
  oldPin: string
}

/** Changes the PIN of a token, proven under the old one. Throws `unlock_unsupported`, `pin_unsuitable`, `factor_failed`. */
export async function changeFactor(device: Device, tid: string, { oldPin, ...chosen }: FactorChange): Promise<void> {
  const token = await tokenOf(device, tid)
  const oldKey = await pinKeyOf(oldPin, tid, pinOf(token))
  const { stored, factor } = await replacementPin(chosen, token)
  await sendSigned(device, signerOf(token), 'factor', async ({ jti }) => ({
    factor,
    uv: await provePin(oldKey, { tid, op: 'factor', ref: jti, ans: 'change', hash: new Uint8Array(32) }),
  }))
  await amend(device, tid, { pin: stored })
}

/** Tells the server where to send pushes, or with null to send none. */
export async function updatePush(device: Device, tid: string, push: PushSubscription | null): Promise<void> {
  await sendSigned(device, signerOf(await tokenOf(device, tid)), 'push', { push })
}

/** Gives a token up, on the server and here. */
export async function removeToken(device: Device, tid: string): Promise<void> {
  try {
    await sendSigned(device, signerOf(await tokenOf(device, tid)), 'remove', {})
  } catch (error) {
    // The server has revoked it before, or does not know it: what is left is to forget it here.
    if (!isDeviceError(error, 'token_revoked', 'bad_signature')) throw error
  }
  await device.store.update(tid, () => undefined)
}

/**
 * Replaces the signing key. Both keys are kept until the server says which one counts; when its answer is lost they are
 * tried, the new one first, now and at every later operation. A token that is unlocked by a PIN needs it.
 */
export async function rotateKey(device: Device, tid: string, { pin }: { pin?: string } = {}): Promise<void> {
  const token = await tokenOf(device, tid)
  if (token.nextKey && (await hasTaken(device, token, token.nextKey))) return
  const pinKey = token.pin && (await pinKeyOf(requirePin(pin), tid, token.pin))
  // A key that was offered before is offered again: the old message may still arrive, and must not bring in another key.
  const key = token.nextKey?.key ?? (await generateSigningKey(device.store.exportable))
  const nextKey: OfferedKey = { key, iat: serverTime(device, token) }
  await amend(device, tid, { nextKey })
  try {
    await sendSigned(device, { token, key: token.key }, 'rotate', (common) => offer(common, nextKey, pinKey))
  } catch (error) {
    if (await isTakenAfterAll(device, { ...token, nextKey }, error)) return
    throw error
  }
  await settle(device, { token: { ...token, nextKey }, key })
}

async function isTakenAfterAll(
  device: Device,
  token: StoredToken & { nextKey: OfferedKey },
  error: unknown,
): Promise<boolean> {
  // bad_signature: a copy of the message came through before this one and has replaced the key that signed it.
  if (isUndecided(error) || isDeviceError(error, 'bad_signature')) {
    return hasTaken(device, token, token.nextKey).catch(() => false) // still no answer: the first error says more
  }
  await device.store.update(token.tid, (current) => current && withoutOffer(current))
  return false
}

async function offer(common: CommonPayload, { key }: OfferedKey, pinKey: PinKey | undefined): Promise<object> {
  const { tid, jti } = common
  const proof = await signMessage(await signingKeyOf(key), messageType('newkey'), tid, { ...common, op: 'newkey' })
  const hash = await sha256(new TextEncoder().encode(await thumbprint(key.jwk)))
  const uv = pinKey && (await provePin(pinKey, { tid, op: 'rotate', ref: jti, ans: 'rotate', hash }))
  return { key: key.jwk, proof, ...(uv && { uv }) }
}

async function hasTaken(device: Device, token: StoredToken, { key }: OfferedKey): Promise<boolean> {
  if (!(await isAccepted(device, { token, key }))) return false
  await settle(device, { token, key })
  return true
}

function withoutOffer({ nextKey: _, ...token }: StoredToken): StoredToken {
  return token
}

function requirePin(pin = ''): string {
  if (pin === '') throw new DeviceError('pin_required', 'A new key must be approved by the PIN.')
  return pin
}
