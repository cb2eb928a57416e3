import { fromBase64url, toBase64url } from '@countersign/protocol/base64url.ts'
import type { Factor, Policy, UnlockProof } from '@countersign/protocol/device-messages.ts'
import { codePoints } from '@countersign/protocol/text.ts'
import { derivePinKey, pinProof, type UnlockBinding, unlockBinding } from '@countersign/protocol/unlock.ts'
import { DeviceError } from './device-errors.ts'
import { generateMixKey, mixKeyOf } from './device-keys.ts'
import type { StoredPin, StoredToken } from './device-store.ts'

/** What a PIN stands for on one token; never stored on the device. */
export type PinKey = Uint8Array<ArrayBuffer>

/** What a new token shall be unlocked by. */
export type Unlock = 'none' | NewPin

/** A PIN or passcode as it was typed. Without a kind, digits alone are a PIN. */
export interface NewPin {
  pin: string
  kind?: 'pin' | 'passcode'
}

/** Whether a PIN is among those that most people who guess would try first. */
export function isCommonPin(pin: string): boolean {
  const digits = pin.normalize('NFKC')
  if (!/^\d+$/.test(digits)) return false
  const steps = new Set([...digits].slice(1).map((digit, index) => Number(digit) - Number(digits[index])))
  const runs = steps.size === 1 && [-1, 0, 1].includes([...steps][0] ?? 9)
  const repeats = /^(..+)\1+$/.test(digits)
  return runs || repeats || common.has(digits)
}

// What runs and repetitions leave of the PINs that studies of leaked ones find most often.
const common = new Set(
  '1004 2000 2001 1122 1313 6969 4321 0852 2580 1478 1342 5683 2468 1357 1998 1999 123321 159753 112233 520520 147258 123654 159357'.split(
    ' ',
  ),
)

/** The device's part of a new PIN, and what the server is told of it. Throws `pin_unsuitable`. */
export async function newPin(
  chosen: NewPin,
  {
    tid,
    policy,
    exportable,
    salt,
  }: { tid: string; policy: Policy; exportable: boolean; salt: Uint8Array<ArrayBuffer> },
): Promise<{ stored: StoredPin; factor: Factor }> {
  const description = describePin(chosen, policy)
  const stored: StoredPin = { ...description, salt: toBase64url(salt), mixKey: await generateMixKey(exportable) }
  return { stored, factor: await pinFactor(chosen.pin, tid, stored) }
}

/** The same for a PIN that replaces one: salt and mixing key stay, so that a lost reply cannot leave the wrong ones behind. */
export async function replacementPin(
  chosen: NewPin,
  token: StoredToken,
): Promise<{ stored: StoredPin; factor: Factor }> {
  const old = pinOf(token)
  // A token of a domain that asks for a passcode keeps one, though it be of digits.
  const kind = chosen.kind ?? (old.kind === 'passcode' ? old.kind : undefined)
  const stored = { ...old, ...describePin({ pin: chosen.pin, ...(kind && { kind }) }, token.policy) }
  return { stored, factor: await pinFactor(chosen.pin, token.tid, stored) }
}

/** The key that a typed PIN stands for. Takes a good part of a second. */
export async function pinKeyOf(pin: string, tid: string, stored: StoredPin): Promise<PinKey> {
  const salt = fromBase64url(stored.salt)
  if (salt?.length !== 16) throw new TypeError('The stored salt is damaged')
  return derivePinKey(pin, { salt, mixKey: await mixKeyOf(stored.mixKey), tid })
}

/** The PIN record of a token. Throws `unlock_unsupported` for a token without one. */
export function pinOf(token: StoredToken): StoredPin {
  if (token.pin) return token.pin
  throw new DeviceError('unlock_unsupported', 'This token has no PIN. Ask for a new activation code to get one.')
}

/** Proof of a PIN for one approval, change or rotation. */
export async function provePin(pinKey: PinKey, binding: UnlockBinding): Promise<UnlockProof> {
  return { m: 'pin', p: await pinProof(pinKey, await unlockBinding(binding)) }
}

async function pinFactor(pin: string, tid: string, stored: StoredPin): Promise<Factor> {
  return { m: 'pin', k: toBase64url(await pinKeyOf(pin, tid, stored)), kind: stored.kind, len: stored.len }
}

function describePin({ pin, kind }: NewPin, { minLength }: Policy): Pick<StoredPin, 'kind' | 'len'> {
  const normal = pin.normalize('NFKC')
  const len = codePoints(normal)
  if (len < minLength) throw new DeviceError('pin_unsuitable', `The PIN must have ${minLength} characters at least.`)
  return { kind: kind ?? (/^[0-9]+$/.test(normal) ? 'pin' : 'passcode'), len }
}
