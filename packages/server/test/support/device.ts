import assert from 'node:assert/strict'
import { createHash, createHmac, randomBytes } from 'node:crypto'
import { fromBase64url, toBase64url } from '@countersign/protocol/base64url.ts'
import type { Challenge } from '@countersign/protocol/challenge.ts'
import { messageType, type Operation, type SyncReply, type SyncResult } from '@countersign/protocol/device-messages.ts'
import { type PublicJwk, signMessage } from '@countersign/protocol/jws.ts'
import { sha256, type UnlockBinding, unlockBinding } from '@countersign/protocol/unlock.ts'
import type { Front, Reply } from './server.ts'
import { type Lies, SoftAuthenticator } from './webauthn.ts'

/** A request as a device got it. */
export interface Request {
  sid: string
  /** the challenge bytes, base64url */
  ch: string
  challenge: Challenge
}

type Payload = Record<string, unknown>

/** What a device is unlocked by: nothing unless told. */
export interface UnlockedBy {
  pin?: boolean
  platform?: boolean
}

/**
 * An authenticator in the hands of a test: honest by default, and every member of every message can be made a lie. Its
 * pinKey is random bytes, since how a PIN becomes one is the vectors' business.
 */
export class TestDevice {
  readonly server: Front
  readonly tid: string
  readonly username: string
  keys: CryptoKeyPair
  pinKey: Uint8Array<ArrayBuffer> | undefined
  platform: SoftAuthenticator | undefined

  constructor(server: Front, values: Pick<TestDevice, 'tid' | 'username' | 'keys' | 'pinKey' | 'platform'>) {
    this.server = server
    this.tid = values.tid
    this.username = values.username
    this.keys = values.keys
    this.pinKey = values.pinKey
    this.platform = values.platform
  }

  /** Creates a token for a member of acme and activates it. */
  static async enrol(server: Front, who: { userId: string; domainId?: string } & UnlockedBy): Promise<TestDevice> {
    const domainId = who.domainId ?? (who.pin ? server.acme.pinDomainId : server.acme.domainId)
    const issued = await server.call('PUT', `/api/domains/${domainId}/users/${who.userId}/token`)
    assert.equal(issued.status, 200, issued.text)
    const user = await server.call('GET', `/api/users/${who.userId}`)
    const { pin = false, platform = false } = who
    return TestDevice.activate(server, { code: issued.body.code, username: user.body.username, pin, platform })
  }

  static async activate(
    server: Front,
    { code, username, ...unlock }: { code: string; username: string } & UnlockedBy,
  ): Promise<TestDevice> {
    const begun = await server.device('activation/begin', { v: 1, code, username })
    assert.equal(begun.status, 200, begun.text)
    const device = await TestDevice.prepare(server, begun.body.tid, { username, ...unlock })
    const finished = await server.device('activation/finish', await device.finishMessage(begun.body))
    assert.equal(finished.status, 200, finished.text)
    return device
  }

  /** A device with keys and no activation yet. */
  static async prepare(
    server: Front,
    tid: string,
    { username, pin = false, platform = false }: { username: string } & UnlockedBy,
  ): Promise<TestDevice> {
    return new TestDevice(server, {
      tid,
      username,
      keys: await newKeys(),
      pinKey: pin ? new Uint8Array(randomBytes(32)) : undefined,
      platform: platform ? new SoftAuthenticator(server.deviceUrl) : undefined,
    })
  }

  /** The message that finishes an activation which has begun. */
  async finishMessage(begun: { aid: string; nonce: string; tid: string }, lies: Payload = {}): Promise<string> {
    const payload = {
      ...this.common('activate'),
      aid: begun.aid,
      nonce: begun.nonce,
      key: await publicJwk(this.keys),
      factor: this.factor(begun.nonce),
      device: { name: 'Test phone', platform: 'test', app: 'test/1', persisted: true },
      push: null,
      ...lies,
    }
    return signMessage(this.keys.privateKey, messageType('activate'), begun.aid, payload)
  }

  /** `nonce` is what a registration is over. */
  factor(nonce = ''): Payload {
    if (this.platform) return { m: 'webauthn', reg: this.registration(nonce) }
    if (!this.pinKey) return { m: 'none' }
    return { m: 'pin', k: toBase64url(this.pinKey), kind: 'pin', len: 6 }
  }

  /** RegistrationResponseJSON of the device's credential. */
  registration(nonce: string, lies: Lies = {}): Payload {
    assert.ok(this.platform)
    return this.platform.register(registrationChallenge(this.tid, nonce), lies)
  }

  common(op: Operation): Payload {
    const iat = Math.floor(this.server.clock.now() / 1000)
    return { v: 1, op, aud: this.server.deviceUrl, tid: this.tid, iat, jti: newJti() }
  }

  sign(op: Operation, payload: Payload, key = this.keys.privateKey): Promise<string> {
    return signMessage(key, messageType(op), this.tid, payload)
  }

  /** One poll of this token alone. */
  async poll(options: { wait?: number; have?: string[]; lies?: Payload } = {}): Promise<SyncResult> {
    const message = await this.sign('sync', { ...this.common('sync'), ...options.lies })
    const reply = await this.server.device('sync', {
      wait: options.wait ?? 0,
      ...(options.have ? { have: options.have } : {}),
      tokens: [message],
    })
    assert.equal(reply.status, 200, reply.text)
    const [result] = (reply.body as SyncReply).results
    assert.ok(result)
    return result
  }

  /** The requests that wait, oldest first. */
  async requests(): Promise<Request[]> {
    const result = await this.poll()
    assert.ok(result.ok, JSON.stringify(result))
    return result.requests.map(({ sid, ch }) => ({ sid, ch, challenge: JSON.parse(atobUtf8(ch)) }))
  }

  /** The one request that waits. */
  async request(): Promise<Request> {
    const [request, ...more] = await this.requests()
    assert.ok(request, 'no request waits')
    assert.equal(more.length, 0)
    return request
  }

  async approvalPayload(request: Pick<Request, 'sid' | 'ch'>, lies: Payload = {}): Promise<Payload> {
    const hash = await challengeHash(request.ch)
    const uv = await this.uv({ op: 'answer', ref: request.sid, ans: 'approve', hash })
    const payload = {
      ...this.common('answer'),
      sid: request.sid,
      ch: toBase64url(hash),
      ans: 'approve',
      uv,
      ...lies,
    }
    return Object.fromEntries(Object.entries(payload).filter(([, value]) => value !== undefined))
  }

  /** Approves; a member set to undefined is left out of the message. */
  async approve(request: Pick<Request, 'sid' | 'ch'>, lies: Payload = {}): Promise<Reply> {
    return this.server.device('answer', await this.sign('answer', await this.approvalPayload(request, lies)))
  }

  async deny(request: Pick<Request, 'sid' | 'ch'>, why = 'mistake', lies: Payload = {}): Promise<Reply> {
    const ch = toBase64url(await challengeHash(request.ch))
    const payload = { ...this.common('answer'), sid: request.sid, ch, ans: 'deny', why, ...lies }
    return this.server.device('answer', await this.sign('answer', payload))
  }

  /** An approval with a PIN that is not the token's. */
  async approveWithWrongPin(request: Pick<Request, 'sid' | 'ch'>): Promise<Reply> {
    return this.approve(request, { uv: { m: 'pin', p: toBase64url(new Uint8Array(randomBytes(32))) } })
  }

  /** The proof of what the device is unlocked by; each assertion counts one further. */
  async uv(binding: Omit<UnlockBinding, 'tid'>): Promise<Payload | undefined> {
    if (this.pinKey) return { m: 'pin', p: await this.proof(binding) }
    if (!this.platform) return undefined
    this.platform.signCount++
    return { m: 'webauthn', resp: await this.assertion(binding) }
  }

  /** AuthenticationResponseJSON of the device's credential. */
  async assertion(binding: Omit<UnlockBinding, 'tid'>, lies: Lies = {}): Promise<Payload> {
    assert.ok(this.platform)
    return this.platform.assert(await unlockBinding({ tid: this.tid, ...binding }), lies)
  }

  async proof(binding: Omit<UnlockBinding, 'tid'>): Promise<string> {
    const uvb = await unlockBinding({ tid: this.tid, ...binding })
    return createHmac('sha256', this.pinKey ?? new Uint8Array(32))
      .update(uvb)
      .digest('base64url')
  }
}

/** Written a second time, so that the server's own is judged by another. */
export function registrationChallenge(tid: string, nonce: string): Uint8Array {
  return createHash('sha256').update(`dp1/reg\n${tid}\n${nonce}\n`).digest()
}

export function newKeys(): Promise<CryptoKeyPair> {
  return crypto.subtle.generateKey({ name: 'ECDSA', namedCurve: 'P-256' }, true, [
    'sign',
    'verify',
  ]) as Promise<CryptoKeyPair>
}

export async function publicJwk(keys: CryptoKeyPair): Promise<PublicJwk> {
  const { x = '', y = '' } = await crypto.subtle.exportKey('jwk', keys.publicKey)
  return { kty: 'EC', crv: 'P-256', x, y }
}

export function newJti(): string {
  return toBase64url(new Uint8Array(randomBytes(16)))
}

export function challengeHash(ch: string): Promise<Uint8Array<ArrayBuffer>> {
  return sha256(fromBase64url(ch) ?? new Uint8Array())
}

function atobUtf8(text: string): string {
  return Buffer.from(text, 'base64url').toString('utf8')
}
