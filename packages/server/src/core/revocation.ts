import type { App } from '../app.ts'
import type { AuditEvent } from './audit.ts'
import type { CodeMethod } from './code-budget.ts'
import type { Unit } from './transactions.ts'

/** Why a token ended; an auditor and the device's owner read it. */
export type RevocationReason =
  | 'api'
  | 'device'
  | 'reissued'
  | 'pin_retries'
  | 'fraud_reported'
  | 'member_removed'
  | 'domain_deleted'
  | 'user_deleted'
  | 'bypass_retries'

type By = { organizationId: string; kind: AuditEvent['actor']['kind']; id: string }

/**
 * Ends tokens for good inside a unit whose caller holds their locks: keys and codes are erased, activations under way die,
 * and every session of theirs that is pending or approved is denied. From the commit on nothing authenticates by them.
 */
export async function revokeTokens(
  app: App,
  unit: Unit,
  by: By,
  input: { tokens: { tid: string; domain_id: string; user_id: string }[]; reason: RevocationReason },
): Promise<void> {
  const { organizationId } = by
  const tids = input.tokens.map((token) => token.tid)
  if (tids.length === 0) return
  await unit.tx.tokens.revoke(organizationId, tids, input.reason, app.now())
  await unit.tx.activations.deleteOf(organizationId, tids)
  const denied = await unit.tx.sessions.denyOfTokens(organizationId, tids, 'token_revoked', app.now())
  for (const token of input.tokens) {
    unit.audit({
      organizationId,
      event: 'token.revoked',
      actor: { kind: by.kind, id: by.id },
      domainId: token.domain_id,
      userId: token.user_id,
      tid: token.tid,
      data: { reason: input.reason, sessions: denied.filter((row) => row.tid === token.tid).map((row) => row.sid) },
    })
  }
  unit.wake(...tids, ...denied.map((session) => session.sid))
}

/**
 * Denies what the user's codes of a kind have approved, in a unit that has taken such a code away. A code that is being judged
 * holds its row until its session is there to be found, or is judged after this unit, and is then gone.
 */
export async function denyApprovedBy(
  app: App,
  unit: Unit,
  of: { organizationId: string; userId: string; method: CodeMethod },
): Promise<void> {
  const { organizationId, userId, method } = of
  const reason = method === 'otp' ? 'hardware_removed' : 'code_deleted'
  const denied = await unit.tx.sessions.denyByCode(organizationId, { userIds: [userId], method }, reason, app.now())
  unit.wake(...denied.map((session) => session.sid))
}

/** Locks and ends the live tokens of these users, in one domain or in all of them, and denies what their codes approved there. */
export async function revokeTokensOf(
  app: App,
  unit: Unit,
  by: By,
  input: { userIds: string[]; domainId?: string; reason: RevocationReason },
): Promise<void> {
  const { userIds, domainId, reason } = input
  const tokens = await unit.tx.tokens.lockLiveOf(by.organizationId, {
    userIds,
    ...(domainId === undefined ? {} : { domainId }),
  })
  await revokeTokens(app, unit, by, { tokens, reason })
  const denied = await unit.tx.sessions.denyByCode(by.organizationId, input, reason, app.now())
  unit.wake(...denied.map((session) => session.sid))
}
