// An authenticator written from docs/specs/device-protocol.md alone, with nothing but Node.js: it shares no line with the
// server, so a document that is wrong, or a server that leaves it, shows. Section numbers are the document's.

import { createHash, createHmac, generateKeyPairSync, type KeyObject, pbkdf2Sync, randomBytes, sign } from 'node:crypto'

type Members = Record<string, unknown>
type Common = { v: 1; op: string; aud: string; tid: string; iat: number; jti: string }
type PinStore = { salt: Buffer; mixKey: Buffer; rounds?: number | undefined }
type Way = { kid?: string; deliver?: (jws: string) => Promise<Members> }

/** Where the device is, and what it stands on. */
export interface Surroundings {
  /** of the link or the page that named the server */
  origin: string
  /** the device's own clock, in milliseconds */
  now: () => number
  fetch?: typeof fetch
  /** of PBKDF2; no server can tell how many they were */
  rounds?: number
}

/** A sign-in request that passed the checks of §8; `hash` is that of its challenge bytes. */
export interface SignInRequest {
  sid: string
  hash: Buffer
  exp: number
  unlock: string
  /** how many digits to type; 0 where no number is asked for */
  digits: number
  /** all that may be displayed: what is inside */
  inside: Members
}

/** What the server refused, and what stood beside the error (§13); its message: `403 factor_failed 4`. */
export class Refusal extends Error {
  readonly code: string
  readonly body: Members

  constructor(status: number, code: string, body: Members) {
    super([status, code, body.remaining ?? body.state].join(' ').trim())
    this.code = code
    this.body = body
  }
}

class SigningKey {
  readonly #privateKey: KeyObject
  readonly jwk: Members
  readonly thumbprint: string

  constructor() {
    const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
    const { crv, kty, x, y } = publicKey.export({ format: 'jwk' })
    this.#privateKey = privateKey
    this.jwk = { crv, kty, x, y }
    this.thumbprint = b64u(sha256(JSON.stringify(this.jwk))) // RFC 7638: in the order of the names
  }

  /** The compact JWS of §3. */
  jws(kid: string, payload: Members & { op: string }): string {
    const header = { alg: 'ES256', typ: `dp1-${payload.op}+jws`, kid }
    const input = `${b64u(JSON.stringify(header))}.${b64u(JSON.stringify(payload))}`
    const signature = sign('sha256', Buffer.from(input), { key: this.#privateKey, dsaEncoding: 'ieee-p1363' })
    return `${input}.${b64u(signature)}`
  }
}

/** One token of one user, from its activation to its end. */
export class SecondDevice {
  readonly #around: Surroundings
  readonly #unlock: PinStore
  /** the one to try first; two only while it is not known whether a rotation took place */
  #keys = [new SigningKey()]
  /** until when a rotation without an answer may still take place */
  #undecidedUntil = 0
  /** what is pending, as far as the device knows */
  #have: string[] = []
  #tid = ''
  #skew = 0
  #policy: Members = {}

  private constructor(around: Surroundings) {
    this.#around = around
    this.#unlock = { salt: randomBytes(16), mixKey: randomBytes(32), rounds: around.rounds }
  }

  /** Asks a server who it is, and has nothing to do with one that names another origin (§8). */
  static async at(around: Surroundings): Promise<SecondDevice> {
    const device = new SecondDevice(around)
    const server = await device.#call('GET', 'server')
    if (server.origin !== around.origin) throw new Error(`This is ${server.origin}.`)
    if (!must(server.versions, isList).includes(1)) throw new Error('This server does not speak version 1.')
    return device
  }

  /** §5: begin and finish, by a code and a name as they were typed. */
  async activate({ code, username, pin }: { code: string; username: string; pin?: string }): Promise<void> {
    const typed = JSON.stringify({ v: 1, code, username: username.trim() })
    const begun = await this.#call('POST', 'activation/begin', typed)
    this.#hear(begun)
    this.#tid = must(begun.tid, isText)
    this.#policy = must(begun.policy, isObject)
    const aid = must(begun.aid, isText)
    const device = { name: 'Second', platform: 'node', app: 'second/1.0.0', persisted: false }
    const own = { aid, nonce: begun.nonce, key: this.#keys[0]?.jwk, factor: this.#factorOf(pin), device, push: null }
    await this.#send('activate', () => own, { kid: aid, deliver: (jws) => this.#post('activation/finish', jws) })
  }

  /** §8: what is pending, as soon as that is not what the device knows, or after `wait` seconds. */
  async sync(wait = 0): Promise<SignInRequest[]> {
    const result = await this.#send('sync', () => ({}), { deliver: (jws) => this.#poll(wait, jws) })
    this.#policy = must(result.policy, isObject)
    const requests = must(result.requests, isList).map((request) => must(request, isObject))
    this.#have = requests.map(({ sid }) => must(sid, isText))
    return requests.map((request) => this.#verify(request)).filter(({ exp }) => this.#seconds < exp)
  }

  /** §8, §9: the proof of the unlock and the number that was typed, each where the challenge asks for it. */
  approve(request: SignInRequest, { pin = '', number = '' } = {}): Promise<string> {
    const proof = { op: 'answer', ref: request.sid, ans: 'approve', hash: request.hash }
    return this.#answer(request, {
      ans: 'approve',
      ...(request.digits > 0 ? { num: number.normalize('NFKC').replaceAll(/[\s-]/g, '') } : {}),
      ...(request.unlock === 'none' ? {} : { uv: this.#prove(pin, proof) }),
    })
  }

  /** §10: also of a request that was approved up to ten minutes ago, if it is `not_me`. */
  deny(request: SignInRequest, why: 'mistake' | 'not_me' | 'other'): Promise<string> {
    return this.#answer(request, { ans: 'deny', why })
  }

  /** §8: a new PIN, under a proof of the old one. */
  async changePin(old: string, pin: string): Promise<void> {
    const proof = { op: 'factor', ans: 'change', hash: Buffer.alloc(32) }
    const members = ({ jti }: Common) => ({ factor: this.#factorOf(pin), uv: this.#prove(old, { ...proof, ref: jti }) })
    await this.#send('factor', members)
  }

  /** §8: a new signing key, which signs, too. Where the answer is lost both keys are kept, and the new one is tried first. */
  async rotate(pin?: string): Promise<void> {
    const next = new SigningKey()
    const hash = sha256(next.thumbprint)
    const members = (common: Common) => ({
      key: next.jwk,
      proof: next.jws(this.#tid, { ...common, op: 'newkey' }),
      ...(pin === undefined ? {} : { uv: this.#prove(pin, { op: 'rotate', ref: common.jti, ans: 'rotate', hash }) }),
    })
    const deliver = (jws: string) => this.#call('POST', 'rotate', jws)
    const rotated = await this.#send('rotate', members, { deliver }).catch((error) => {
      if (!(error instanceof Refusal)) this.#keys.unshift(next)
      this.#undecidedUntil = this.#seconds + 300
      throw error
    })
    if (rotated.thumbprint !== next.thumbprint) throw new Error('The server took another key.')
    this.#keys = [next]
  }

  /** §8: the token ends, here and there. */
  async remove(): Promise<void> {
    await this.#send('remove', () => ({}))
    this.#keys = []
  }

  async #answer({ sid, hash }: SignInRequest, members: Members): Promise<string> {
    const answered = await this.#send('answer', () => ({ sid, ch: b64u(hash), ...members }))
    this.#have = this.#have.filter((other) => other !== sid)
    return must(answered.state, isText)
  }

  /** Signs and sends, and once more where §13 has a remedy; the `jti` stays unless it was the reason. */
  async #send(op: string, members: (common: Common) => Members, way: Way = {}): Promise<Members> {
    const { kid = this.#tid, deliver = (jws: string) => this.#post(op, jws) } = way
    const keys = [...this.#keys]
    const tried = new Set<string>()
    for (let jti = newJti(); ; ) {
      const [key] = keys
      if (!key) throw new Error('The keys of this token are gone.')
      const common: Common = { v: 1, op, aud: this.#around.origin, tid: this.#tid, iat: this.#seconds, jti }
      try {
        const answer = await deliver(key.jws(kid, { ...common, ...members(common) }))
        if (key === this.#keys[0] || this.#seconds > this.#undecidedUntil) this.#keys = [key]
        return answer
      } catch (error) {
        if (!(error instanceof Refusal)) throw error
        this.#heed(error)
        if (error.code === 'bad_signature' && keys.length > 1) keys.shift()
        else if (tried.has(error.code) || !['clock_skew', 'replayed'].includes(error.code)) throw error
        tried.add(error.code)
        if (error.code === 'replayed') jti = newJti()
      }
    }
  }

  #heed({ code, body }: Refusal): void {
    if (code === 'clock_skew') this.#hear(body)
    if (code === 'token_revoked' || (code === 'factor_failed' && body.remaining === 0)) this.#keys = []
  }

  /** A lost answer is asked for with the very same message (§3, Repeats). */
  #post(path: string, jws: string): Promise<Members> {
    const post = () => this.#call('POST', path, jws)
    return post().catch((error) => (error instanceof Refusal ? Promise.reject(error) : post()))
  }

  async #poll(wait: number, jws: string): Promise<Members> {
    const answer = await this.#call('POST', 'sync', JSON.stringify({ wait, have: this.#have, tokens: [jws] }))
    this.#hear(answer)
    const result = must(must(answer.results, isList)[0], isObject)
    if (result.kid !== this.#tid) throw new Error('No result for this token.')
    if (result.ok !== true) throw new Refusal(200, must(result.code, isText), result)
    return result
  }

  async #call(method: 'GET' | 'POST', path: string, body?: string): Promise<Members> {
    const { origin, fetch: exchange = fetch } = this.#around
    const headers = { 'content-type': `application/${body?.startsWith('{') ? 'json' : 'jose'}` }
    const response = await exchange(`${origin}/device/v1/${path}`, { method, redirect: 'error', body, headers })
    const members = must(parse(Buffer.from(await response.arrayBuffer())), isObject)
    if (response.ok) return members
    const { code } = must(must(members.errors, isList)[0], isObject)
    throw new Refusal(response.status, must(code, isText), members)
  }

  /** §8: what a device must check before it shows anything. */
  #verify(request: Members): SignInRequest {
    const ch = must(request.ch, isText)
    const bytes = Buffer.from(ch, 'base64url')
    if (b64u(bytes) !== ch || bytes.length > 32_768) throw new Error('A challenge is not as §1 has it.')
    const challenge = must(parse(bytes), isObject)
    const { v, aud, tid, sid } = challenge
    const isOurs = v === 1 && aud === this.#around.origin && tid === this.#tid && sid === request.sid
    if (!isOurs) throw new Error('A challenge is not for this token.')
    return readChallenge(challenge, sha256(bytes))
  }

  /** §5: what the policy takes. */
  #factorOf(pin: string | undefined): Members {
    const unlock = must(this.#policy.unlock, isList)
    if (pin === undefined && unlock.includes('none')) return { m: 'none' }
    if (pin === undefined || !unlock.includes('pin')) throw new Error(`This domain takes ${unlock}.`)
    const len = [...pin.normalize('NFKC')].length
    return { m: 'pin', k: b64u(derivePinKey(pin, this.#tid, this.#unlock)), kind: this.#policy.kind ?? 'pin', len }
  }

  /** §6: the binding value under the PIN's key. */
  #prove(pin: string, { op, ref, ans, hash }: { op: string; ref: string; ans: string; hash: Buffer }): Members {
    const binding = sha256(Buffer.concat([Buffer.from(`dp1/uv\n${this.#tid}\n${op}\n${ref}\n${ans}\n`), hash]))
    return { m: 'pin', p: b64u(hmac(derivePinKey(pin, this.#tid, this.#unlock), binding)) }
  }

  /** The server's time, as far as the device knows it. */
  get #seconds(): number {
    return Math.floor(this.#around.now() / 1000) + this.#skew
  }

  #hear({ time }: Members): void {
    this.#skew = must(time, isWhole) - Math.floor(this.#around.now() / 1000)
  }
}

/** §6: what a PIN becomes on the device that has `salt` and `mixKey`. */
export function derivePinKey(pin: string, tid: string, { salt, mixKey, rounds = 600_000 }: PinStore): Buffer {
  const k0 = pbkdf2Sync(pin.normalize('NFKC'), salt, rounds, 32, 'sha256')
  return hmac(mixKey, Buffer.concat([Buffer.from(`dp1/pin\n${tid}\n`), k0]))
}

function readChallenge(inside: Members, hash: Buffer): SignInRequest {
  const { type, len } = must(inside.match, isObject)
  const unlock = must(inside.unlock, isText)
  const isKnown = /^(none|pin|platform) (api|radius|panel) (none|enter)$/.test(`${unlock} ${inside.via} ${type}`)
  if (!isKnown) throw new Error('A challenge asks for what this device does not know.')
  const digits = type === 'none' ? 0 : must(len, isWhole)
  return { sid: must(inside.sid, isText), hash, exp: must(inside.exp, isWhole), unlock, digits, inside }
}

/** §1: I-JSON in UTF-8, without a byte order mark or a lone surrogate. */
function parse(bytes: Buffer): unknown {
  const json = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  return JSON.parse(json, (name, value) => {
    if (name.isWellFormed() && (typeof value !== 'string' || value.isWellFormed())) return value
    throw new Error('A lone surrogate.')
  })
}

/** A value that came from outside, if it is what the document says. */
function must<Value>(value: unknown, is: (value: unknown) => value is Value): Value {
  if (is(value)) return value
  throw new Error('This is not as the document has it.')
}

const isObject = (it: unknown): it is Members => typeof it === 'object' && it !== null && !Array.isArray(it)
const isList = (value: unknown): value is unknown[] => Array.isArray(value)
const isText = (value: unknown): value is string => typeof value === 'string'
const isWhole = (value: unknown): value is number => Number.isSafeInteger(value)
const b64u = (data: string | Buffer) => Buffer.from(data).toString('base64url')
const sha256 = (data: string | Buffer) => createHash('sha256').update(data).digest()
const hmac = (key: Buffer, data: Buffer) => createHmac('sha256', key).update(data).digest()
const newJti = () => b64u(randomBytes(16))
