import type {
  ActivatePayload,
  BeginReply,
  CommonPayload,
  DeviceDescription,
  Factor,
  PushSubscription,
} from '@countersign/protocol/device-messages.ts'
import type { PendingFinish, TokenRecord, UnlockRecord } from '../store/records.ts'
import { Refusal } from './refusals.ts'
import { readBegin, readServer } from './replies.ts'
import { type Client, generateSignKey, type Signer, signAgain, signOperation } from './signing.ts'
import { callPatiently, type Patience } from './transport.ts'

export type CodeProof = { username: string } | { secret: string }

/** Presents a code; nothing is used up. Throws `activation_failed`, `other_server`, `unsupported_version`, `rate_limited` … */
export async function begin(client: Client, code: string, proof: CodeProof): Promise<BeginReply> {
  const { transport, clock } = client
  const server = readServer(await callPatiently(transport, { path: '/server' }))
  if (server.origin !== transport.origin) throw new Refusal('other_server')
  if (!server.versions.includes(1)) throw new Refusal('unsupported_version')
  const reply = readBegin(await callPatiently(transport, { path: '/activation/begin', body: { v: 1, code, ...proof } }))
  clock.learn(reply.time)
  return reply
}

/** The record of a token whose activation is about to be finished, with new keys; it must be stored before finish is sent. */
export async function newToken(client: Client, offer: BeginReply, unlock: UnlockRecord): Promise<TokenRecord> {
  const { tid, server, domain, user, policy, vapid, aid, nonce, expires } = offer
  return {
    ...{ tid, aud: client.transport.origin, server, domain, user, policy, unlock },
    ...(vapid !== undefined && { vapid }),
    ...(await generateSignKey()),
    name: '',
    state: 'activating',
    addedAt: client.clock.now(),
    activation: { aid, nonce, expires },
  }
}

/** The message that finishes an activation. It holds the pinKey where the factor is a PIN: keep that one in memory only. */
export function signFinish(
  client: Client,
  token: TokenRecord & { activation: PendingFinish },
  own: { factor: Factor; device: DeviceDescription; push: PushSubscription | null },
): Promise<string> {
  const { aid, nonce } = token.activation
  const members: Omit<ActivatePayload, keyof CommonPayload> = { aid, nonce, key: token.publicKey, ...own }
  return signOperation(client, token, { op: 'activate', members, kid: aid })
}

/**
 * Sends a finish, the very same bytes until there is an answer; one that was on its way for longer than the server takes it, once
 * more with the right time. Resolves when the token is active.
 */
export async function sendFinish(client: Client, signer: Signer, jws: string, patience?: Patience): Promise<void> {
  const send = (body: string) => callPatiently(client.transport, { path: '/activation/finish', body }, patience)
  const reply = await send(jws).catch(async (refusal: unknown) =>
    send((await signAgain(client, signer, { op: 'activate', jws }, refusal)).jws),
  )
  if (reply.state !== 'active' || reply.tid !== signer.tid) throw new Refusal('strange_answer', { status: 200 })
}
