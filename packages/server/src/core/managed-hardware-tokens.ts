import type { HardwareToken } from '@countersign/protocol/resources.ts'
import type { App } from '../app.ts'
import type { HardwareFilter, HardwareTokenRow } from '../storage/hardware-tokens.ts'
import { type Actor, requirePermission } from './actors.ts'
import {
  findHardwareToken,
  hardwareTokenOf,
  insertHardwareToken,
  type NewHardwareToken,
  renameHardwareToken,
} from './hardware-tokens.ts'
import { type List, type ListInput, listOf, readPage } from './lists.ts'
import { editedMeanwhile } from './revisions.ts'
import { isoTime } from './times.ts'
import { available } from './transactions.ts'

/** The token as administrators see it. The seed is never shown. */
export interface ManagedHardwareToken extends Omit<HardwareToken, 'timeStep' | 'user'> {
  /** seconds */
  timeStep: number
  /** steps that its clock was ahead of ours when it was last seen */
  drift: number
  /** id of the user who has it, or null */
  user: string | null
  createdAt: string
}

/** The organization's tokens in the order of their serial numbers. */
export async function listManagedHardware(
  app: App,
  actor: Actor,
  input: HardwareFilter & ListInput,
): Promise<List<ManagedHardwareToken>> {
  requirePermission(actor, 'hardware:read')
  const page = readPage(input, [''])
  const rows = await available(app, () => app.storage.hardwareTokens.page(actor.organizationId, input, page))
  return listOf(page, rows, { place: (row) => [row.serial_number], item: managedHardwareOf })
}

export async function getManagedHardware(
  app: App,
  actor: Actor,
  input: { hardwareId: string },
): Promise<ManagedHardwareToken> {
  return managedHardwareOf(await findHardwareToken(app, actor, input))
}

/** Registers a token. `api.error.conflict.serialnumber` when the organization has one with this serial number. */
export async function createManagedHardware(
  app: App,
  actor: Actor,
  input: NewHardwareToken,
): Promise<ManagedHardwareToken> {
  return managedHardwareOf(await insertHardwareToken(app, actor, input))
}

/** Changes the alias. `ifMatch` is the revision that the editor has seen. */
export async function updateManagedHardware(
  app: App,
  actor: Actor,
  { ifMatch, ...input }: { hardwareId: string; alias?: string; ifMatch?: string | undefined },
): Promise<ManagedHardwareToken> {
  const check = (row: HardwareTokenRow) => editedMeanwhile(managedHardwareOf(row), ifMatch)
  return managedHardwareOf(await renameHardwareToken(app, actor, { ...input, check }))
}

export function managedHardwareOf(row: HardwareTokenRow): ManagedHardwareToken {
  return {
    ...hardwareTokenOf(row),
    timeStep: row.time_step,
    drift: row.drift,
    user: row.user_id,
    createdAt: isoTime(row.created_at),
  }
}
