import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { toBase64url } from '@countersign/protocol/base64url.ts'
import { messageType } from '@countersign/protocol/device-messages.ts'
import { signMessage, thumbprint } from '@countersign/protocol/jws.ts'
import { sha256 } from '@countersign/protocol/unlock.ts'
import { challengeHash, newKeys, publicJwk, TestDevice } from '../support/device.ts'
import { countersign } from '../support/phones.ts'
import type { Reply, TestServer } from '../support/server.ts'
import { type Heard, type Kind, kinds, type Model, type Owner, type Said, type Session, type Token } from './machine.ts'

type Begun = { token: Token; aid: string; nonce: string; activation: { expires: number } | undefined }
type Sent = { message: string; heard: Heard; token: Token; generation: number; at: number }

let people = 0

/** Two users of acme that no other run knows, members of nothing. */
export async function newOwners(server: TestServer): Promise<Owner[]> {
  const owners = [1, 2].map(() => ({ username: `walker${++people}`, id: '', memberOf: new Set<Kind>() }))
  for (const owner of owners) await createUser(server, owner)
  return owners
}

export async function createUser(server: TestServer, owner: Owner): Promise<void> {
  const { status, text, body } = await server.call('POST', '/api/users', { body: { username: owner.username } })
  assert.equal(status, 200, text)
  owner.id = body.id
}

/** What the model is about: a real server, the phones, and what they have been shown. */
export class World {
  readonly server: TestServer
  readonly model: Model
  readonly startedAt: number
  readonly begun: Begun[] = []
  readonly sent: Sent[] = []
  /** begins with a dead code: an address has 30 in 10 minutes, a name 10 in an hour */
  deadCodes = 0
  readonly #devices = new Map<Token, TestDevice>()
  readonly #challenges = new Map<Session, string>()
  readonly #numbers = new Map<Session, string>()
  /** the last id of an owner, also of one who was deleted */
  readonly #ids = new Map<Owner, string>()

  constructor(server: TestServer, model: Model) {
    this.server = server
    this.model = model
    this.startedAt = model.now
  }

  /** So that no limit by the minute is in the way: 20 answers, 60 signed messages of a token. Not a whole second. */
  tick(ms = 4_321): void {
    this.server.clock.advance(ms)
    this.model.advance(ms)
  }

  /** Everything that anybody can see is as the model has it. */
  async compare(): Promise<void> {
    const { model } = this
    const slots = model.owners.flatMap((owner) => kinds.map((kind) => ({ owner, kind })))
    await Promise.all([
      ...slots.map(async ({ owner, kind }) => {
        const token = heard(await this.api('GET', this.tokenPath(owner, kind)))
        assert.deepEqual(token, model.tokenView(owner, kind), `token of ${owner.username}, ${kind}`)
      }),
      ...model.sessions.map(async (session, index) => {
        const { body } = await this.api('GET', this.sessionPath(session), undefined)
        const seen = { state: body.state, reason: body.reason }
        assert.deepEqual(seen, model.sessionView(session), `session ${index}`)
      }),
    ])
    await this.#compareDevices()
  }

  async #compareDevices(): Promise<void> {
    const phones = [...this.#devices].slice(-20)
    if (phones.length === 0) return
    const have = this.model.sessions.map(({ sid }) => sid).slice(-60)
    const tokens = await Promise.all(phones.map(([, device]) => device.sign('sync', device.common('sync'))))
    const reply = await this.server.device('sync', { wait: 0, have, tokens })
    assert.equal(reply.status, 200, reply.text)
    for (const [index, [token, { tid }]] of phones.entries()) {
      const { kid, ok, code, requests, closed } = reply.body.results[index]
      assert.equal(kid, tid)
      const expected = this.model.syncView(token, have)
      if (!ok) {
        assert.deepEqual({ ok, code }, expected, `phone ${index}`)
        continue
      }
      const sids = requests.map(({ sid }: { sid: string }) => sid)
      const ends = closed.map(({ sid, state }: { sid: string; state: string }) => [sid, state])
      assert.deepEqual({ ok, requests: sids, closed: Object.fromEntries(ends) }, expected, `phone ${index}`)
      for (const { sid, ch } of requests) this.#challenges.set(this.#sessionOf(sid), ch)
    }
  }

  #sessionOf(sid: string): Session {
    return this.model.sessions.find((row) => row.sid === sid) ?? assert.fail(`a request nobody made: ${sid}`)
  }

  // REST

  api(method: string, path: string, body?: object): Promise<Reply> {
    return this.server.call(method, path, { headers: countersign, ...(body ? { body } : {}) })
  }

  memberPath(owner: Owner, kind: Kind): string {
    if (owner.id !== '') this.#ids.set(owner, owner.id)
    return `${this.domainPath(kind)}/users/${this.#ids.get(owner)}`
  }

  tokenPath(owner: Owner, kind: Kind): string {
    return `${this.memberPath(owner, kind)}/token`
  }

  sessionPath({ sid, token }: Session): string {
    return `${this.domainPath(token.kind)}/sessions/${sid}`
  }

  domainPath(kind: Kind): string {
    const { domainId, pinDomainId } = this.server.acme
    return `/api/domains/${kind === 'pin' ? pinDomainId : domainId}`
  }

  async putToken(owner: Owner, kind: Kind): Promise<void> {
    const known = this.model.tokens.length
    const reply = heard(await this.api('PUT', this.tokenPath(owner, kind)))
    const expected = this.model.putToken(owner, kind)
    const created = this.model.tokens[known]
    if (created) {
      const code = reply.code ?? ''
      assert.ok(!this.model.tokens.some((row) => row.code === code), 'a code is never given out again')
      created.code = code
    }
    assert.deepEqual(reply, created ? { ...expected, code: created.code } : expected)
  }

  async ask(owner: Owner, kind: Kind, matched: boolean): Promise<Session | undefined> {
    const body = { user: { username: owner.username }, numberMatching: matched }
    const known = this.model.sessions.length
    const reply = await this.api('POST', `${this.domainPath(kind)}/sessions`, body)
    assert.deepEqual(heard(reply), this.model.ask(owner, kind, matched))
    const session = this.model.sessions[known]
    if (!session) return undefined
    session.sid = reply.body.id
    assert.equal(typeof reply.body.number, matched && session.asked ? 'string' : 'undefined')
    if (matched) this.#numbers.set(session, reply.body.number)
    return session
  }

  async cancel(session: Session): Promise<void> {
    assert.deepEqual(heard(await this.api('DELETE', this.sessionPath(session))), this.model.cancel(session))
  }

  // Devices

  async begin(token: Token): Promise<void> {
    const { code, owner } = token
    const reply = await this.server.device('activation/begin', { v: 1, code, username: owner.username })
    assert.deepEqual(heard(reply), this.model.begin(token))
    if (reply.status !== 200) {
      this.deadCodes++
      return
    }
    const { aid, nonce, tid } = reply.body
    token.tid = tid
    this.begun.push({ token, aid, nonce, activation: token.activations.at(-1) })
  }

  async finish({ token, aid, nonce, activation }: Begun): Promise<void> {
    const { tid, owner, kind } = token
    const device = await TestDevice.prepare(this.server, tid, { username: owner.username, pin: kind === 'pin' })
    const reply = await this.server.device('activation/finish', await device.finishMessage({ aid, nonce, tid }))
    assert.deepEqual(heard(reply), this.model.finish(token, activation))
    if (reply.status === 200) this.#devices.set(token, device)
  }

  phones(): Token[] {
    return [...this.#devices.keys()]
  }

  /** Only what its phone was shown can be answered. */
  shown(): Session[] {
    return [...this.#challenges.keys()]
  }

  /** Answers are remembered for two days. */
  remembered(): Sent[] {
    return this.sent.filter(({ at }) => this.model.now - at < 86_400_000)
  }

  async answer(session: Session, said: Said): Promise<void> {
    const { token } = session
    const message = await this.#answerMessage(session, said)
    const reply = heard(await this.server.device('answer', message))
    assert.deepEqual(reply, this.model.answer(session, said))
    const isRemembered = reply.status === 200 || reply.status === 403 || reply.status === 409
    const { generation } = token
    if (isRemembered) this.sent.push({ message, heard: reply, token, generation, at: this.model.now })
  }

  async #answerMessage(session: Session, said: Said): Promise<string> {
    const device = this.#deviceOf(session.token)
    const request = { sid: session.sid, ch: this.#challenges.get(session) ?? '' }
    if (said === 'mistake' || said === 'not_me' || said === 'other') {
      const ch = toBase64url(await challengeHash(request.ch))
      return device.sign('answer', { ...device.common('answer'), sid: request.sid, ch, ans: 'deny', why: said })
    }
    const right = this.#numbers.get(session)
    const wrong = `${right === '000000' ? '1' : '0'}00000`
    const num = said === 'wrongNumber' ? wrong : right
    const lies = said === 'wrongPin' ? { uv: wrongProof() } : {}
    return device.sign('answer', await device.approvalPayload(request, { num, ...lies }))
  }

  /** The same message once more. */
  async repeat({ message, heard: before, token, generation }: Sent): Promise<void> {
    const reply = heard(await this.server.device('answer', message))
    assert.deepEqual(reply, this.model.repeat(token, generation, before))
  }

  async rotate(token: Token, right: boolean): Promise<void> {
    const device = this.#deviceOf(token)
    const next = await newKeys()
    const key = await publicJwk(next)
    const common = device.common('rotate')
    const ref = String(common.jti)
    const newkey = { ...device.common('newkey'), jti: ref }
    const proof = await signMessage(next.privateKey, messageType('newkey'), token.tid, newkey)
    const hash = await sha256(new TextEncoder().encode(await thumbprint(key)))
    const uv = device.pinKey
      ? { uv: { m: 'pin', p: await device.proof({ op: 'rotate', ref, ans: 'rotate', hash }) } }
      : {}
    const lies = right ? {} : { uv: wrongProof() }
    const message = await device.sign('rotate', { ...common, key, proof, ...uv, ...lies })
    const reply = heard(await this.server.device('rotate', message))
    assert.deepEqual(reply, this.model.change(token, 'rotate', right))
    if (reply.status === 200) device.keys = next
  }

  async changeFactor(token: Token, right: boolean): Promise<void> {
    const device = this.#deviceOf(token)
    const next = new Uint8Array(randomBytes(32))
    const common = device.common('factor')
    const binding = { op: 'factor', ref: String(common.jti), ans: 'change', hash: new Uint8Array(32) } as const
    const uv = right ? { m: 'pin', p: await device.proof(binding) } : wrongProof()
    const factor = { m: 'pin', k: toBase64url(next), kind: 'pin', len: 6 }
    const reply = heard(await this.server.device('factor', await device.sign('factor', { ...common, factor, uv })))
    assert.deepEqual(reply, this.model.change(token, 'factor', right))
    if (reply.status === 200) device.pinKey = next
  }

  async remove(token: Token): Promise<void> {
    const device = this.#deviceOf(token)
    const reply = await this.server.device('remove', await device.sign('remove', device.common('remove')))
    assert.deepEqual(heard(reply), this.model.remove(token))
  }

  #deviceOf(token: Token): TestDevice {
    return this.#devices.get(token) ?? assert.fail('this token has no phone')
  }
}

export function heard({ status, body = {} }: Reply): Heard {
  const { errors, state, code, remaining } = body
  const members = { error: errors?.[0]?.code, state, code, remaining }
  const present = Object.entries(members).filter(([, value]) => value !== undefined)
  return { status, ...Object.fromEntries(present) }
}

function wrongProof() {
  return { m: 'pin', p: toBase64url(new Uint8Array(randomBytes(32))) }
}
