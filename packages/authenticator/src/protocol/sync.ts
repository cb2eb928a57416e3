import type { SyncReply, SyncRequest } from '@countersign/protocol/device-messages.ts'
import { readSync } from './replies.ts'
import { type Client, type Signer, signOperation } from './signing.ts'
import { callOnce } from './transport.ts'

export const tokensMax = 20
const haveMax = 60

/** One poll. `have`: the requests that are shown already. */
export interface Poll {
  waitSeconds: number
  have: string[]
  signal?: AbortSignal
}

/**
 * Asks what is pending for some tokens, once more for those whose clock or jti was refused. Learns the server's time. Throws
 * Refusal when there is no answer for any.
 */
export async function sync(client: Client, signers: Signer[], poll: Poll): Promise<SyncReply> {
  const reply = await ask(client, signers, poll)
  const again = signers.filter(({ tid }) => reply.results.some((result) => isCurable(result, tid)))
  if (again.length === 0) return reply
  const second = await ask(client, again, { ...poll, waitSeconds: 0 })
  const settled = reply.results.filter(({ kid }) => !again.some(({ tid }) => tid === kid))
  return { time: second.time, results: [...settled, ...second.results] }
}

function isCurable(result: SyncReply['results'][number], tid: string): boolean {
  return result.kid === tid && !result.ok && (result.code === 'clock_skew' || result.code === 'replayed')
}

async function ask(client: Client, signers: Signer[], { waitSeconds, have, signal }: Poll): Promise<SyncReply> {
  const own = signers.slice(0, tokensMax)
  const tokens = await Promise.all(own.map((signer) => signOperation(client, signer, { op: 'sync', members: {} })))
  const body: SyncRequest = { wait: waitSeconds, have: have.slice(0, haveMax), tokens }
  const reply = readSync(await callOnce(client.transport, { path: '/sync', body, waitSeconds, signal }))
  client.clock.learn(reply.time)
  return reply
}
