import type { App } from '../app.ts'
import { type Actor, requirePermission } from './actors.ts'
import { badRequest } from './errors.ts'
import { noSuchOrganization } from './organizations.ts'
import { differences, editedMeanwhile } from './revisions.ts'
import { available, refuse, transact } from './transactions.ts'

/** The limits of an organization. They make the server's own stricter (docs/specs/device-protocol.md §12), never laxer. */
export interface Settings {
  /** sessions that can be created for one user in a day */
  sessionsPerDayMax: number
  /** requests that wait at one token at a time; one more is denied as throttled */
  pendingSessionsMax: number
  /** minutes that a new activation code is valid at most, whatever its domain says; null for what the domain says */
  activationCodeMinutesMax: number | null
  /** minutes that a new bypass code is valid at most, so that none is without an end; null for any */
  bypassCodeMinutesMax: number | null
  /** wrong bypass codes in a row that lock a user's codes for an hour */
  wrongBypassCodesMax: number
  /** the same for one-time passwords */
  wrongOneTimePasswordsMax: number
}

/** What is set when nobody has set anything. */
export const defaultSettings: Settings = {
  sessionsPerDayMax: 1_000,
  pendingSessionsMax: 3,
  activationCodeMinutesMax: null,
  bypassCodeMinutesMax: null,
  wrongBypassCodesMax: 5,
  wrongOneTimePasswordsMax: 10,
}

/** From the strictest that lets people work to what the device protocol promises. */
export const settingBounds: Record<keyof Settings, readonly [min: number, max: number]> = {
  sessionsPerDayMax: [5, 1_000],
  pendingSessionsMax: [1, 3],
  activationCodeMinutesMax: [5, 525_600],
  bypassCodeMinutesMax: [5, 525_600],
  wrongBypassCodesMax: [2, 5],
  wrongOneTimePasswordsMax: [2, 10],
}

/** The settings that a row of an organization, or one that was read together with it, holds. */
export function settingsOf({ settings }: { settings: string }): Settings {
  return { ...defaultSettings, ...(JSON.parse(settings) as Partial<Settings>) }
}

export async function getSettings(app: App, actor: Actor): Promise<Settings> {
  requirePermission(actor, 'organization:read')
  return currentSettings(app, actor.organizationId)
}

/** For what is judged by them. */
export async function currentSettings(app: App, organizationId: string): Promise<Settings> {
  const row = await available(app, () => app.storage.organizations.find(organizationId))
  if (!row) throw noSuchOrganization()
  return settingsOf(row)
}

/** Changes those that are named; on every node, from the next request on. `ifMatch` is the revision that the editor has seen. */
export async function updateSettings(
  app: App,
  actor: Actor,
  { ifMatch, ...changes }: Partial<Settings> & { ifMatch?: string | undefined },
): Promise<Settings> {
  requirePermission(actor, 'settings:write')
  const { organizationId } = actor
  requireBounds(changes)
  return transact(app, async ({ tx, audit }) => {
    const row = await tx.organizations.lock(organizationId)
    if (!row) return refuse(noSuchOrganization())
    const was = settingsOf(row)
    const conflict = editedMeanwhile(was, ifMatch)
    if (conflict) return refuse(conflict)
    const is = { ...was, ...changes }
    const changed = differences(was, is)
    if (Object.keys(changed).length === 0) return was
    await tx.organizations.setSettings(organizationId, JSON.stringify(is))
    audit({ organizationId, event: 'organization.settings_changed', actor, data: { changed } })
    return is
  })
}

function requireBounds(changes: Partial<Settings>): void {
  for (const [name, value] of Object.entries(changes)) {
    const bounds = Object.entries(settingBounds).find(([known]) => known === name)
    if (!bounds) throw badRequest(name, 'There is no such setting.')
    const [min, max] = bounds[1]
    const orNull = Object.entries(defaultSettings).some(([known, preset]) => known === name && preset === null)
    if (value === null && orNull) continue
    if (!Number.isInteger(value) || Number(value) < min || Number(value) > max)
      throw badRequest(name, `It is a whole number from ${min} to ${max}${orNull ? ', or null' : ''}.`)
  }
}
