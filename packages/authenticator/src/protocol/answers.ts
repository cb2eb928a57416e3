import { fromBase64url } from '@countersign/protocol/base64url.ts'
import type { ClosedState, DenyReason, UnlockProof } from '@countersign/protocol/device-messages.ts'
import type { UnlockBinding } from '@countersign/protocol/unlock.ts'
import type { VerifiedChallenge } from './challenge.ts'
import { read } from './json.ts'
import { closedStates } from './replies.ts'
import { type Client, type Signer, signOperation } from './signing.ts'
import { callPatiently, type Patience } from './transport.ts'

/** What an unlock proof for approving a challenge is bound to (§6). */
export function approvalBinding({ challenge, hash }: VerifiedChallenge): UnlockBinding {
  const { tid, sid } = challenge
  return { tid, op: 'answer', ref: sid, ans: 'approve', hash: fromBase64url(hash) ?? new Uint8Array(32) }
}

/** The digits of a typed number, or undefined when there are not as many as asked for. Full-width digits count. */
export function readNumber(typed: string, length: number): string | undefined {
  const digits = typed.normalize('NFKC').replace(/[\s-]/g, '')
  return /^[0-9]+$/.test(digits) && digits.length === length ? digits : undefined
}

export function signApproval(
  client: Client,
  signer: Signer,
  { challenge: { sid }, hash: ch }: VerifiedChallenge,
  proof: { num?: string; uv?: UnlockProof },
): Promise<string> {
  return signOperation(client, signer, { op: 'answer', members: { sid, ch, ans: 'approve', ...proof } })
}

export function signDenial(
  client: Client,
  signer: Signer,
  { challenge: { sid }, hash: ch }: VerifiedChallenge,
  why: DenyReason,
): Promise<string> {
  return signOperation(client, signer, { op: 'answer', members: { sid, ch, ans: 'deny', why } })
}

/** Sends an answer, the very same bytes until the server has judged it, and tells how the session stands. */
export async function sendAnswer(client: Client, jws: string, patience: Patience): Promise<ClosedState> {
  return read.word(
    await callPatiently(client.transport, { path: '/answer', body: jws }, patience),
    'state',
    closedStates,
  )
}
