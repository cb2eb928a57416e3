import { statusOf } from '@countersign/protocol/errors.ts'
import type { App } from '../app.ts'
import type { Transaction } from '../storage/storage.ts'
import { ApiError } from './errors.ts'
import { sameSecret } from './secrets.ts'
import { replayed } from './signed-messages.ts'
import { refuse } from './transactions.ts'

/** Which message a reply belongs to. */
export interface MessageId {
  organizationId: string
  tid: string
  jti: string
  payloadHash: string
  /** the session of an answer, '' otherwise */
  sid: string
}

/** What a message was answered with: the body of a success, or a refusal. */
export type Reply = { body: object } | { error: ApiError }

/** The reply that the same message got before. `replayed` when its jti was used for another one. */
export async function earlierReply(tx: Transaction, id: MessageId): Promise<Reply | undefined> {
  const row = await tx.replies.find(id.organizationId, id.tid, id.jti)
  if (!row) return undefined
  if (!sameSecret(row.payload_hash, id.payloadHash)) return { error: replayed() }
  const stored = JSON.parse(row.body)
  return row.status === 200
    ? { body: stored }
    : { error: new ApiError(stored.code, stored.message, { extra: stored.extra }) }
}

/** What ends the unit that a message was judged in. */
export function outcome(reply: Reply) {
  return 'error' in reply ? refuse(reply.error) : reply.body
}

/** Remembers what a message is answered with, in the unit that judges it: a retry is judged and counted once. */
export async function rememberReply(app: App, tx: Transaction, id: MessageId, reply: Reply): Promise<void> {
  const isError = 'error' in reply
  const body = isError ? { code: reply.error.code, message: reply.error.message, extra: reply.error.extra } : reply.body
  await tx.replies.insert({
    organization_id: id.organizationId,
    tid: id.tid,
    jti: id.jti,
    sid: id.sid,
    payload_hash: id.payloadHash,
    status: isError ? statusOf(reply.error.code) : 200,
    body: JSON.stringify(body),
    created_at: app.now(),
  })
}
