import type { BypassCode } from '@countersign/protocol/resources.ts'
import type { App } from '../app.ts'
import type { BypassCodeRow } from '../storage/bypass-codes.ts'
import { type Actor, requirePermission } from './actors.ts'
import type { CodeVerdict } from './code-budget.ts'
import { ApiError, badRequest, noSuchUser } from './errors.ts'
import { newDigits, newId } from './ids.ts'
import { holdKeys } from './key-holds.ts'
import { currentSettings } from './organization-settings.ts'
import { denyApprovedBy } from './revocation.ts'
import { type FieldPlace, sameSecret } from './secrets.ts'
import { reportTampering } from './tampering.ts'
import { available, refuse, transact, type Unit } from './transactions.ts'

const codeDigits = 9
const liveMax = 5
// A code that is presented is compared with all of the user's.
const endedMax = 100
const usesMax = 1_000
const minutesMax = 525_600
const minuteMs = 60_000
/** what LoginTC's clients are told of a code that never expires */
const never = '9999-12-31T23:59:59+0000'

/** The user's codes with their clear text, those that have ended too; that they were read is recorded. */
export async function listBypassCodes(app: App, actor: Actor, input: { userId: string }): Promise<BypassCode[]> {
  requirePermission(actor, 'bypass-codes:read')
  const { organizationId } = actor
  await findUser(app, actor, input.userId)
  const rows = await available(app, () => app.storage.bypassCodes.listOf(organizationId, input.userId))
  const codes = await Promise.all(rows.map((row) => bypassCodeOf(app, row)))
  if (codes.length > 0) await recordReveal(app, actor, input.userId, rows)
  return codes
}

/** One code with its clear text; that it was read is recorded. */
export async function getBypassCode(app: App, actor: Actor, input: { bypassCodeId: string }): Promise<BypassCode> {
  return bypassCodeOf(app, await readBypassCode(app, actor, input))
}

/** The row of a code for somebody who is shown its clear text; that it was read is recorded. */
export async function readBypassCode(app: App, actor: Actor, input: { bypassCodeId: string }): Promise<BypassCodeRow> {
  requirePermission(actor, 'bypass-codes:read')
  const row = await available(app, () => app.storage.bypassCodes.find(actor.organizationId, input.bypassCodeId))
  if (!row) throw noSuchBypassCode()
  await recordReveal(app, actor, row.user_id, [row])
  return row
}

/** A new code. `api.error.limit.bypasscodes` when the user has five that can still be used. */
export async function createBypassCode(
  app: App,
  actor: Actor,
  input: { userId: string; usesAllowed?: number; expirationMinutes?: number },
): Promise<BypassCode> {
  const minutes = within(input.expirationMinutes ?? 0, [0, minutesMax], 'expirationTime')
  const expiresAt = minutes === 0 ? null : app.now() + minutes * minuteMs
  const end = input.expirationMinutes === undefined ? {} : { expiresAt }
  return bypassCodeOf(app, await insertBypassCode(app, actor, { ...input, ...end }))
}

/**
 * The same for an end in milliseconds, null for none, that the caller has checked; returns the row. Without one the code lives as
 * long as the organization allows. Of the user's codes that have ended, those but the last hundred go.
 */
export async function insertBypassCode(
  app: App,
  actor: Actor,
  input: { userId: string; usesAllowed?: number; expiresAt?: number | null },
): Promise<BypassCodeRow> {
  requirePermission(actor, 'bypass-codes:write')
  const { organizationId } = actor
  const uses = within(input.usesAllowed ?? 1, [1, usesMax], 'usesAllowed')
  const expiresAt = await allowedEnd(app, actor, input.expiresAt)
  const row = newRow(app, organizationId, { userId: input.userId, uses, expiresAt })
  return transact(app, async (unit) => {
    // Two requests at once must not make a sixth.
    if (!(await unit.tx.users.lock(organizationId, input.userId))) return refuse(noSuchUser())
    const codes = await unit.tx.bypassCodes.listOf(organizationId, input.userId)
    if (codes.filter((code) => isLive(app, code)).length >= liveMax) return refuse(tooManyCodes())
    const surplus = surplusOf(app, codes)
    if (surplus.length > 0) await unit.tx.bypassCodes.deleteMany(organizationId, surplus)
    await holdKeys(app, unit, row.code_cipher)
    await unit.tx.bypassCodes.insert(row)
    const data = { id: row.id, usesAllowed: uses, expiresAt: row.expires_at }
    unit.audit({ organizationId, event: 'bypass_code.created', actor, userId: row.user_id, data })
    return row
  })
}

/** Deletes a code. What the user's bypass codes approved is denied: a session does not say which of them it was. */
export async function deleteBypassCode(app: App, actor: Actor, input: { bypassCodeId: string }): Promise<void> {
  requirePermission(actor, 'bypass-codes:write')
  const { organizationId } = actor
  await transact(app, async (unit) => {
    const deleted = await unit.tx.bypassCodes.delete(organizationId, input.bypassCodeId)
    if (!deleted) return refuse(noSuchBypassCode())
    await denyApprovedBy(app, unit, { organizationId, userId: deleted.user_id, method: 'bypasscode' })
    const data = { ids: [input.bypassCodeId] }
    unit.audit({ organizationId, event: 'bypass_code.deleted', actor, userId: deleted.user_id, data })
  })
}

/** Deletes all codes of a user, and denies what they approved; there need not be any. */
export async function deleteBypassCodes(app: App, actor: Actor, input: { userId: string }): Promise<void> {
  requirePermission(actor, 'bypass-codes:write')
  const { organizationId } = actor
  await transact(app, async (unit) => {
    if (!(await unit.tx.users.lock(organizationId, input.userId))) return refuse(noSuchUser())
    const ids = await unit.tx.bypassCodes.deleteOfUser(organizationId, input.userId)
    if (ids.length === 0) return
    await denyApprovedBy(app, unit, { organizationId, userId: input.userId, method: 'bypasscode' })
    unit.audit({ organizationId, event: 'bypass_code.deleted', actor, userId: input.userId, data: { ids } })
  })
}

/**
 * Which of the user's codes this is; compared with all of them, in a time that does not tell which. One that cannot be
 * decrypted is an alarm and no match, and hinders no other.
 */
export async function matchBypassCode(
  app: App,
  user: { organizationId: string; userId: string },
  code: string,
): Promise<BypassCodeRow | undefined> {
  const rows = await available(app, () => app.storage.bypassCodes.listOf(user.organizationId, user.userId))
  const matching: BypassCodeRow[] = []
  for (const row of rows) {
    const own = await legible(app, row)
    if (own !== undefined && sameSecret(own, code)) matching.push(row)
  }
  return matching.sort((a, b) => rank(app, b) - rank(app, a))[0]
}

/** The code in clear text; '' for one that does not decrypt, so that it can still be seen and deleted. Raises that alarm. */
export async function clearCode(app: App, row: BypassCodeRow): Promise<string> {
  return (await legible(app, row)) ?? ''
}

async function legible(app: App, row: BypassCodeRow): Promise<string | undefined> {
  try {
    return app.secrets.decrypt(placeOf(row), row.code_cipher)
  } catch {
    // The cause would only say that it does not decrypt; what follows says where.
    const { organization_id: organizationId, user_id: userId, id } = row
    await reportTampering(app, { event: 'bypass_code.tampered', rowId: id, organizationId, userId, data: { id } })
    return undefined
  }
}

/** Takes one use of the code that matched, in the unit: exactly as many as it has, however many ask at once. */
export async function useBypassCode(app: App, unit: Unit, row: BypassCodeRow | undefined): Promise<CodeVerdict> {
  if (!row) return 'wrong'
  return (await unit.tx.bypassCodes.use(row.organization_id, row.id, app.now())) ? 'accepted' : 'spent'
}

function newRow(
  app: App,
  organizationId: string,
  { userId, uses, expiresAt }: { userId: string; uses: number; expiresAt: number | null },
): BypassCodeRow {
  const id = newId(app)
  return {
    organization_id: organizationId,
    id,
    user_id: userId,
    code_cipher: app.secrets.encrypt(placeOf({ id, user_id: userId }), newDigits(app, codeDigits)),
    uses_allowed: uses,
    uses_remaining: uses,
    expires_at: expiresAt,
    ends_at: expiresAt,
    created_at: app.now(),
  }
}

/** With the user: a row that was given to somebody else does not decrypt. */
function placeOf({ id, user_id }: Pick<BypassCodeRow, 'id' | 'user_id'>): FieldPlace {
  return { table: 'bypass_codes', column: 'code_cipher', row: `${user_id}/${id}` }
}

async function bypassCodeOf(app: App, row: BypassCodeRow): Promise<BypassCode> {
  return {
    id: row.id,
    code: await clearCode(app, row),
    dtExpiry: row.expires_at === null ? never : javaTime(row.expires_at),
    user: row.user_id,
    usesAllowed: row.uses_allowed,
    usesRemaining: row.uses_remaining,
  }
}

/** LoginTC's Java client 1.1.4 parses `yyyy-MM-dd'T'HH:mm:ssZ`: no fraction, no colon in the zone, no Z. */
function javaTime(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 19)}+0000`
}

/** When a new code ends. An organization may forbid codes that live for long, or for ever. */
async function allowedEnd(app: App, actor: Actor, end: number | null | undefined): Promise<number | null> {
  const { bypassCodeMinutesMax: max } = await currentSettings(app, actor.organizationId)
  if (max === null) return end ?? null
  const latest = app.now() + max * minuteMs
  if (end === undefined) return latest
  if (end !== null && end <= latest) return end
  throw new ApiError('api.error.badrequest', `In this organization a bypass code is valid for ${max} minutes at most.`)
}

function isLive(app: App, row: BypassCodeRow): boolean {
  return row.uses_remaining > 0 && (row.expires_at === null || row.expires_at > app.now())
}

/** Ids of the codes that ended before the last hundred which have. */
function surplusOf(app: App, rows: BypassCodeRow[]): string[] {
  const ended = rows.filter((row) => !isLive(app, row)).sort((a, b) => (a.ends_at ?? 0) - (b.ends_at ?? 0))
  return ended.slice(0, -endedMax).map(({ id }) => id)
}

/** Of two equal codes the one that can still be used counts. */
function rank(app: App, row: BypassCodeRow): number {
  return isLive(app, row) ? 1 : 0
}

async function findUser(app: App, actor: Actor, userId: string): Promise<void> {
  if (!(await available(app, () => app.storage.users.find(actor.organizationId, userId)))) throw noSuchUser()
}

/** Records that somebody is shown these codes of a user in clear text. */
export async function recordReveal(app: App, actor: Actor, userId: string, rows: BypassCodeRow[]): Promise<void> {
  const { organizationId } = actor
  const data = { ids: rows.map((row) => row.id) }
  await transact(app, async (unit) => {
    unit.audit({ organizationId, event: 'bypass_code.revealed', actor, userId, data })
  })
}

function within(value: number, [min, max]: [number, number], field: string): number {
  if (!Number.isInteger(value) || value < min || value > max)
    throw badRequest(field, `It is a whole number from ${min} to ${max}.`)
  return value
}

function noSuchBypassCode(): ApiError {
  return new ApiError('api.error.notfound.bypasscode', 'There is no such bypass code.')
}

function tooManyCodes(): ApiError {
  const message = `The user has ${liveMax} bypass codes that can still be used; delete one first.`
  return new ApiError('api.error.limit.bypasscodes', message)
}
