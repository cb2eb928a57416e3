import { toBase64url } from '@countersign/protocol/base64url.ts'
import { type CommonPayload, messageType, type Operation } from '@countersign/protocol/device-messages.ts'
import { signMessage } from '@countersign/protocol/jws.ts'
import { DeviceError, isDeviceError } from './device-errors.ts'
import { isSameKey, type StoredSigningKey, signingKeyOf } from './device-keys.ts'
import type { DeviceStore, StoredToken, TokenRecord } from './device-store.ts'
import { callDevice, type DeviceTransport } from './device-transport.ts'

/** What every operation of the authenticator works with. */
export interface Device {
  transport: DeviceTransport
  store: DeviceStore
  /** milliseconds since 1970, by the device's own clock */
  now(): number
  random(bytes: number): Uint8Array<ArrayBuffer>
}

/** A token and the key to sign with: while a rotation is undecided there are two. */
export interface Signer {
  token: StoredToken
  key: StoredSigningKey
}

/** Members of a payload beyond the common ones; a function when they depend on those. */
type Members = object | ((common: CommonPayload) => Promise<object>)

/** The tokens of this server. */
export async function tokensOf(device: Device): Promise<StoredToken[]> {
  return (await device.store.load()).filter(({ aud }) => aud === device.transport.origin)
}

/** A token of this server. Throws `token_unknown`. */
export async function tokenOf(device: Device, tid: string): Promise<StoredToken> {
  const token = (await tokensOf(device)).find((candidate) => candidate.tid === tid)
  if (!token) throw new DeviceError('token_unknown', `There is no token ${tid} of ${device.transport.origin} here.`)
  return token
}

/** The signer to begin with: an offered key first, because if the server has it the other one is dead. */
export function signerOf(token: StoredToken): Signer {
  return { token, key: token.nextKey?.key ?? token.key }
}

/** The members that every payload begins with, stamped with the server's clock as far as it is known. */
export function commonPayload<Op extends Operation>(device: Device, token: StoredToken, op: Op): CommonPayload<Op> {
  const iat = serverTime(device, token)
  return { v: 1, op, aud: token.aud, tid: token.tid, iat, jti: toBase64url(device.random(16)) }
}

/** The server's clock in Unix seconds, as far as it is known. */
export function serverTime(device: Device, token: StoredToken): number {
  return Math.floor(device.now() / 1000) + token.clockOffsetSeconds
}

/** Signs one operation of a token. */
export async function signOperation(device: Device, signer: Signer, op: Operation, members: Members): Promise<string> {
  const { token, key } = signer
  const common = commonPayload(device, token, op)
  const own = typeof members === 'function' ? await members(common) : members
  return signMessage(await signingKeyOf(key), messageType(op), token.tid, { ...common, ...own })
}

/**
 * Signs and sends one operation, once more when the clock was wrong, the jti was taken or the other key is the right one.
 * On `token_revoked` the token and its keys are erased before the error is thrown.
 */
export async function sendSigned(
  device: Device,
  start: Signer,
  op: Operation,
  members: Members,
): Promise<Record<string, unknown>> {
  const used = new Set<string>()
  let signer = start
  for (;;) {
    try {
      const jws = await signOperation(device, signer, op, members)
      const reply = await callDevice(device.transport, { path: `/${op}`, message: { jws } })
      await settle(device, signer)
      return reply
    } catch (error) {
      if (!isDeviceError(error)) throw error
      if (error.code === 'token_revoked') await device.store.update(signer.token.tid, () => undefined)
      const next = await remedy(device, signer, error, used)
      if (!next) throw error
      signer = next
    }
  }
}

/** The signer to try once more with after a refusal, each reason once; undefined when there is none. */
export async function remedy(
  device: Device,
  signer: Signer,
  { code, time }: { code: string; time?: number | undefined },
  used: Set<string>,
): Promise<Signer | undefined> {
  if (used.has(code)) return undefined
  used.add(code)
  const { token, key } = signer
  if (code === 'replayed') return signer
  if (code === 'bad_signature') return isSameKey(key, token.key) ? undefined : { token, key: token.key }
  if (code !== 'clock_skew' || time === undefined) return undefined
  const clockOffsetSeconds = time - Math.floor(device.now() / 1000)
  await amend(device, token.tid, { clockOffsetSeconds })
  return { token: { ...token, clockOffsetSeconds }, key }
}

/** Changes some members of a token as it is stored now; nothing happens when it is gone. */
export function amend(device: Device, tid: string, changes: Partial<TokenRecord>): Promise<void> {
  return device.store.update(tid, (token) => token && { ...token, ...changes })
}

// A rotation is refused when it is older than 300 s; the rest is for clocks that disagree.
const offerLifeSeconds = 900

/** Stores what an accepted signature proves: which of two keys counts, and that the activation has happened. */
export async function settle(device: Device, { token, key }: Signer): Promise<StoredToken> {
  const now = serverTime(device, token)
  const settled = settledBy(key, token, now)
  if (settled !== token) await device.store.update(token.tid, (current) => current && settledBy(key, current, now))
  return settled
}

function settledBy(key: StoredSigningKey, token: StoredToken, now: number): StoredToken {
  const { nextKey, ...rest } = token
  const isNext = nextKey !== undefined && isSameKey(key, nextKey.key)
  if (!isNext && !isSameKey(key, token.key)) return token // another program has rotated the key meanwhile
  if (!isNext && nextKey && now < nextKey.iat + offerLifeSeconds) return token
  if (!nextKey && token.state === 'active') return token
  return { ...rest, key, state: 'active' }
}
