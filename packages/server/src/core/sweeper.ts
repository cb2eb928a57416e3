import type { App } from '../app.ts'
import { sessionIdleMs } from './administrator-sessions.ts'
import { theServer } from './audit.ts'
import { expireLapsed } from './tokens.ts'
import { transact, type Unit } from './transactions.ts'
import { removeOldVapidKeys } from './vapid-keys.ts'
import { aboutSession, approvalValidMs } from './verdicts.ts'

/** Sweeps one batch in a unit; resolves with what it found. */
type Step = (unit: Unit, app: App) => Promise<unknown[]>

const batch = 200
const minuteMs = 60_000
const dayMs = 1_440 * minuteMs
// A message is fresh for 601 s (±300 s, in whole seconds), and the clocks of nodes differ.
const changeReplyLifeMs = 11 * minuteMs
const answerReplyLifeMs = 2 * dayMs
const sessionRetentionMs = 90 * dayMs
const codeRetentionMs = 90 * dayMs
const nameFailuresLifeMs = 60 * minuteMs
const usesLifeMs = dayMs

const oldSteps: Step[] = [
  expireTokens,
  ({ tx }, { now }) => tx.sessions.endSpent(now() - approvalValidMs, batch, now()),
  ({ tx }, { now }) => tx.sessions.deleteOld(now() - sessionRetentionMs, batch),
  ({ tx }, { now }) => tx.bypassCodes.deleteOld(now() - codeRetentionMs, batch),
  ({ tx }, { now }) => tx.activations.deleteOld(now(), batch),
  ({ tx }, { now }) => tx.administratorSessions.deleteOld(now(), now() - sessionIdleMs, batch),
  ({ tx }, { now }) => tx.replies.deleteOld(now() - changeReplyLifeMs, batch, 'changes'),
  ({ tx }, { now }) => tx.replies.deleteOld(now() - answerReplyLifeMs, batch, 'all'),
  ({ tx }, { now }) => tx.limits.deleteOldNames(now() - nameFailuresLifeMs, batch),
  ({ tx }, { now }) => tx.limits.deleteOldUses('sessions', now() - usesLifeMs, batch),
  removeOldVapidKeys,
]

/** Writes down that requests have timed out. Reads never depend on it: they judge by the clock. */
export function sweepSessions(app: App): Promise<void> {
  return inBatches(app, expireSessions)
}

/**
 * Ends lapsed codes and stale approvals, and deletes what is kept for a while only. Every step is tried, whatever became of
 * those before it; throws an AggregateError of what went wrong.
 */
export async function sweepOld(app: App): Promise<void> {
  const failures: unknown[] = []
  for (const step of oldSteps) {
    try {
      await inBatches(app, step)
    } catch (error) {
      failures.push(error)
    }
  }
  if (failures.length > 0) throw new AggregateError(failures, `${failures.length} of ${oldSteps.length} steps failed`)
}

/** Until less than a batch is found. What somebody else has locked is not, and waits for the next sweep. */
async function inBatches(app: App, step: Step): Promise<void> {
  while ((await transact(app, async (unit) => (await step(unit, app)).length)) >= batch) {
    // more are left
  }
}

async function expireSessions(unit: Unit, app: App): Promise<unknown[]> {
  const rows = await unit.tx.sessions.lockLapsed(app.now(), batch)
  for (const row of rows) {
    const ending = { state: 'expired', reason: 'timeout', at: app.now() } as const
    if (!(await unit.tx.sessions.end(row.organization_id, row.sid, 'pending', ending))) continue
    unit.audit({ ...aboutSession(row), event: 'session.expired', actor: theServer })
    unit.wake(row.sid, ...(row.tid === null ? [] : [row.tid]))
  }
  return rows
}

async function expireTokens(unit: Unit, app: App): Promise<unknown[]> {
  const rows = await unit.tx.tokens.lockLapsed(app.now(), batch)
  for (const { organization_id, domain_id, user_id } of rows) {
    await expireLapsed(app, unit, organization_id, { domainId: domain_id, userId: user_id })
  }
  return rows
}
