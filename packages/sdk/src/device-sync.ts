import type { ClosedState, Policy, SyncReply, SyncRequest, SyncResult } from '@countersign/protocol/device-messages.ts'
import { type ChallengeProblem, readChallenge, type SignInRequest } from './device-challenge.ts'
import { readSync } from './device-replies.ts'
import {
  amend,
  type Device,
  remedy,
  type Signer,
  serverTime,
  settle,
  signerOf,
  signOperation,
  tokensOf,
} from './device-send.ts'
import type { StoredToken } from './device-store.ts'
import { callDevice } from './device-transport.ts'

const haveMax = 60

/** How one poll is made. */
export interface SyncOptions {
  /** 0 to 25; the server answers at once when it has news */
  waitSeconds?: number
  signal?: AbortSignal
  /** only these tokens; all of the server's by default */
  tids?: string[]
}

/** What one poll has shown. */
export interface SyncOutcome {
  /** everything that waits for an answer now, whether it is new or was known */
  requests: SignInRequest[]
  /** requests that were shown and are over */
  closed: { request: SignInRequest; state: ClosedState }[]
  /** requests that must not be shown, each reported once */
  rejected: { tid: string; sid: string; problem: ChallengeProblem }[]
  tokens: { tid: string; policy: Policy; factor: 'ok' | 'required'; push: 'ok' | 'none' | 'stale' }[]
  /** tokens revoked by the server; their keys are gone from the store */
  revoked: StoredToken[]
  /** tokens the server refused for another reason */
  failed: { tid: string; code: string }[]
}

/** What the device has seen of each pending session; without a request for one that it refuses to show. */
export type Shown = Map<string, { tid: string; request?: SignInRequest }>

/** Asks the server what is pending for all tokens in one request, and brings `shown` up to date. */
export async function sync(device: Device, shown: Shown, options: SyncOptions = {}): Promise<SyncOutcome> {
  const outcome: SyncOutcome = { requests: [], closed: [], rejected: [], tokens: [], revoked: [], failed: [] }
  const tokens = (await tokensOf(device)).filter(({ tid }) => options.tids?.includes(tid) ?? true)
  if (tokens.length > 0) {
    const { reply, signers } = await exchange(device, tokens.map(signerOf), { ...options, have: haveOf(shown, tokens) })
    for (const signer of signers) {
      const kid = signer.token.tid
      const result = reply.results.find((candidate) => candidate.kid === kid) ?? { kid, ok: false, code: 'malformed' }
      await note(device, { shown, outcome, signer, result, time: reply.time })
    }
    expire(shown, outcome, reply.time)
  }
  outcome.requests = pending(shown)
  return outcome
}

/** Whether the server takes this signer's signature. */
export async function isAccepted(device: Device, signer: Signer): Promise<boolean> {
  const { reply, signers } = await exchange(device, [signer], { have: [] })
  const accepted = signers.some(({ key }) => key === signer.key)
  return accepted && reply.results.some(({ kid, ok }) => ok && kid === signer.token.tid)
}

/** One poll, made again as long as a token has something left to try. The signers returned are those of the last try. */
async function exchange(device: Device, start: Signer[], options: SyncOptions & { have: string[] }) {
  const used = new Map<string, Set<string>>(start.map(({ token }) => [token.tid, new Set()]))
  let signers = start
  for (;;) {
    const reply = await ask(device, signers, options)
    const next = await Promise.all(
      signers.map(async (signer) => {
        const refusal = reply.results.find((result) => !result.ok && result.kid === signer.token.tid)
        const tried = used.get(signer.token.tid)
        return refusal && !refusal.ok && tried ? remedy(device, signer, refusal, tried) : undefined
      }),
    )
    if (next.every((signer) => signer === undefined)) return { reply, signers }
    signers = signers.map((signer, index) => next[index] ?? signer)
  }
}

async function ask(
  device: Device,
  signers: Signer[],
  { waitSeconds = 0, have, signal }: SyncOptions & { have: string[] },
): Promise<SyncReply> {
  const tokens = await Promise.all(signers.map((signer) => signOperation(device, signer, 'sync', {})))
  const json: SyncRequest = { wait: waitSeconds, have, tokens }
  return readSync(await callDevice(device.transport, { path: '/sync', message: { json }, waitSeconds, signal }))
}

interface Note {
  shown: Shown
  outcome: SyncOutcome
  signer: Signer
  result: SyncResult
  time: number
}

async function note(device: Device, { result, ...news }: Note): Promise<void> {
  if (!result.ok) return noteRefusal(device, { ...news, code: result.code })
  const { shown, outcome, time } = news
  const { policy, factor, push } = result
  const token = await settle(device, news.signer)
  if (policy.rev !== token.policy.rev) await amend(device, token.tid, { policy })
  outcome.tokens.push({ tid: token.tid, policy, factor, push })
  for (const { sid, state } of result.closed) close(shown, outcome, sid, state)
  for (const entry of result.requests) {
    if (shown.has(entry.sid)) continue
    const read = await readChallenge(entry, token, time)
    shown.set(entry.sid, typeof read === 'string' ? { tid: token.tid } : { tid: token.tid, request: read })
    if (typeof read === 'string') outcome.rejected.push({ tid: token.tid, sid: entry.sid, problem: read })
  }
}

async function noteRefusal(
  device: Device,
  { shown, outcome, signer, code }: Omit<Note, 'result'> & { code: string },
): Promise<void> {
  const { token } = signer
  const abandoned =
    token.state === 'activating' && code === 'bad_signature' && token.expires < serverTime(device, token)
  if (code === 'token_revoked' || abandoned) await device.store.update(token.tid, () => undefined)
  if (code !== 'token_revoked') return void outcome.failed.push({ tid: token.tid, code })
  outcome.revoked.push(token)
  for (const [sid, { tid }] of shown) if (tid === token.tid) close(shown, outcome, sid, 'denied')
}

function close(shown: Shown, outcome: SyncOutcome, sid: string, state: ClosedState): void {
  const request = shown.get(sid)?.request
  shown.delete(sid)
  if (request) outcome.closed.push({ request, state })
}

function expire(shown: Shown, outcome: SyncOutcome, time: number): void {
  for (const [sid, { request }] of shown)
    if (request && request.challenge.exp <= time) close(shown, outcome, sid, 'expired')
}

function pending(shown: Shown): SignInRequest[] {
  const requests = [...shown.values()].flatMap(({ request }) => request ?? [])
  return requests.map((request) => ({ ...request, suspicious: requests.length > 1 }))
}

function haveOf(shown: Shown, tokens: StoredToken[]): string[] {
  const own = [...shown].filter(([, { tid }]) => tokens.some((token) => token.tid === tid))
  return own.map(([sid]) => sid).slice(-haveMax)
}
