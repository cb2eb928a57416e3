import assert from 'node:assert/strict'
import type { Request } from '../packages/server/test/support/device.ts'
import type { Node } from '../packages/server/test/support/process.ts'
import type { Reply } from '../packages/server/test/support/server.ts'
import { type Crowd, from, type Owner } from './crowd.ts'
import { drive, forEach, type Load } from './load.ts'

const pendingPerTokenMax = 3
const syncsPerTokenMax = 6

/** What an application and an authenticator do all day, each under load; in this order, since one prepares the other. */
export async function measureOperations(node: Node, { owners, pending }: Crowd): Promise<Record<string, Load>> {
  const create = await measureCreate(node, owners)
  const read = await measureRead(node, create.sids)
  const requests = await forEach(owners, ({ device }) => device.requests())
  const sync = await measureSync(node, owners, requests)
  const answer = await measureAnswer(node, owners, requests)
  const begin = await drive(async (number) => {
    const { code, username } = cycle(pending, number)
    succeeded(await from(node, number).device('activation/begin', { v: 1, code, username }))
  })
  return { 'session create': create.load, 'session read': read, sync, answer, begin }
}

/** Asks for a session with that user. */
export async function createSession(node: Node, { userId }: { userId: string }): Promise<string> {
  const path = `/api/domains/${node.acme.pinDomainId}/sessions`
  const { body } = succeeded(await node.call('POST', path, { body: { user: { id: userId } } }))
  // A request that was refused is answered with 200, too.
  assert.equal(body.state, 'pending')
  return body.id
}

async function measureCreate(node: Node, owners: Owner[]): Promise<{ load: Load; sids: string[] }> {
  const sids: string[] = []
  const create = async (number: number) => sids.push(await createSession(node, cycle(owners, number)))
  return { load: await drive(create, owners.length * pendingPerTokenMax), sids }
}

function measureRead(node: Node, sids: string[]): Promise<Load> {
  const path = `/api/domains/${node.acme.pinDomainId}/sessions`
  return drive(async (number) => {
    const { body } = succeeded(await node.call('GET', `${path}/${cycle(sids, number)}`))
    assert.equal(body.state, 'pending')
  })
}

/** Polls of devices that show all there is, and do not wait. Signed beforehand: that is the phones' work. */
async function measureSync(node: Node, owners: Owner[], requests: Request[][]): Promise<Load> {
  const rounds = Array.from({ length: syncsPerTokenMax }, () => owners).flat()
  const bodies = await forEach(rounds, async ({ device }, number) => {
    const have = cycle(requests, number).map(({ sid }) => sid)
    return JSON.stringify({ wait: 0, have, tokens: [await device.sign('sync', device.common('sync'))] })
  })
  return drive(async (number) => {
    const { body } = succeeded(await node.device('sync', cycle(bodies, number)))
    assert.equal(body.results[0].ok, true)
  }, bodies.length)
}

/** Approvals with the proof of a PIN, signed beforehand. */
async function measureAnswer(node: Node, owners: Owner[], requests: Request[][]): Promise<Load> {
  const signed = await forEach(owners, ({ device }, number) =>
    Promise.all(
      cycle(requests, number).map(async (request) => device.sign('answer', await device.approvalPayload(request))),
    ),
  )
  // A token's answers come one after another, not at once.
  const messages = Array.from({ length: pendingPerTokenMax }, (_, turn) => signed.flatMap((own) => own[turn] ?? []))
  const inTurn = messages.flat()
  return drive(async (number) => {
    const { body } = succeeded(await node.device('answer', cycle(inTurn, number)))
    assert.equal(body.state, 'approved')
  }, inTurn.length)
}

/** Anything but 200, a limit's 429 above all, makes the figures worthless. */
function succeeded(reply: Reply): Reply {
  assert.equal(reply.status, 200, `${reply.status} ${reply.text}`)
  assert.equal(reply.headers.get('retry-after'), null)
  return reply
}

function cycle<Item>(items: readonly Item[], number: number): Item {
  const item = items[number % items.length]
  assert.ok(item !== undefined, 'nothing was prepared')
  return item
}
