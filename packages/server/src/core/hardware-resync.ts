import type { App } from '../app.ts'
import type { HardwareTokenRow } from '../storage/hardware-tokens.ts'
import { type Actor, requirePermission } from './actors.ts'
import { type CodeVerdict, underBudget } from './code-budget.ts'
import { ApiError, badRequest } from './errors.ts'
import { findHardwareToken, noSuchHardware } from './hardware-tokens.ts'
import { type ManagedHardwareToken, managedHardwareOf } from './managed-hardware-tokens.ts'
import { stepAt } from './oath.ts'
import { stepsOf, synchronized } from './one-time-passwords.ts'
import { currentSettings } from './organization-settings.ts'
import { refuse, transact, type Unit } from './transactions.ts'

/** how far a clock may be off, 4 hours of half minutes: two passwords fit there by chance once in 10^9 tries */
const resyncSteps = 480

/**
 * Finds a token's clock by two passwords that it showed one right after the other (RFC 6238 §6), and uses up both. They pass
 * only after the last password accepted. Wrong ones count like the wrong passwords of whoever has the token.
 */
export async function resyncHardwareToken(
  app: App,
  actor: Actor,
  input: { hardwareId: string; otp1: string; otp2: string },
): Promise<ManagedHardwareToken> {
  requirePermission(actor, 'hardware:write')
  const { organizationId } = actor
  const found = await findHardwareToken(app, actor, input)
  const seconds = await secondsOf(app, found, input)
  const ownerId = found.user_id ?? found.id
  const settings = await currentSettings(app, organizationId)
  return transact(app, async (unit) => {
    const judge = () => useBoth(app, unit, found, seconds)
    const verdict = await underBudget(app, unit, actor, { method: 'otp', organizationId, ownerId, settings, judge })
    if (verdict !== 'accepted') return refuse(refusals[verdict]())
    const row = await unit.tx.hardwareTokens.find(organizationId, found.id)
    if (!row) return refuse(noSuchHardware())
    const data = { id: row.id, serialNumber: row.serial_number, drift: row.drift }
    const about = { ...(row.user_id !== null && { userId: row.user_id }), data }
    unit.audit({ organizationId, event: 'hardware.resynchronized', actor, ...about })
    return managedHardwareOf(row)
  })
}

const refusals = {
  wrong: () => badRequest('otp1', 'These are not two passwords that the token showed one right after the other.'),
  spent: () => badRequest('otp1', 'One of them was used before: take the next two that the token shows.'),
  locked: () => {
    const message = 'There were too many wrong passwords; try again in an hour.'
    return new ApiError('api.error.toomanyrequests', message, { retryAfterSeconds: 3_600 })
  },
}

/** The steps of the second password whose step before has the first. */
async function secondsOf(
  app: App,
  row: HardwareTokenRow,
  { otp1, otp2 }: { otp1: string; otp2: string },
): Promise<number[]> {
  const middle = stepAt(app.now(), row.time_step) + row.drift
  const firsts = new Set(await stepsOf(app, row, otp1, { from: middle - resyncSteps, to: middle + resyncSteps }))
  if (firsts.size === 0) return []
  const seconds = await stepsOf(app, row, otp2, { from: middle - resyncSteps, to: middle + resyncSteps + 1 })
  return seconds.filter((step) => firsts.has(step - 1))
}

/** Judges what was found against the token as it is now, and moves its clock. */
async function useBoth(app: App, unit: Unit, found: HardwareTokenRow, seconds: number[]): Promise<CodeVerdict> {
  const row = await unit.tx.hardwareTokens.lock(found.organization_id, found.id)
  // Taken away or given to somebody else in the meantime: they say nothing of whoever has it now.
  if (!row || row.user_id !== found.user_id) return 'spent'
  if (seconds.length === 0) return 'wrong'
  const second = seconds.find((step) => step - 1 > row.last_step)
  if (second === undefined) return 'spent'
  const clock = synchronized(second, stepAt(app.now(), row.time_step))
  return (await unit.tx.hardwareTokens.moveClock(row.organization_id, row.id, clock)) ? 'accepted' : 'spent'
}
