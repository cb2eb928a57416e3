import { toBase64url } from '@countersign/protocol/base64url.ts'
import type { Factor, Policy, UnlockProof } from '@countersign/protocol/device-messages.ts'
import { codePoints } from '@countersign/protocol/text.ts'
import { derivePinKey, pinProof, type UnlockBinding, unlockBinding } from '@countersign/protocol/unlock.ts'
import type { UnlockRecord } from '../store/records.ts'
import { commonPins } from './common-pins.ts'
import { randomBytes } from './signing.ts'

export type PinUnlock = Extract<UnlockRecord, { method: 'pin' }>

export type PinProblem = { is: 'too_short'; minLength: number } | { is: 'common' } | { is: 'not_digits' }

const lengthMax = 1024

/** What speaks against a new PIN or passcode. */
export function problemOf(
  pin: string,
  kind: 'pin' | 'passcode',
  policy: Pick<Policy, 'minLength'>,
): PinProblem | undefined {
  const normal = pin.normalize('NFKC')
  const length = pinLength(pin)
  if (length < policy.minLength) return { is: 'too_short', minLength: policy.minLength }
  if (kind === 'pin' && !/^[0-9]+$/.test(normal)) return { is: 'not_digits' }
  return length > lengthMax || isCommon(normal) ? { is: 'common' } : undefined
}

/** How long a PIN or passcode is, in characters as the protocol counts them (§5). */
export function pinLength(pin: string): number {
  return codePoints(pin.normalize('NFKC'))
}

/** Whether a PIN or passcode is one of those that somebody who guesses tries first. */
export function isCommon(typed: string): boolean {
  const pin = typed.normalize('NFKC').toLowerCase()
  return isRun(pin) || isRepetition(pin) || isBirthday(pin) || commonPins.has(pin)
}

// 1234, 9876, 0000, abcd, 02468
function isRun(pin: string): boolean {
  const points = [...pin].map((character) => character.codePointAt(0) ?? 0)
  const steps = new Set(points.slice(1).map((point, index) => point - (points[index] ?? 0)))
  const wrapped = new Set(points.slice(1).map((point, index) => (point - (points[index] ?? 0) + 10) % 10))
  return steps.size <= 1 || (/^\d+$/.test(pin) && wrapped.size === 1 && [1, 9].includes([...wrapped][0] ?? 0))
}

// 1212, 123123, 112211
function isRepetition(pin: string): boolean {
  return (
    /^(.+?)\1+$/.test(pin) ||
    /^(\d)\1(\d)\2\1\1$/.test(pin) ||
    /^(\d)\1(\d)\2(\d)\3$/.test(pin) ||
    /^(\d)\1(\d)\2$/.test(pin)
  )
}

// A year, day and month in either order, with or without a year of two digits, or a whole date.
function isBirthday(pin: string): boolean {
  const day = '(0[1-9]|[12]\\d|3[01])'
  const month = '(0[1-9]|1[0-2])'
  const year = '(19|20)\\d\\d'
  const either = `(${day}${month}|${month}${day})`
  return new RegExp(
    `^(${year}|${either}|${either}\\d\\d|\\d\\d${month}${day}|${either}${year}|${year}${month}${day})$`,
  ).test(pin)
}

/** The device's part of a new PIN: what is stored here. A change keeps salt and mixKey: a lost reply leaves no wrong ones behind. */
export async function newPinUnlock(pin: string, kind: 'pin' | 'passcode', old?: PinUnlock): Promise<PinUnlock> {
  const length = pinLength(pin)
  const salt = old?.salt ?? randomBytes(16)
  const mixKey = old?.mixKey ?? (await generateMixKey())
  return { method: 'pin', kind, length, salt, mixKey }
}

/** What the server is told of it. Takes a good part of a second. */
export async function pinFactor(pin: string, tid: string, unlock: PinUnlock): Promise<Factor> {
  const { kind, length, ...device } = unlock
  return { m: 'pin', k: toBase64url(await derivePinKey(pin, { ...device, tid })), kind, len: length }
}

/** Proof of a PIN over a binding value. A wrong PIN makes a wrong proof, and nothing here can tell. */
export async function provePin(pin: string, unlock: PinUnlock, binding: UnlockBinding): Promise<UnlockProof> {
  const pinKey = await derivePinKey(pin, { ...unlock, tid: binding.tid })
  return { m: 'pin', p: await pinProof(pinKey, await unlockBinding(binding)) }
}

async function generateMixKey(): Promise<CryptoKey> {
  return crypto.subtle.generateKey({ name: 'HMAC', hash: 'SHA-256', length: 256 }, false, ['sign'])
}
