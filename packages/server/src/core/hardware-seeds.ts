import type { App } from '../app.ts'
import type { HardwareTokenRow } from '../storage/hardware-tokens.ts'
import type { FieldPlace } from './secrets.ts'
import { reportTampering } from './tampering.ts'

type Owned = Pick<HardwareTokenRow, 'id' | 'user_id'>

/** A seed, encrypted for a token and for the user who has it or will. */
export function sealSeed(app: App, owned: Owned, seed: Buffer): string {
  return app.secrets.encrypt(placeOf(owned), seed.toString('base64'))
}

/** The seed of a row. One that was changed, or whose row was given to another user, behind the server's back: an alarm. */
export async function openSeed(app: App, row: HardwareTokenRow): Promise<Buffer | undefined> {
  const seed = legible(app, row)
  if (seed !== undefined) return seed
  const { organization_id: organizationId, user_id: userId, id } = row
  const about = { organizationId, ...(userId !== null && { userId }), data: { id } }
  await reportTampering(app, { event: 'hardware.tampered', rowId: id, ...about })
  return undefined
}

/**
 * The seed of a row, encrypted for whoever has the token from now on. What does not decrypt stays as it is: bound to another
 * row or user, it opens nothing here either, and whoever uses it raises the alarm.
 */
export function resealSeed(app: App, row: HardwareTokenRow, userId: string | null): string {
  const seed = legible(app, row)
  return seed === undefined ? row.seed_cipher : sealSeed(app, { id: row.id, user_id: userId }, seed)
}

function legible(app: App, row: HardwareTokenRow): Buffer | undefined {
  try {
    return Buffer.from(app.secrets.decrypt(placeOf(row), row.seed_cipher), 'base64')
  } catch {
    return undefined // the cause would only say that it does not decrypt; the alarm says where
  }
}

function placeOf({ id, user_id }: Owned): FieldPlace {
  return { table: 'hardware_tokens', column: 'seed_cipher', row: `${user_id ?? ''}/${id}` }
}
