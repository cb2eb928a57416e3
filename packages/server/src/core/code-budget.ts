import type { App } from '../app.ts'
import type { CodeFailuresRow } from '../storage/code-failures.ts'
import type { Actor } from './actors.ts'
import type { Settings } from './organization-settings.ts'
import type { Unit } from './transactions.ts'

/** The two kinds of code that are judged at once, as sessions name them. */
export type CodeMethod = 'bypasscode' | 'otp'

/** What came of a code: only `wrong` counts, so that a double click locks nobody out. */
export type CodeVerdict = 'accepted' | 'wrong' | 'spent'

const column = { bypasscode: 'bypass_codes', otp: 'otps' } as const
const wrongInARowMax = { bypasscode: 'wrongBypassCodesMax', otp: 'wrongOneTimePasswordsMax' } as const
const lockMs = 3_600_000

interface Budget {
  method: CodeMethod
  organizationId: string
  /** the user, or a hardware token that is nobody's */
  ownerId: string
  settings: Settings
}

/**
 * Judges a code under the failure budget of its owner: the only way to any verdict on a code. The counters are locked first and
 * written in the unit, so neither parallel guesses nor a restart get more tries. `locked`: the code was not looked at.
 */
export async function underBudget(
  app: App,
  unit: Unit,
  actor: Actor,
  budget: Budget & { judge: () => Promise<CodeVerdict> },
): Promise<CodeVerdict | 'locked'> {
  const { organizationId, ownerId } = budget
  const failures = startedAnew(app, await unit.tx.codeFailures.lock(organizationId, ownerId))
  if (failures.locked_until > app.now()) return 'locked'
  const verdict = await budget.judge()
  if (verdict === 'spent') return verdict
  const next = verdict === 'accepted' ? fresh(failures) : counted(app, failures, budget)
  if (verdict === 'accepted' && failures.bypass_codes + failures.otps === 0) return verdict
  await unit.tx.codeFailures.update(next)
  if (next.locked_until > 0) reportLock(app, unit, actor, budget)
  return verdict
}

/** A lock that is over takes the failures that led to it along. */
function startedAnew(app: App, row: CodeFailuresRow): CodeFailuresRow {
  return row.locked_until !== 0 && row.locked_until <= app.now() ? fresh(row) : row
}

function fresh(row: CodeFailuresRow): CodeFailuresRow {
  return { ...row, bypass_codes: 0, otps: 0, locked_until: 0 }
}

function counted(app: App, row: CodeFailuresRow, { method, settings }: Budget): CodeFailuresRow {
  const failures = row[column[method]] + 1
  const locked_until = failures >= settings[wrongInARowMax[method]] ? app.now() + lockMs : 0
  return { ...row, [column[method]]: failures, locked_until }
}

function reportLock(app: App, unit: Unit, actor: Actor, { method, organizationId, ownerId }: Budget): void {
  app.log.warn({ alarm: 'codes.locked', userId: ownerId, sessionMethod: method }, 'too many wrong codes in a row')
  unit.audit({ organizationId, event: 'codes.locked', actor, userId: ownerId, data: { method } })
}
