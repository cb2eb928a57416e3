import assert from 'node:assert/strict'
import { TestDevice } from './device.ts'
import type { Front, Reply } from './server.ts'

/** The server has not answered: what was asked for may have happened or not. */
class Unanswered extends Error {}

/** What somebody may be told about a thing, by all that was answered so far; several when an answer did not come. */
interface Belief {
  path: string
  possible: Set<string>
  /** when the server may begin to say `denied` by itself: a request or an approval grows old */
  lapses: number
}

interface Session extends Belief {
  sid: string
  /** whether it ever was approved: the audit log must say so exactly once */
  approved: boolean
}

/** A member of acme whose token the witness follows. */
interface Subject {
  userId: string
  token: Belief
  sessions: Session[]
  device: TestDevice | undefined
  /** wrong PINs in a row that the server must have counted, at least and at most */
  failures: [least: number, most: number]
}

const lifeMs = 590_000
const retriesMax = 5

/**
 * An application and a phone in one, who remember every answer. However often servers are killed under them, what was
 * answered must be so, what was not answered has happened wholly or not at all, and asking again does it once.
 */
export class Witness {
  readonly subjects: Subject[] = []
  readonly #fronts: Front[]
  readonly #domainId: string
  readonly #name: string
  #stopped = false
  /** what to send again, because no answer came */
  #undecided: (() => Promise<void>) | undefined
  answers = 0
  doubts = 0

  constructor(fronts: Front[], domainId: string, name: string) {
    this.#fronts = fronts
    this.#domainId = domainId
    this.#name = name
  }

  /** Lives one subject's life after the other until it is stopped or a server does not answer. */
  async run(): Promise<void> {
    this.#stopped = false
    try {
      while (!this.#stopped) await this.#live()
    } catch (error) {
      if (!(error instanceof Unanswered)) throw error
      this.doubts++
    }
  }

  stop(): void {
    this.#stopped = true
  }

  /** Compares the newest subject, and of the others so many by chance, with what the server says now. */
  async verify(sample: number): Promise<void> {
    const newest = this.subjects.at(-1)
    const others = this.subjects.filter(() => Math.random() < sample / this.subjects.length)
    for (const subject of new Set(newest ? [newest, ...others] : [])) await this.#verify(subject)
    await this.#undecided?.()
    this.#undecided = undefined
    if (newest) await this.#verify(newest)
  }

  async #live(): Promise<void> {
    const subject = await this.#enter()
    const code = await this.#createToken(subject)
    if (chance(0.1)) return this.#revoke(subject)
    const device = await this.#activate(subject, code)
    for (let number = 0; number < 3 && !this.#stopped; number++) {
      const session = await this.#ask(subject)
      const request = (await answerOf(() => device.requests())).find(({ sid }) => sid === session.sid)
      assert.ok(request)
      if (chance(0.4)) await this.#mistype(subject, device, request)
      await pick([
        () => this.#approve(subject, session, device, request),
        () => this.#approve(subject, session, device, request),
        () => this.#deny(session, device, request),
        () => this.#cancel(session),
        async () => {},
      ])()
    }
    if (chance(0.6)) await this.#revoke(subject)
  }

  async #enter(): Promise<Subject> {
    const username = `${this.#name}-${this.subjects.length}-${Math.random().toString(36).slice(2)}`
    const { body } = await this.#call('POST', '/api/users', { username })
    const member = `/api/domains/${this.#domainId}/users/${body.id}`
    await this.#call('PUT', member)
    const token = { path: `${member}/token`, possible: new Set(['none']), lapses: Number.POSITIVE_INFINITY }
    const subject: Subject = { userId: body.id, token, sessions: [], device: undefined, failures: [0, 0] }
    this.subjects.push(subject)
    return subject
  }

  async #createToken({ token }: Subject): Promise<string> {
    // Its code is known only by the answer.
    const { body } = await this.#change(token, ['pending'], () => this.#call('PUT', token.path))
    return body.code
  }

  async #activate(subject: Subject, code: string): Promise<TestDevice> {
    const { username } = (await this.#call('GET', `/api/users/${subject.userId}`)).body
    const { body: begun } = await this.#send('activation/begin', JSON.stringify({ v: 1, code, username }))
    const device = await TestDevice.prepare(this.#front(), begun.tid, { username, pin: true })
    const message = await device.finishMessage(begun)
    const finish = async () => {
      await this.#change(subject.token, ['active'], () => this.#send('activation/finish', message))
      subject.device = device
    }
    await this.#certainly(finish)
    return device
  }

  async #ask({ userId, sessions }: Subject): Promise<Session> {
    const path = `/api/domains/${this.#domainId}/sessions`
    const { body } = await this.#call('POST', path, { user: { id: userId } })
    assert.equal(body.state, 'pending')
    const lapses = Date.now() + lifeMs
    const session = {
      sid: body.id,
      path: `${path}/${body.id}`,
      possible: new Set(['pending']),
      lapses,
      approved: false,
    }
    sessions.push(session)
    return session
  }

  async #approve(
    subject: Subject,
    session: Session,
    device: TestDevice,
    request: { sid: string; ch: string },
  ): Promise<void> {
    const message = await device.sign('answer', await device.approvalPayload(request))
    await this.#certainly(async () => {
      subject.failures[0] = 0 // an accepted proof resets the count
      const { body } = await this.#change(session, ['approved'], () => this.#send('answer', message))
      assert.deepEqual(body, { sid: session.sid, state: 'approved' })
      Object.assign(session, { approved: true, lapses: Date.now() + lifeMs })
      subject.failures = [0, 0]
    })
  }

  async #deny(session: Session, device: TestDevice, request: { sid: string; ch: string }): Promise<void> {
    const denial = { ans: 'deny', why: 'mistake', uv: undefined }
    const message = await device.sign('answer', await device.approvalPayload(request, denial))
    await this.#certainly(async () => {
      const { body } = await this.#change(session, ['denied'], () => this.#send('answer', message))
      assert.equal(body.state, 'denied')
    })
  }

  /** A12: a wrong PIN that was sent is counted once, however often it is sent, and never forgotten. */
  async #mistype(subject: Subject, device: TestDevice, request: { sid: string; ch: string }): Promise<void> {
    const wrong = { uv: { m: 'pin', p: 'A'.repeat(43) } }
    const message = await device.sign('answer', await device.approvalPayload(request, wrong))
    const [least, most] = subject.failures
    await this.#certainly(async () => {
      subject.failures = [least, most + 1]
      const { status, body, text } = await this.#answered(() => this.#front().device('answer', message))
      assert.equal(status, 403, text)
      const counted = retriesMax - body.remaining
      assert.ok(counted > least && counted <= most + 1, `${counted} wrong PINs, and not ${least + 1} to ${most + 1}`)
      subject.failures = [counted, counted]
    })
  }

  async #cancel(session: Session): Promise<void> {
    await this.#certainly(async () => {
      await this.#change(session, ['denied'], () => this.#call('DELETE', session.path))
    })
  }

  async #revoke(subject: Subject): Promise<void> {
    const { token } = subject
    const revoked = await this.#change(token, ['none'], () => this.#call('DELETE', token.path))
    assert.equal(revoked.text, '')
    this.#end(subject)
  }

  /** From the revocation on nothing of the token is open. */
  #end(subject: Subject): void {
    for (const session of subject.sessions) session.possible = new Set(['denied'])
  }

  async #verify(subject: Subject): Promise<void> {
    const { token, device, sessions } = subject
    const member = await this.#call('GET', token.path.replace(/\/token$/, ''))
    assert.equal(member.body.id, subject.userId)
    const now = await this.#answered(() => this.#front().call('GET', token.path))
    this.#resolve(token, now.status === 404 ? 'none' : now.body.state)
    if (token.possible.has('none')) this.#end(subject)
    for (const session of sessions) {
      const { state } = (await this.#call('GET', session.path)).body
      this.#resolve(session, state)
      if (state === 'approved') session.approved = true
    }
    if (!device) return
    const polled = await answerOf(() => new TestDevice(this.#front(), device).poll())
    if (token.possible.has('active')) assert.equal(polled.ok, true)
    else assert.deepEqual(polled, { kid: device.tid, ok: false, code: 'token_revoked' })
  }

  #resolve(belief: Belief, actual: string): void {
    if (Date.now() > belief.lapses) belief.possible.add('denied')
    const { possible, path } = belief
    assert.ok(possible.has(actual), `${path} is ${actual}, and was answered as ${[...possible].join(' or ')}`)
    belief.possible = new Set([actual])
  }

  /** A change that is known once it is answered, and in doubt until then. */
  async #change(belief: Belief, after: string[], call: () => Promise<Reply>): Promise<Reply> {
    const before = belief.possible
    belief.possible = new Set([...before, ...after])
    const reply = await call()
    belief.possible = new Set(after)
    return reply
  }

  /** Does what may be done again; after the next start, if no answer comes now. */
  async #certainly(work: () => Promise<void>): Promise<void> {
    this.#undecided = work
    await work()
    this.#undecided = undefined
  }

  async #call(method: string, path: string, body?: object): Promise<Reply> {
    return this.#ok(() => this.#front().call(method, path, body ? { body } : {}))
  }

  async #send(path: string, message: string): Promise<Reply> {
    return this.#ok(() => this.#front().device(path, message))
  }

  async #ok(call: () => Promise<Reply>): Promise<Reply> {
    const reply = await this.#answered(call)
    assert.equal(reply.status, 200, reply.text)
    return reply
  }

  async #answered(call: () => Promise<Reply>): Promise<Reply> {
    const reply = await answerOf(call)
    if (reply.status === 503) throw new Unanswered(reply.text)
    this.answers++
    return reply
  }

  #front(): Front {
    return pick(this.#fronts)
  }
}

async function answerOf<T>(call: () => Promise<T>): Promise<T> {
  try {
    return await call()
  } catch (cause) {
    if (cause instanceof assert.AssertionError) throw cause
    throw new Unanswered('no answer', { cause })
  }
}

function pick<T>(items: readonly T[]): T {
  const item = items[Math.floor(Math.random() * items.length)]
  assert.ok(item !== undefined)
  return item
}

function chance(probability: number): boolean {
  return Math.random() < probability
}
