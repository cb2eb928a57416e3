import {
  type HardwareToken,
  type HardwareType,
  hardwareTypes,
  type SyncState,
} from '@countersign/protocol/resources.ts'
import { cleanText, codePoints } from '@countersign/protocol/text.ts'
import type { App } from '../app.ts'
import type { HardwareTokenRow } from '../storage/hardware-tokens.ts'
import { type Actor, requirePermission } from './actors.ts'
import { ApiError, badRequest, noSuchUser } from './errors.ts'
import { resealSeed, sealSeed } from './hardware-seeds.ts'
import { newId } from './ids.ts'
import { holdKeys } from './key-holds.ts'
import { pageSize } from './lists.ts'
import { denyApprovedBy } from './revocation.ts'
import { available, refuse, transact, type Unit } from './transactions.ts'

/** A hardware token as its file or its administrator describes it. */
export interface NewHardwareToken {
  serialNumber: string
  type: string
  /** seconds */
  timeStep: number
  /** hexadecimal */
  seed: string
  alias?: string
}

const seedBytesMin = 10
const seedBytesMax = 64
const aliasMax = 64
const serialNumberMax = 64

const syncStateNames: Record<string, SyncState> = {
  never: 'Never Used',
  synchronized: 'Synchronized',
  outOfSync: 'Out of Sync',
}

/** One page of the organization's, in the order of their creation, and whether there are more. */
export async function listHardwareTokens(
  app: App,
  actor: Actor,
  input: { page: number },
): Promise<{ tokens: HardwareToken[]; more: boolean }> {
  requirePermission(actor, 'hardware:read')
  const { organizationId } = actor
  const page = { limit: pageSize + 1, offset: (input.page - 1) * pageSize }
  const ids = await available(app, () => app.storage.hardwareTokens.pageOfIds(organizationId, page))
  const shown = ids.slice(0, pageSize)
  const rows = await available(app, () => app.storage.hardwareTokens.findMany(organizationId, shown))
  const byId = new Map(rows.map((row) => [row.id, row]))
  // One that has gone meanwhile is left out.
  const tokens = shown.flatMap((id) => byId.get(id) ?? []).map(hardwareTokenOf)
  return { tokens, more: ids.length > pageSize }
}

export async function getHardwareToken(app: App, actor: Actor, input: { hardwareId: string }): Promise<HardwareToken> {
  return hardwareTokenOf(await findHardwareToken(app, actor, input))
}

/** The row of a token of the caller's organization, or `api.error.notfound.hardware`. */
export async function findHardwareToken(
  app: App,
  actor: Actor,
  input: { hardwareId: string },
): Promise<HardwareTokenRow> {
  requirePermission(actor, 'hardware:read')
  const row = await available(app, () => app.storage.hardwareTokens.find(actor.organizationId, input.hardwareId))
  if (!row) throw noSuchHardware()
  return row
}

/** The user's own; `api.error.notfound.hardware` when there is none. */
export async function getUserHardware(app: App, actor: Actor, input: { userId: string }): Promise<HardwareToken> {
  requirePermission(actor, 'hardware:read')
  const { organizationId } = actor
  if (!(await available(app, () => app.storage.users.find(organizationId, input.userId)))) throw noSuchUser()
  const row = await available(app, () => app.storage.hardwareTokens.findOf(organizationId, input.userId))
  if (!row) throw noSuchHardware()
  return hardwareTokenOf(row)
}

/** Registers a token. `api.error.conflict.serialnumber` when the organization has one with this serial number. */
export async function createHardwareToken(app: App, actor: Actor, input: NewHardwareToken): Promise<HardwareToken> {
  return hardwareTokenOf(await insertHardwareToken(app, actor, input))
}

/** The same, for its row. */
export async function insertHardwareToken(app: App, actor: Actor, input: NewHardwareToken): Promise<HardwareTokenRow> {
  requirePermission(actor, 'hardware:write')
  const { organizationId } = actor
  const row = readNewToken(app, organizationId, input)
  await transact(app, async (unit) => {
    await holdKeys(app, unit, row.seed_cipher)
    const inserted = await unit.tx.hardwareTokens.insert(organizationId, [row])
    if (inserted.length === 0) return refuse(serialNumberTaken(row.serial_number))
    const data = { id: row.id, serialNumber: row.serial_number, type: row.type }
    unit.audit({ organizationId, event: 'hardware.created', actor, data })
  })
  return row
}

/** Changes the alias; without one nothing changes. */
export async function updateHardwareToken(
  app: App,
  actor: Actor,
  input: { hardwareId: string; alias?: string },
): Promise<HardwareToken> {
  return hardwareTokenOf(await renameHardwareToken(app, actor, input))
}

/** The same, for its row; `check` may find a reason against it in the row as it is. */
export async function renameHardwareToken(
  app: App,
  actor: Actor,
  { hardwareId, ...input }: { hardwareId: string; alias?: string; check?(row: HardwareTokenRow): ApiError | undefined },
): Promise<HardwareTokenRow> {
  requirePermission(actor, 'hardware:write')
  const { organizationId } = actor
  const alias = input.alias === undefined ? undefined : readAlias(input.alias)
  return transact(app, async (unit) => {
    const row = await unit.tx.hardwareTokens.lock(organizationId, hardwareId)
    if (!row) return refuse(noSuchHardware())
    const objection = input.check?.(row)
    if (objection) return refuse(objection)
    if (alias === undefined || alias === row.alias) return row
    await unit.tx.hardwareTokens.rename(organizationId, row.id, alias)
    unit.audit({ organizationId, event: 'hardware.updated', actor, data: { id: row.id, alias } })
    return { ...row, alias }
  })
}

/** Forgets a token, whoever has it; what its passwords approved is denied. */
export async function deleteHardwareToken(app: App, actor: Actor, input: { hardwareId: string }): Promise<void> {
  requirePermission(actor, 'hardware:write')
  const { organizationId } = actor
  await transact(app, async (unit) => {
    const row = await unit.tx.hardwareTokens.lock(organizationId, input.hardwareId)
    if (!row) return refuse(noSuchHardware())
    await unit.tx.hardwareTokens.delete(organizationId, row.id)
    if (row.user_id !== null) await denyApprovedBy(app, unit, { organizationId, userId: row.user_id, method: 'otp' })
    const about = { ...(row.user_id !== null && { userId: row.user_id }), data: dataOf(row) }
    unit.audit({ organizationId, event: 'hardware.deleted', actor, ...about })
  })
}

/** Gives a token to a user, in the place of the one that the user had. `api.error.conflict.hardware` when it is somebody else's. */
export async function assignHardwareToken(
  app: App,
  actor: Actor,
  input: { userId: string; hardwareId: string },
): Promise<void> {
  requirePermission(actor, 'hardware:write')
  const { organizationId } = actor
  await transact(app, async (unit) => {
    if (!(await unit.tx.users.lock(organizationId, input.userId))) return refuse(noSuchUser())
    const row = await unit.tx.hardwareTokens.lock(organizationId, input.hardwareId)
    if (!row) return refuse(noSuchHardware())
    if (row.user_id === input.userId) return
    if (row.user_id !== null) return refuse(hardwareTaken())
    await freeHardwareOf(app, unit, { actor, userId: input.userId })
    await giveTo(app, unit, row, input.userId)
    unit.audit({ organizationId, event: 'hardware.assigned', actor, userId: input.userId, data: dataOf(row) })
  })
}

/** Takes the user's token away, or only that very one; it can be given to somebody else. */
export async function unassignHardwareToken(
  app: App,
  actor: Actor,
  input: { userId: string; hardwareId?: string },
): Promise<void> {
  requirePermission(actor, 'hardware:write')
  const { organizationId } = actor
  await transact(app, async (unit) => {
    if (!(await unit.tx.users.lock(organizationId, input.userId))) return refuse(noSuchUser())
    const row = input.hardwareId && (await unit.tx.hardwareTokens.lock(organizationId, input.hardwareId))
    if (input.hardwareId !== undefined && (!row || row.user_id !== input.userId)) return refuse(noSuchHardware())
    if (!(await freeHardwareOf(app, unit, { actor, userId: input.userId }))) return refuse(noSuchHardware())
  })
}

/**
 * In a unit that holds the user's lock: frees the token of the user, and denies what its passwords approved; false when there
 * was none.
 */
export async function freeHardwareOf(
  app: App,
  unit: Unit,
  { actor, userId }: { actor: Actor; userId: string },
): Promise<boolean> {
  const { organizationId } = actor
  const row = await unit.tx.hardwareTokens.lockOf(organizationId, userId)
  if (!row) return false
  await giveTo(app, unit, row, null)
  await denyApprovedBy(app, unit, { organizationId, userId, method: 'otp' })
  unit.audit({ organizationId, event: 'hardware.unassigned', actor, userId, data: { id: row.id } })
  return true
}

/** The seed is encrypted for whoever has the token: with the row alone it cannot be given to anybody else. */
async function giveTo(app: App, unit: Unit, row: HardwareTokenRow, userId: string | null): Promise<void> {
  const seed_cipher = resealSeed(app, row, userId)
  // What could not be read stays as it is, under whatever key.
  if (seed_cipher !== row.seed_cipher) await holdKeys(app, unit, seed_cipher)
  await unit.tx.hardwareTokens.give(row.organization_id, row.id, { user_id: userId, seed_cipher })
}

/** A token's row, every value checked and the seed encrypted; throws `api.error.badrequest` naming what cannot be. */
export function readNewToken(app: App, organizationId: string, input: NewHardwareToken): HardwareTokenRow {
  const id = newId(app)
  const seed = readSeed(input.seed)
  return {
    organization_id: organizationId,
    id,
    alias: input.alias ? readAlias(input.alias) : `HW-${id.slice(0, 8)}`,
    serial_number: readSerialNumber(input.serialNumber),
    type: readType(input.type),
    time_step: readTimeStep(input.timeStep),
    seed_cipher: sealSeed(app, { id, user_id: null }, seed),
    user_id: null,
    last_step: -1,
    drift: 0,
    sync_state: 'never',
    resync_step: null,
    created_at: app.now(),
  }
}

/** RFC 4226 asks for 16 bytes; devices with 10 are still about. */
function readSeed(text: string): Buffer {
  if (!/^(?:[0-9a-f]{2})+$/i.test(text)) throw badRequest('seed', 'It is written in hexadecimal digits, two a byte.')
  const seed = Buffer.from(text, 'hex')
  if (seed.length < seedBytesMin || seed.length > seedBytesMax)
    throw badRequest('seed', `It has ${seedBytesMin} to ${seedBytesMax} bytes.`)
  return seed
}

function readSerialNumber(text: string): string {
  if (!/^[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?$/.test(text) || text.length > serialNumberMax)
    throw badRequest('serialNumber', `It has 1 to ${serialNumberMax} printable ASCII characters.`)
  return text
}

function readAlias(text: string): string {
  const alias = cleanText(text).trim()
  if (alias === '' || codePoints(alias) > aliasMax) throw badRequest('alias', `It has 1 to ${aliasMax} characters.`)
  return alias
}

function readType(text: string): HardwareType {
  const type = hardwareTypes.find((known) => known === text)
  if (!type) throw badRequest('type', `It is one of ${hardwareTypes.join(', ')}.`)
  return type
}

function readTimeStep(seconds: number): number {
  if (seconds !== 30 && seconds !== 60) throw badRequest('timeStep', 'It is 30 or 60 seconds.')
  return seconds
}

/** The token as LoginTC's clients see it. */
export function hardwareTokenOf(row: HardwareTokenRow): HardwareToken {
  return {
    id: row.id,
    alias: row.alias,
    serialNumber: row.serial_number,
    type: readType(row.type),
    timeStep: row.time_step === 60 ? '60s' : '30s',
    syncState: syncStateNames[row.sync_state] ?? 'Never Used',
    user: row.user_id ?? '',
  }
}

function dataOf(row: HardwareTokenRow) {
  return { id: row.id, serialNumber: row.serial_number }
}

/** Says the same of a token that does not exist and of another organization's. */
export function noSuchHardware(): ApiError {
  return new ApiError('api.error.notfound.hardware', 'There is no such hardware token.')
}

function serialNumberTaken(serialNumber: string): ApiError {
  const message = `serialNumber: There is a hardware token "${serialNumber}" already.`
  return new ApiError('api.error.conflict.serialnumber', message)
}

function hardwareTaken(): ApiError {
  return new ApiError('api.error.conflict.hardware', 'This hardware token is another user’s; take it away there first.')
}
