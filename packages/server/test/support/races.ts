import assert from 'node:assert/strict'
import { setTimeout as delay } from 'node:timers/promises'
import { TestDevice, type UnlockedBy } from './device.ts'
import type { TestDatabase, TestEngine } from './engines.ts'
import { type Cluster, startCluster } from './process.ts'
import type { Front, Reply } from './server.ts'
import { type SqlRow, sql } from './sql.ts'

/** Two ways in to one database: two nodes where there can be two, and twice the same one where there is one only. */
export interface Arena extends Cluster {
  fronts: [Front, Front]
}

/** Starts the servers that a race is run on, by the real clock. */
export async function startArena(engine: TestEngine, settings: Record<string, string> = {}): Promise<Arena> {
  const cluster = await startCluster(engine, { nodes: engine.name === 'postgres' ? 2 : 1, settings })
  const [first, second = first] = cluster.nodes
  assert.ok(first && second)
  return { ...cluster, fronts: [first, second] }
}

/** Runs the round `count` times, in so many lanes at once. The first failure ends the others after their round. */
export async function rounds(
  { count, lanes }: { count: number; lanes: number },
  round: (lane: number) => Promise<void>,
): Promise<void> {
  let left = count
  const run = async (_: unknown, lane: number) => {
    while (left-- > 0) {
      try {
        await round(lane)
      } catch (error) {
        left = 0
        throw error
      }
    }
  }
  const ends = await Promise.allSettled(Array.from({ length: lanes }, run))
  const lost = ends.find((end) => end.status === 'rejected')
  if (lost) throw lost.reason
}

/** Starts the work after a moment of chance, so that neither of two always comes first. */
export async function soon<T>(work: () => Promise<T>, withinMs = 4): Promise<T> {
  await delay(Math.random() * withinMs)
  return work()
}

let users = 0

/** A new user of acme and member of its domains, made over the wire. */
export async function newMember(front: Front): Promise<{ userId: string; username: string }> {
  const username = `racer${++users}`
  const { body: user } = await expectOk(front.call('POST', '/api/users', { body: { username } }))
  for (const domainId of [front.acme.domainId, front.acme.pinDomainId]) {
    await expectOk(front.call('PUT', `/api/domains/${domainId}/users/${user.id}`))
  }
  return { userId: user.id, username }
}

/** A phone for a member without a token. */
export async function enrol(front: Front, { userId, username, ...unlock }: Enrolled): Promise<Racer> {
  const domainId = unlock.domainId ?? (unlock.pin ? front.acme.pinDomainId : front.acme.domainId)
  if (unlock.domainId) await expectOk(front.call('PUT', `/api/domains/${domainId}/users/${userId}`))
  const { body } = await expectOk(front.call('PUT', `/api/domains/${domainId}/users/${userId}/token`))
  return racerOf(await TestDevice.activate(front, { code: body.code, username, ...unlock }), { userId, domainId })
}

interface Enrolled extends UnlockedBy {
  userId: string
  username: string
  domainId?: string
}

/** A new member with an activated authenticator. */
export async function newRacer(front: Front, unlock: UnlockedBy & { domainId?: string } = {}): Promise<Racer> {
  return enrol(front, { ...(await newMember(front)), ...unlock })
}

/** Somebody's authenticator and where the application finds its token and its sessions. */
export interface Racer {
  device: TestDevice
  userId: string
  token: string
  sessions: string
  /** The application's request; the id of its session. */
  open(): Promise<string>
  /** The same, as it reached the device. */
  ask(): Promise<{ sid: string; ch: string }>
  /** The device's signed approval, ready to be sent by whichever node. */
  approval(request: { sid: string; ch: string }, lies?: Record<string, unknown>): Promise<string>
}

function racerOf(device: TestDevice, { userId, domainId }: { userId: string; domainId: string }): Racer {
  const { server } = device
  const sessions = `/api/domains/${domainId}/sessions`
  const open = async () => {
    const { body } = await expectOk(server.call('POST', sessions, { body: { user: { id: userId } } }))
    assert.equal(body.state, 'pending')
    return body.id
  }
  return {
    device,
    userId,
    token: `/api/domains/${domainId}/users/${userId}/token`,
    sessions,
    open,
    async ask() {
      const id = await open()
      const request = (await device.requests()).find(({ sid }) => sid === id)
      assert.ok(request, 'the request did not reach the device')
      return request
    },
    approval: async (request, lies) => device.sign('answer', await device.approvalPayload(request, lies)),
  }
}

export async function expectOk(call: Promise<Reply>): Promise<Reply> {
  const reply = await call
  assert.equal(reply.status, 200, reply.text)
  return reply
}

/** The code of a refusal, and 'ok' for a success. */
export function outcomeOf({ status, body }: Reply): string {
  return status === 200 ? 'ok' : `${status} ${body?.errors?.[0]?.code}`
}

/** How often each of these events stands in the audit log about one session or token. */
export async function auditedOf(
  database: TestDatabase,
  about: { sid: string } | { tid: string },
): Promise<Record<string, number>> {
  const [[column = '', id = ''] = []] = Object.entries(about)
  const rows = await sql(
    database,
    `select event, count(*) as times from audit_events where ${column} = ? group by event`,
    id,
  )
  return Object.fromEntries(rows.map((row: SqlRow) => [String(row.event), Number(row.times)]))
}

/** Two that race many times. Whoever wins starts a little later next time, on whatever machine: so both come to win. */
export class Duel {
  #headStartMs = 0

  /** Starts both; `firstWon` tells from their answers who was first. */
  async run<First, Second>(
    first: () => Promise<First>,
    second: () => Promise<Second>,
    firstWon: (first: First, second: Second) => boolean,
  ): Promise<[First, Second]> {
    const headStartMs = this.#headStartMs + Math.random() * 2 - 1
    const answers = await Promise.all([
      delay(Math.max(0, -headStartMs)).then(first),
      delay(Math.max(0, headStartMs)).then(second),
    ])
    this.#headStartMs += firstWon(...answers) ? -0.5 : 0.5
    return answers
  }
}

/** Counts how a race ended; one that always ends the same way was none. */
export class Tally {
  readonly counts: Record<string, number> = {}

  add(outcome: string): void {
    this.counts[outcome] = (this.counts[outcome] ?? 0) + 1
  }

  /** These outcomes came about, each of them, and no other. */
  assertOnly(...outcomes: string[]): void {
    assert.deepEqual(Object.keys(this.counts).sort(), outcomes.sort(), JSON.stringify(this.counts))
  }
}
