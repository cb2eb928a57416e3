import assert from 'node:assert/strict'
import { randomInt } from 'node:crypto'
import { after, before, it } from 'node:test'
import { createDomain, operatorOf } from '../../src/main.ts'
import { TestDevice } from '../support/device.ts'
import { onEveryEngine } from '../support/engines.ts'
import { runCommand } from '../support/process.ts'
import { type Arena, outcomeOf, rounds, startArena } from '../support/races.ts'
import type { Front, Reply } from '../support/server.ts'
import { sql } from '../support/sql.ts'

const usernames = ['ann', 'ben', 'cleo', 'dan'] as const
const nobody = '0'.repeat(40)

onEveryEngine((engine) => {
  let arena: Arena
  before(async () => {
    arena = await startArena(engine, { COUNTERSIGN_TRUSTED_PROXIES: '127.0.0.1' })
  })
  after(() => arena.stop())

  it('whatever happens at once, nobody hears of a deadlock or of any failure of the server', async (t) => {
    const crowd = await Crowd.gather(arena)
    await rounds({ count: 2_500, lanes: 16 }, () => crowd.act(one(arena.fronts)))

    t.diagnostic(JSON.stringify(crowd.outcomes))
    const failures = Object.keys(crowd.outcomes).filter((outcome) => /^5/.test(outcome))
    assert.equal(arena.nodes.map(({ errors }) => errors).join(''), '')
    assert.deepEqual(failures, [], JSON.stringify(crowd.outcomes))
    for (const [problem, query] of Object.entries(problems)) {
      assert.deepEqual(await sql(arena.database, query), [], problem)
    }
    const verified = await runCommand(arena.environment, 'audit', 'verify')
    assert.equal(verified.code, 0, verified.errors)
  })
})

/** What no row may be like, however it came about. */
const problems = {
  'a token of somebody who is no member': `select tid from tokens where state in ('pending', 'active') and not exists (
    select 1 from members where members.domain_id = tokens.domain_id and members.user_id = tokens.user_id)`,
  'a member who does not exist': `select user_id from members where not exists (
    select 1 from users where users.id = members.user_id)`,
  'an open session of a token that is gone': `select sid from sessions where state in ('pending', 'approved')
    and not exists (select 1 from tokens where tokens.tid = sessions.tid and tokens.state = 'active')`,
  'a secret of a token that is gone': `select tid from tokens where state not in ('pending', 'active')
    and (code_index is not null or code_cipher is not null or public_key is not null or pin_key_cipher is not null)`,
  'an activation of a token that is not pending': `select tid from activations where not exists (
    select 1 from tokens where tokens.tid = activations.tid and tokens.state = 'pending')`,
  'a session approved twice': `select sid from audit_events where event = 'session.approved' group by sid having count(*) > 1`,
  'a token activated twice': `select tid from audit_events where event = 'token.activated' group by tid having count(*) > 1`,
  'a token revoked twice': `select tid from audit_events where event = 'token.revoked' group by tid having count(*) > 1`,
  'an approved session without a record': `select sid from sessions where state = 'approved' and not exists (
    select 1 from audit_events where audit_events.sid = sessions.sid and event = 'session.approved')`,
}

type Action = (front: Front) => Promise<Reply | undefined>

/** A few users in a few domains, whom many clients push about at once. What they know of each other is often out of date. */
class Crowd {
  readonly outcomes: Record<string, number> = {}
  readonly #domains: [string, ...string[]]
  readonly #codes: { code: string; username: string; pin: boolean }[] = []
  readonly #devices: TestDevice[] = []
  readonly #sessions: string[] = []

  private constructor(domains: [string, ...string[]]) {
    this.#domains = domains
  }

  static async gather(arena: Arena): Promise<Crowd> {
    const { id: third } = await arena.command(async (app) =>
      createDomain(app, await operatorOf(app, arena.acme.id), { name: 'Third', onFraud: 'revoke' }),
    )
    const crowd = new Crowd([arena.acme.domainId, arena.acme.pinDomainId, third])
    const body = usernames.map((username) => ({ username }))
    for (const domain of crowd.#domains) await arena.fronts[0].call('PUT', `/api/domains/${domain}/users`, { body })
    return crowd
  }

  /** Does one thing of all that can be done, the usual more often than the drastic. */
  async act(front: Front): Promise<void> {
    const reply = await one(this.#actions)(front)
    if (!reply) return
    const outcome = outcomeOf(reply)
    this.outcomes[outcome] = (this.outcomes[outcome] ?? 0) + 1
  }

  readonly #actions = deck([
    [2, (front) => front.call('PUT', this.#members(), { body: some(usernames).map((username) => ({ username })) })],
    [1, async (front) => front.call('DELETE', `/api/users/${await this.#user(front)}`)],
    [2, async (front) => front.call('PUT', `${this.#members()}/${await this.#user(front)}`)],
    [1, async (front) => front.call('DELETE', `${this.#members()}/${await this.#user(front)}`)],
    [9, (front) => this.#createToken(front)],
    [2, async (front) => front.call('GET', await this.#token(front))],
    [2, async (front) => front.call('DELETE', await this.#token(front))],
    [9, (front) => this.#activate(front)],
    [6, (front) => this.#ask(front)],
    [3, (front) => front.call('DELETE', this.#session())],
    [3, (front) => front.call('GET', this.#session())],
    [12, (front) => this.#answer(front, {})],
    [3, (front) => this.#answer(front, { uv: { m: 'pin', p: 'A'.repeat(43) } })],
    [3, (front) => this.#answer(front, { ans: 'deny', why: 'mistake', uv: undefined })],
    [2, (front) => this.#answer(front, { ans: 'deny', why: 'not_me', uv: undefined })],
    [1, (front) => this.#remove(front)],
  ])

  #members(): string {
    return `/api/domains/${one(this.#domains)}/users`
  }

  async #user(front: Front, username = one(usernames)): Promise<string> {
    const { body } = await front.call('GET', `/api/users?username=${username}`)
    return body.id ?? nobody
  }

  async #token(front: Front): Promise<string> {
    return `${this.#members()}/${await this.#user(front)}/token`
  }

  #session(): string {
    return one(this.#sessions.slice(-20)) ?? `/api/domains/${nobody}/sessions/${nobody}`
  }

  async #createToken(front: Front): Promise<Reply> {
    const domain = one(this.#domains)
    const username = one(usernames)
    const path = `/api/domains/${domain}/users/${await this.#user(front, username)}/token`
    const reply = await front.call('PUT', path)
    const { code } = reply.body
    if (code) this.#codes.push({ code, username, pin: domain === front.acme.pinDomainId })
    return reply
  }

  async #activate(front: Front): Promise<Reply | undefined> {
    const given = this.#codes.pop()
    if (!given) return undefined
    // From an address of its own: nobody is to be stopped for guessing.
    const headers = { 'x-forwarded-for': `10.${randomInt(256)}.${randomInt(256)}.${randomInt(256)}` }
    const { code, username } = given
    const begun = await front.device('activation/begin', { v: 1, code, username }, headers)
    if (begun.status !== 200) return begun
    const device = await TestDevice.prepare(front, begun.body.tid, given)
    const finished = await front.device('activation/finish', await device.finishMessage(begun.body), headers)
    if (finished.status === 200) this.#devices.push(device)
    return finished
  }

  async #ask(front: Front, { username }: { username: string } = { username: one(usernames) }): Promise<Reply> {
    const sessions = `/api/domains/${one(this.#domains)}/sessions`
    const reply = await front.call('POST', sessions, { body: { user: { username } } })
    if (reply.status === 200) this.#sessions.push(`${sessions}/${reply.body.id}`)
    return reply
  }

  /** One of the newest devices answers whatever waits for it. */
  async #answer(front: Front, lies: Record<string, unknown>): Promise<Reply | undefined> {
    const device = one(this.#devices.slice(-8))
    if (!device) return undefined
    const here = new TestDevice(front, device)
    const polled = await here.poll()
    const request = polled.ok ? one(polled.requests) : undefined
    if (!request) return this.#ask(front, device)
    return front.device('answer', await here.sign('answer', await here.approvalPayload(request, lies)))
  }

  async #remove(front: Front): Promise<Reply | undefined> {
    const device = one(this.#devices)
    return device && front.device('remove', await device.sign('remove', device.common('remove')))
  }
}

/** Every action as often as its weight says. */
function deck(weighted: [weight: number, action: Action][]): [Action, ...Action[]] {
  const [first, ...others] = weighted.flatMap(([weight, action]) => Array<Action>(weight).fill(action))
  assert.ok(first)
  return [first, ...others]
}

function one<T>(items: readonly [T, ...T[]]): T
function one<T>(items: readonly T[]): T | undefined
function one<T>(items: readonly T[]): T | undefined {
  return items[randomInt(items.length || 1)]
}

function some<T>(items: readonly T[]): T[] {
  return items.filter(() => Math.random() < 0.9)
}
