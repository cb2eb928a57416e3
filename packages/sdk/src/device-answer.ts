import { fromBase64url } from '@countersign/protocol/base64url.ts'
import type { ClosedState, DenyReason, UnlockProof } from '@countersign/protocol/device-messages.ts'
import type { SignInRequest } from './device-challenge.ts'
import { DeviceError } from './device-errors.ts'
import { type Device, sendSigned, signerOf, tokenOf } from './device-send.ts'
import type { StoredToken } from './device-store.ts'
import { invalidReply } from './device-transport.ts'
import { pinKeyOf, pinOf, provePin } from './device-unlock.ts'

/** What the user typed to approve a request. */
export interface Approval {
  pin?: string
  /** the number that the login page shows */
  number?: string
}

/** How a session stands after an answer. */
export interface Answered {
  sid: string
  state: ClosedState
}

/** Approves a request. Throws `pin_required`, `number_required` or `unlock_unsupported` before anything is sent. */
export async function approve(device: Device, request: SignInRequest, approval: Approval = {}): Promise<Answered> {
  const token = await tokenOf(device, request.tid)
  const num = numberFor(request, approval.number)
  const uv = await proofFor(request, token, approval.pin)
  const { sid, hash: ch } = request
  return answer(device, token, { sid, ch, ans: 'approve', ...(num !== undefined && { num }), ...(uv && { uv }) })
}

/** Denies a request; `not_me` raises the alarm, and also takes back an approval of the last minutes. */
export async function deny(device: Device, request: SignInRequest, why: DenyReason): Promise<Answered> {
  const { sid, hash: ch } = request
  return answer(device, await tokenOf(device, request.tid), { sid, ch, ans: 'deny', why })
}

async function answer(
  device: Device,
  token: StoredToken,
  members: { sid: string } & Record<string, unknown>,
): Promise<Answered> {
  const { state } = await sendSigned(device, signerOf(token), 'answer', members)
  if (state !== 'approved' && state !== 'denied' && state !== 'cancelled' && state !== 'expired') {
    throw invalidReply('the session has no known state')
  }
  return { sid: members.sid, state }
}

function numberFor({ challenge: { match } }: SignInRequest, typed = ''): string | undefined {
  if (match.type === 'none') return undefined
  const number = typed.normalize('NFKC').replace(/[\s-]/g, '')
  if (/^\d+$/.test(number) && number.length === match.len) return number
  throw new DeviceError('number_required', `Type the ${match.len} digits that the sign-in page shows.`)
}

async function proofFor(request: SignInRequest, token: StoredToken, pin = ''): Promise<UnlockProof | undefined> {
  const { unlock } = request.challenge
  if (unlock === 'none') return undefined
  if (unlock === 'platform') {
    throw new DeviceError(
      'unlock_unsupported',
      'This request asks for a fingerprint or the like, which is not available here.',
    )
  }
  const stored = pinOf(token)
  if (pin === '') throw new DeviceError('pin_required', 'Approving this request takes the PIN.')
  const hash = fromBase64url(request.hash)
  if (!hash) throw new TypeError('The request was not made by sync')
  const pinKey = await pinKeyOf(pin, token.tid, stored)
  return provePin(pinKey, { tid: token.tid, op: 'answer', ref: request.sid, ans: 'approve', hash })
}
