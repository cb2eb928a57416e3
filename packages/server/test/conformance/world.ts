import assert from 'node:assert/strict'
import { createDomain, createOrganization, operatorOf } from '../../src/main.ts'
import { TestDevice } from '../support/device.ts'
import type { TestServer } from '../support/server.ts'
import type { ClientName, Target } from './client.ts'

/** An organization of one client's own, and what its rows of the table have met so far. */
export interface World {
  server: TestServer
  target: Target
  client: ClientName
  /** ids and codes by the name that paths and bodies call them by */
  ids: Record<string, string>
  phone?: TestDevice
}

export async function newWorld(server: TestServer, client: ClientName, origin: string): Promise<World> {
  const { id, apiKey } = await createOrganization(server.app, { name: `Söhne “${client}”` })
  const actor = await operatorOf(server.app, id)
  const domain = await createDomain(server.app, actor, { name: 'Büro', type: 'API', keyType: 'ONE_STEP' })
  return { server, target: { origin, apiKey }, client, ids: { domainId: domain.id } }
}

/** What the world calls by that name. */
export function known({ ids }: World, name: string): string {
  const value = ids[name]
  assert.ok(value, `nothing is called ${name} yet`)
  return value
}

/** Activates the token that was just issued. */
export async function activate(world: World): Promise<void> {
  const code = known(world, 'activationCode')
  world.phone = await TestDevice.activate(world.server, { code, username: 'jürgen&co+1', pin: false })
}

/** Approves the request that waits on the phone. */
export async function approve({ phone }: World): Promise<void> {
  assert.ok(phone)
  await phone.approve(await phone.request())
}
