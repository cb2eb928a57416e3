import type { App } from '../app.ts'
import { installation, theServer } from './audit.ts'
import { activationMs, newDataKey } from './data-keys.ts'
import { readKeyring } from './keyring.ts'
import type { VapidKey } from './secrets.ts'
import { transact, type Unit } from './transactions.ts'

/** An activation, and the minute until every node offers the younger key. */
const settlingMs = 600_000 + activationMs

const operator = { kind: 'operator', id: 'command-line' } as const

/** The key that devices subscribe under now: the youngest that every node has learned of. Undefined while no pushes are sent. */
export function currentVapidKey(app: App): VapidKey | undefined {
  if (!app.delivery.webPush) return undefined
  const keys = app.secrets.vapidKeys()
  const known = app.now() - activationMs
  return keys.findLast(({ createdAt }) => createdAt <= known) ?? keys[0]
}

/** The member of an answer that says it. */
export function vapidMember(app: App): { vapid?: string } {
  const key = currentVapidKey(app)
  return key ? { vapid: key.publicKey } : {}
}

/** One of the keys by what a device calls it; those that another process has just made are looked for, too. */
export async function findVapidKey(app: App, isIt: (key: VapidKey) => boolean): Promise<VapidKey | undefined> {
  const found = app.secrets.vapidKeys().find(isIt)
  if (found) return found
  await app.secrets.reload()
  return app.secrets.vapidKeys().find(isIt)
}

/** Makes the first key where pushes are sent and there is none, whichever node is first. */
export async function prepareVapidKey(app: App): Promise<void> {
  if (!app.delivery.webPush || app.secrets.vapidKeys().length > 0) return
  await transact(app, async (unit) => {
    await unit.tx.keys.lock()
    if ((await vapidRows(unit)).length === 0) await addKey(app, unit, theServer)
  })
  await app.secrets.reload()
}

export interface VapidRotation {
  /** id of the new key */
  key: string
  /** ids of the older ones, which go when no subscription names them any more */
  kept: string[]
}

/** Adds a key for new subscriptions. Devices move to it when they are opened; pushes to those that have not are signed by the old one. */
export async function rotateVapidKey(app: App): Promise<VapidRotation> {
  return transact(app, async (unit) => {
    await unit.tx.keys.lock()
    const kept = (await vapidRows(unit)).map(({ id }) => id)
    return { key: await addKey(app, unit, operator), kept }
  })
}

/** For the sweeper: removes keys that a younger one has replaced, and that no subscription names. */
export async function removeOldVapidKeys(unit: Unit, app: App): Promise<string[]> {
  const current = currentVapidKey(app)
  const keys = app.secrets.vapidKeys()
  // A device that began with the older one may still be at it.
  if (!current || keys.length < 2 || app.now() - current.createdAt < settlingMs) return []
  await unit.tx.keys.lock()
  const unnamed: string[] = []
  for (const { id, createdAt } of keys) {
    if (createdAt < current.createdAt && !(await unit.tx.pushSubscriptions.isNamed(id))) unnamed.push(id)
  }
  const removed = unnamed.length > 0 ? await unit.tx.keys.removeVapid(unnamed) : []
  const data = { key: current.id, removed, purpose: 'vapid' }
  if (removed.length > 0) unit.audit({ organizationId: installation, event: 'keys.removed', actor: theServer, data })
  return removed
}

async function addKey(app: App, { tx, audit }: Unit, actor: typeof theServer | typeof operator): Promise<string> {
  const youngest = (await tx.keys.list()).findLast(({ purpose }) => purpose === 'vapid')
  // A clock that was set back must not make the new key the older one.
  const createdAt = Math.max(app.now(), (youngest?.created_at ?? 0) + 1)
  const key = newDataKey(readKeyring(app.config.keyring), 'vapid', createdAt)
  await tx.keys.insert([key])
  audit({ organizationId: installation, event: 'keys.added', actor, data: { key: key.id, purpose: 'vapid' } })
  return key.id
}

async function vapidRows({ tx }: Unit) {
  return (await tx.keys.list()).filter(({ purpose }) => purpose === 'vapid')
}
