import { createToken } from '../packages/server/src/core/tokens.ts'
import { type App, openForCommand, operatorOf, readConfig } from '../packages/server/src/main.ts'
import { TestDevice } from '../packages/server/test/support/device.ts'
import { member } from '../packages/server/test/support/people.ts'
import type { Cluster, Node } from '../packages/server/test/support/process.ts'
import type { Front } from '../packages/server/test/support/server.ts'
import { forEach } from './load.ts'

/** A user of acme with an activation code in the domain that asks for a PIN. */
export interface Holder {
  userId: string
  username: string
  code: string
}

/** A user who has activated a phone; the code is used up. */
export interface Owner extends Holder {
  device: TestDevice
}

/** So many that no limit of a user, a token or an address is ever reached. */
export interface Crowd {
  owners: Owner[]
  /** owners of whom nobody asks anything before the last measurement */
  resting: Owner[]
  pending: Holder[]
  expired: Holder[]
}

const ownersCount = 1_000
const restingCount = 100
const pendingCount = 200
const yearMs = 365 * 86_400_000

export async function gather(cluster: Cluster): Promise<Crowd> {
  const holders = await newHolders(cluster, 'owner', ownersCount + restingCount)
  const owners = await forEach(holders, (holder, number) => activate(cluster, holder, number))
  return {
    resting: owners.splice(0, restingCount),
    owners,
    pending: await newHolders(cluster, 'pending', pendingCount),
    expired: await newHolders(cluster, 'expired', pendingCount, () => Date.now() - yearMs),
  }
}

/** A node as one of many clients reaches it: activations of one address wait for each other. */
export function from(node: Node, number: number): Front {
  const { acme, apiUrl, deviceUrl, clock, call } = node
  const address = `10.0.${number >> 8}.${number & 0xff}`
  const device: Front['device'] = (path, body) => node.device(path, body, { 'x-forwarded-for': address })
  return { acme, apiUrl, deviceUrl, clock, call, device }
}

async function newHolders(cluster: Cluster, name: string, count: number, now = Date.now): Promise<Holder[]> {
  const { app, close } = await openForCommand(readConfig(cluster.environment), { now })
  try {
    const usernames = Array.from({ length: count }, (_, number) => `${name}${number}`)
    return await forEach(usernames, (username) => newHolder(app, cluster, username))
  } finally {
    await close()
  }
}

async function newHolder(app: App, { acme }: Cluster, username: string): Promise<Holder> {
  const userId = await member(app, acme, username)
  const token = await createToken(app, await operatorOf(app, acme.id), { domainId: acme.pinDomainId, userId })
  if (token.state !== 'pending') throw new Error(`${username} has a token already.`)
  return { userId, username, code: token.code }
}

async function activate({ nodes: [node] }: Cluster, holder: Holder, number: number): Promise<Owner> {
  if (!node) throw new Error('No node runs.')
  const device = await TestDevice.activate(from(node, number), { ...holder, pin: true })
  return { ...holder, device: new TestDevice(node, device) }
}
