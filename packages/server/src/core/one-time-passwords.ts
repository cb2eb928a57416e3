import type { App } from '../app.ts'
import type { Clock, HardwareTokenRow } from '../storage/hardware-tokens.ts'
import type { CodeVerdict } from './code-budget.ts'
import { openSeed } from './hardware-seeds.ts'
import { type Digits, matchingSteps, readCode, stepAt } from './oath.ts'
import { available, type Unit } from './transactions.ts'

/** RFC 6238 §5.2: one step to either side, for a slow reader and a clock that has drifted since it was last seen */
const nearSteps = 1
/** how far a device's clock may be off to be found again by two passwords in a row (RFC 6238 §6) */
const farSteps = 20
/** what may pass between the search and the unit that judges */
const slackSteps = 2

/** Where a password was found, before anything is decided. */
export interface FoundPassword {
  row: HardwareTokenRow
  /** the steps around the device's time whose password this is */
  steps: number[]
}

/** Looks the password up at the user's hardware token; undefined when the user has none. */
export async function findPassword(
  app: App,
  user: { organizationId: string; userId: string },
  otp: string,
): Promise<FoundPassword | undefined> {
  const row = await available(app, () => app.storage.hardwareTokens.findOf(user.organizationId, user.userId))
  if (!row) return undefined
  const middle = stepAt(app.now(), row.time_step) + row.drift
  const reach = farSteps + slackSteps
  return { row, steps: await stepsOf(app, row, otp, { from: middle - reach, to: middle + reach }) }
}

/** Judges what was found against the token as it is now, and moves its clock; each step passes once, whoever asks first. */
export async function usePassword(app: App, unit: Unit, found: FoundPassword | undefined): Promise<CodeVerdict> {
  if (!found) return 'wrong'
  const { organization_id, id, user_id } = found.row
  const row = await unit.tx.hardwareTokens.lock(organization_id, id)
  // Taken away or given to somebody else in the meantime: it says nothing about this user any more.
  if (!row || row.user_id !== user_id) return 'wrong'
  const { verdict, clock } = judgePassword(row, found.steps, stepAt(app.now(), row.time_step))
  if (clock && !(await unit.tx.hardwareTokens.moveClock(organization_id, id, clock))) return 'spent'
  return verdict
}

/**
 * What a password says whose code belongs to these steps, at this step of our clock. At or below the last accepted step
 * nothing passes. A password from far away is wrong; with the next one right after it, it finds the device's clock again.
 */
function judgePassword(
  row: Clock,
  steps: number[],
  present: number,
): { verdict: CodeVerdict; clock: Clock | undefined } {
  const distance = (step: number) => Math.abs(step - (present + row.drift))
  const near = steps.filter((step) => distance(step) <= nearSteps)
  const far = steps.filter((step) => distance(step) <= farSteps && step > row.last_step)
  const accepted = near.find((step) => step > row.last_step) ?? far.find((step) => step - 1 === row.resync_step)
  if (accepted !== undefined) return { verdict: 'accepted', clock: synchronized(accepted, present) }
  if (near.length > 0 || steps.includes(row.last_step)) return { verdict: 'spent', clock: undefined }
  const [first] = far
  if (first === undefined) return { verdict: 'wrong', clock: undefined }
  return { verdict: 'wrong', clock: { ...clockOf(row), sync_state: 'outOfSync', resync_step: first } }
}

/** A clock that was seen at this step. */
export function synchronized(step: number, present: number): Clock {
  return { last_step: step, drift: step - present, sync_state: 'synchronized', resync_step: null }
}

/**
 * The steps in a range whose password this is; none for what is not exactly that many ASCII digits. A seed that cannot be
 * decrypted is an alarm and has none.
 */
export async function stepsOf(
  app: App,
  row: HardwareTokenRow,
  otp: string,
  range: { from: number; to: number },
): Promise<number[]> {
  const digits: Digits = row.type === 'TOTP8' ? 8 : 6
  const code = readCode(otp, digits)
  if (code === undefined) return []
  const seed = await openSeed(app, row)
  return seed ? matchingSteps({ seed, digits, code, ...range }) : []
}

function clockOf({ last_step, drift, sync_state, resync_step }: Clock): Clock {
  return { last_step, drift, sync_state, resync_step }
}
