import { readActivationCode } from '@countersign/protocol/activation-code.ts'
import {
  type ActivatePayload,
  type BeginReply,
  type CommonPayload,
  type DeviceDescription,
  type Factor,
  messageType,
  type PushSubscription,
} from '@countersign/protocol/device-messages.ts'
import { signMessage } from '@countersign/protocol/jws.ts'
import { DeviceError, isDeviceError } from './device-errors.ts'
import { generateSigningKey, signingKeyOf } from './device-keys.ts'
import { readBegin, readServer } from './device-replies.ts'
import { commonPayload, type Device, settle } from './device-send.ts'
import type { StoredPin, StoredToken } from './device-store.ts'
import { callDevice, invalidReply } from './device-transport.ts'
import { newPin, type Unlock } from './device-unlock.ts'

const tokensMax = 20

/** What the server offers for a code. Show server, domain and user, and ask, before finishing. */
export interface PendingActivation extends Readonly<BeginReply> {
  /** what the device's clock lacks, measured when the server answered */
  readonly clockOffsetSeconds: number
}

/** How a token shall be kept. */
export interface ActivationChoice {
  unlock: Unlock
  device: DeviceDescription
  push?: PushSubscription
}

/** A finish that may have to be sent again: keys are stored, but the message, which holds the pinKey, is kept in memory only. */
export interface PreparedActivation {
  token: StoredToken
  jws: string
}

/** Presents an activation code. Nothing is used up yet. Throws `activation_failed`, `origin_mismatch`, `too_many_tokens`. */
export async function beginActivation(
  device: Device,
  typed: string,
  proof: { username: string } | { secret: string },
): Promise<PendingActivation> {
  const code = readActivationCode(typed)
  if (!code) throw new DeviceError('activation_failed', 'An activation code has ten letters and digits.')
  if ((await device.store.load()).length >= tokensMax) {
    throw new DeviceError('too_many_tokens', `An authenticator holds ${tokensMax} tokens at most. Remove one first.`)
  }
  await checkServer(device)
  const message = { json: { v: 1, code, ...proof } }
  const reply = readBegin(await callDevice(device.transport, { path: '/activation/begin', message }))
  return { ...reply, clockOffsetSeconds: reply.time - Math.floor(device.now() / 1000) }
}

/** Makes the keys of a token, stores them and signs the message that finishes its activation. */
export async function prepareActivation(
  device: Device,
  pending: PendingActivation,
  choice: ActivationChoice,
): Promise<PreparedActivation> {
  const { stored: pin, factor } = await chooseUnlock(device, pending, choice.unlock)
  const key = await generateSigningKey(device.store.exportable)
  const { tid, server, domain, user, policy, vapid, clockOffsetSeconds, expires, aid, nonce } = pending
  const token: StoredToken = {
    ...{ tid, aud: device.transport.origin, server, domain, user, key, policy, clockOffsetSeconds },
    ...(pin && { pin }),
    ...(vapid !== undefined && { vapid }),
    state: 'activating',
    expires,
  }
  await device.store.update(tid, () => token)
  const members = { aid, nonce, key: key.jwk, factor, device: choice.device, push: choice.push ?? null }
  return { token, jws: await signActivation(device, token, members) }
}

/**
 * Whether a finish was refused and no earlier one can have activated the token. `activation_failed` does not say that: it is
 * also what a finish gets whose first answer was lost so long ago that the server has forgotten it.
 */
export function isFinal(error: unknown): boolean {
  return isDeviceError(error, 'factor_required', 'token_revoked')
}

/** Sends the finish of an activation and returns the active token. A refusal for good erases the keys. */
export async function sendActivation(device: Device, prepared: PreparedActivation): Promise<StoredToken> {
  const { token, jws } = prepared
  try {
    const reply = await callDevice(device.transport, { path: '/activation/finish', message: { jws } })
    if (reply.state !== 'active' || reply.tid !== token.tid) throw invalidReply('it does not confirm the token')
  } catch (error) {
    if (isFinal(error)) await device.store.update(token.tid, () => undefined)
    throw error
  }
  return settle(device, { token, key: token.key })
}

async function checkServer(device: Device): Promise<void> {
  const { origin } = device.transport
  const server = readServer(await callDevice(device.transport, { path: '/server' }))
  if (server.origin !== origin) {
    throw new DeviceError(
      'origin_mismatch',
      `The server at ${origin} says it is ${server.origin}. Use that address, if it is right.`,
    )
  }
  if (!server.versions.includes(1)) {
    throw new DeviceError('unsupported_version', 'The server speaks another version.', { versions: server.versions })
  }
}

async function chooseUnlock(
  device: Device,
  { tid, policy }: PendingActivation,
  unlock: Unlock,
): Promise<{ stored?: StoredPin; factor: Factor }> {
  const method = unlock === 'none' ? 'none' : 'pin'
  if (!policy.unlock.includes(method)) {
    throw new DeviceError('unlock_unsupported', `This domain asks for: ${policy.unlock.join(' or ')}.`)
  }
  if (unlock === 'none') return { factor: { m: 'none' } }
  return newPin(unlock, { tid, policy, exportable: device.store.exportable, salt: device.random(16) })
}

async function signActivation(
  device: Device,
  token: StoredToken,
  members: Omit<ActivatePayload, keyof CommonPayload>,
): Promise<string> {
  const payload: ActivatePayload = { ...commonPayload(device, token, 'activate'), ...members }
  return signMessage(await signingKeyOf(token.key), messageType('activate'), members.aid, payload)
}
