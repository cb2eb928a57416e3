import type { BeginReply, Factor } from '@countersign/protocol/device-messages.ts'
import { newToken, signFinish } from '../protocol/activation.ts'
import { Refusal } from '../protocol/refusals.ts'
import { sync } from '../protocol/sync.ts'
import type { PendingFinish, TokenRecord, UnlockRecord } from '../store/records.ts'
import type { Keyring } from './keyring.svelte.ts'
import type { Surroundings } from './surroundings.ts'

/** A push service out of reach, or a service worker that was never installed, may take for ever: it is tried again later. */
const subscribeMs = 8_000

/** A token that the server has not confirmed yet. */
export type Unfinished = TokenRecord & { activation: PendingFinish }

/** The finish of an activation, which may have to be sent again; with a PIN it is in memory only. */
export interface Finish {
  record: Unfinished
  jws: string
}

export interface FinishParts {
  inside: Surroundings
  keyring: Keyring
  /** whether the browser has promised to keep the keys */
  onPersist(persisted: boolean): void
}

/** Stores the keys, and signs the message that makes them a token's: everything before it is sent. */
export async function prepareFinish(
  { inside, keyring, onPersist }: FinishParts,
  reply: BeginReply,
  { unlock, factor }: { unlock: UnlockRecord; factor: Factor },
): Promise<Finish> {
  const { client, page, push } = inside
  const persisted = await page.persist()
  onPersist(persisted)
  const subscribing = reply.vapid && push.permission === 'granted' ? push.subscribe(reply.vapid) : undefined
  const subscription = subscribing && (await Promise.race([subscribing, client.transport.sleep(subscribeMs)]))
  const { aid, nonce, expires } = reply
  const activation = { aid, nonce, expires }
  const old = keyring.find(reply.tid)
  const fresh = old ? { ...old, unlock } : await newToken(client, reply, unlock)
  const record: Unfinished = { ...fresh, activation, pushEndpoint: subscription?.endpoint ?? '' }
  const own = { factor, device: page.describe(persisted), push: subscription ?? null }
  const jws = await signFinish(client, record, own)
  const kept = factor.m === 'pin' ? record : { ...record, activation: { ...activation, jws } }
  await keyring.update(record.tid, () => kept)
  return { record, jws }
}

/** Asks what the server knows of the token's key, and deletes one that has ended. No answer is `open`, too: the poll finds out. */
export async function fateOf(
  { inside, keyring }: FinishParts,
  record: Unfinished,
): Promise<'active' | 'ended' | 'open'> {
  const result = await sync(inside.client, [record], { waitSeconds: 0, have: [] })
    .then(({ results }) => results.find(({ kid }) => kid === record.tid))
    .catch((error: unknown) => {
      if (!(error instanceof Refusal)) throw error
    })
  if (result?.ok) return 'active'
  if (result?.code !== 'token_revoked') return 'open'
  await keyring.remove(record.tid)
  return 'ended'
}
