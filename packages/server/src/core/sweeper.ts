import type { App } from '../app.ts'
import { theServer } from './audit.ts'
import { expireLapsed } from './tokens.ts'
import { transact } from './transactions.ts'
import { aboutSession, approvalValidMs } from './verdicts.ts'

const batch = 200
const replyLifeMs = 600_000
const dayMs = 86_400_000
const sessionRetentionMs = 90 * dayMs
const nameFailuresLifeMs = 3_600_000

/** Writes down that requests have timed out. Reads never depend on it: they judge by the clock. */
export async function sweepSessions(app: App): Promise<void> {
  for (let lapsed = batch; lapsed === batch; ) {
    const rows = await app.storage.sessions.findLapsed(app.now(), batch)
    lapsed = rows.length
    if (lapsed > 0) await expireSessions(app, rows)
  }
}

/** Ends lapsed codes and stale approvals, and deletes what is kept for a while only. */
export async function sweepOld(app: App): Promise<void> {
  const now = app.now()
  await expireTokens(app)
  await inBatches(() => transact(app, ({ tx }) => tx.sessions.endSpent(now - approvalValidMs, batch, now)))
  await inBatches(() => transact(app, ({ tx }) => tx.sessions.deleteOld(now - sessionRetentionMs, batch)))
  await transact(app, async ({ tx }) => {
    await tx.activations.deleteOld(now)
    await tx.replies.deleteOld({ changes: now - replyLifeMs, answers: now - 2 * dayMs })
    await tx.limits.deleteOldNames(now - nameFailuresLifeMs)
  })
}

type Lapsed = { organization_id: string; sid: string; domain_id: string; user_id: string; tid: string | null }

function expireSessions(app: App, rows: Lapsed[]): Promise<void> {
  return transact(app, async (unit) => {
    for (const row of rows) {
      const ending = { state: 'expired', reason: 'timeout', at: app.now() } as const
      if (!(await unit.tx.sessions.end(row.organization_id, row.sid, 'pending', ending))) continue
      unit.audit({ ...aboutSession(row), event: 'session.expired', actor: theServer })
      unit.wake(row.sid, ...(row.tid === null ? [] : [row.tid]))
    }
  })
}

async function expireTokens(app: App): Promise<void> {
  for (let lapsed = batch; lapsed === batch; ) {
    const rows = await app.storage.tokens.findLapsed(app.now(), batch)
    lapsed = rows.length
    await transact(app, async (unit) => {
      for (const { organization_id, domain_id, user_id } of rows) {
        await expireLapsed(app, unit, organization_id, { domainId: domain_id, userId: user_id })
      }
    })
  }
}

async function inBatches(work: () => Promise<unknown[]>): Promise<void> {
  while ((await work()).length === batch) {
    // more are left
  }
}
