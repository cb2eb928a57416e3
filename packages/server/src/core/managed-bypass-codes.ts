import type { App } from '../app.ts'
import type { BypassCodeRow } from '../storage/bypass-codes.ts'
import { type Actor, requirePermission } from './actors.ts'
import { clearCode, insertBypassCode, readBypassCode, recordReveal } from './bypass-codes.ts'
import { badRequest, noSuchUser } from './errors.ts'
import { type List, type ListInput, listOf, readPage } from './lists.ts'
import { isoTime, readTime } from './times.ts'
import { available } from './transactions.ts'

/** The code as administrators see it. */
export interface ManagedBypassCode {
  id: string
  /** id of the user */
  user: string
  /** nine decimal digits; '' where the row was changed behind the server's back */
  code: string
  usesAllowed: number
  usesRemaining: number
  /** null for never */
  expiresAt: string | null
  createdAt: string
}

const lifeMaxMs = 525_600 * 60_000

/** A user's codes with their clear text, those that have ended too, the oldest first; that they were read is recorded. */
export async function listManagedBypassCodes(
  app: App,
  actor: Actor,
  input: { userId: string } & ListInput,
): Promise<List<ManagedBypassCode>> {
  requirePermission(actor, 'bypass-codes:read')
  const { organizationId } = actor
  const { userId } = input
  const page = readPage(input, [0, ''])
  if (!(await available(app, () => app.storage.users.find(organizationId, userId)))) throw noSuchUser()
  const rows = await available(app, () => app.storage.bypassCodes.list(organizationId, userId, page))
  const shown = rows.slice(0, page.limit - 1)
  if (shown.length > 0) await recordReveal(app, actor, userId, shown)
  const codes = await Promise.all(rows.map(async (row) => ({ row, code: await managed(app, row) })))
  return listOf(page, codes, { place: ({ row }) => [row.created_at, row.id], item: ({ code }) => code })
}

/** One code with its clear text; that it was read is recorded. */
export async function getManagedBypassCode(
  app: App,
  actor: Actor,
  input: { bypassCodeId: string },
): Promise<ManagedBypassCode> {
  return managed(app, await readBypassCode(app, actor, input))
}

/** A new code, of one use and without an end unless told. `api.error.limit.bypasscodes` when the user has five live ones. */
export async function createManagedBypassCode(
  app: App,
  actor: Actor,
  input: { userId: string; usesAllowed?: number; expiresAt?: string | null },
): Promise<ManagedBypassCode> {
  requirePermission(actor, 'bypass-codes:write')
  const { expiresAt, ...rest } = input
  const end = expiresAt === undefined ? {} : { expiresAt: readEnd(app, expiresAt) }
  return managed(app, await insertBypassCode(app, actor, { ...rest, ...end }))
}

function readEnd(app: App, text: string | null): number | null {
  if (text === null) return null
  const end = readTime(text, 'expiresAt')
  if (end <= app.now() || end > app.now() + lifeMaxMs) throw badRequest('expiresAt', 'It is within a year from now.')
  return end
}

async function managed(app: App, row: BypassCodeRow): Promise<ManagedBypassCode> {
  return {
    id: row.id,
    user: row.user_id,
    code: await clearCode(app, row),
    usesAllowed: row.uses_allowed,
    usesRemaining: row.uses_remaining,
    expiresAt: row.expires_at === null ? null : isoTime(row.expires_at),
    createdAt: isoTime(row.created_at),
  }
}
