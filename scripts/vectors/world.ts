// The small world that every vector lives in: one server, one clock, four keys, four tokens, two sessions.
import { readFileSync } from 'node:fs'
import { toBase64url } from '@countersign/protocol/base64url.ts'
import type { Challenge } from '@countersign/protocol/challenge.ts'
import { messageType, type Operation } from '@countersign/protocol/device-messages.ts'
import type { PublicJwk } from '@countersign/protocol/jws.ts'
import { derivePinKey, importHmacKey } from '@countersign/protocol/unlock.ts'

export const utf8 = new TextEncoder()
export const aud = 'https://mfa.example.org'
/** Unix seconds */
export const now = 1767225610
export const salt = run(0x01, 16)
export const mix = run(0x80, 32)
export const pin = '482913'

export const tids = {
  active: '1'.repeat(40),
  other: 'ab'.repeat(20),
  revoked: '5'.repeat(40),
  pending: '6'.repeat(40),
}
export const sids = { pin: '2'.repeat(40), plain: '7'.repeat(40) }
export const activation = { aid: toBase64url(run(0x60, 16)), nonce: toBase64url(run(0xa0, 32)) }

export interface KeyPair {
  d: string
  jwk: PublicJwk
}
export type KeyName = 'device' | 'other' | 'fresh' | 'next'

/** The key of the first vectors, and three more that were made once; they are read back from world.json. */
export const keys: Record<KeyName, KeyPair> = readKeys() ?? {
  device: {
    d: 'ihQj0cFxnQl6qW0JLTgB9Wzo6DgINFeg4xeAEliatqs',
    jwk: {
      kty: 'EC',
      crv: 'P-256',
      x: 'Y-4EF6IjqYGo4LUKhPJIrwrVXUuw0jGOXuN1KcxBOJc',
      y: 'tmrCdrZi643c48wrcvuP0JerNtqNNlDNqoYie3n_0jI',
    },
  },
  other: await generate(),
  fresh: await generate(),
  next: await generate(),
}

const firstChallenge: Challenge = {
  v: 1,
  aud,
  tid: tids.active,
  sid: sids.pin,
  nonce: toBase64url(run(0x07, 32)),
  iat: 1767225600,
  exp: 1767225690,
  domain: { id: '4'.repeat(40), name: 'Office VPN' },
  user: 'jane.doe',
  ip: '203.0.113.7',
  attrs: [{ k: 'Application', v: 'Zo\u00eb\u2019s desk' }],
  via: 'api',
  unlock: 'pin',
  match: { type: 'enter', len: 6 },
}
const { ip: _, ...withoutIp } = firstChallenge

export const challenges = {
  pin: utf8.encode(JSON.stringify(firstChallenge)),
  plain: utf8.encode(
    JSON.stringify({
      ...withoutIp,
      tid: tids.other,
      sid: sids.plain,
      nonce: toBase64url(run(0x30, 32)),
      user: 'john.roe',
      attrs: [],
      via: 'radius',
      unlock: 'none',
      match: { type: 'none' },
    }),
  ),
}

/** The pinKey that a PIN stands for on a token of this world. */
export async function pinKeyOf(tid: string, secret = pin): Promise<Uint8Array<ArrayBuffer>> {
  return derivePinKey(secret, { salt, mixKey: await importHmacKey(mix), tid })
}

/** world.json: what a verifier of these vectors must be set up with. */
export async function world(): Promise<object> {
  return {
    description:
      'What the message vectors assume: the clock of the server (Unix seconds), its device origin, and its tokens, open activation and pending sessions. Private keys are here so that others can make more vectors.',
    now,
    aud,
    keys,
    tokens: [
      {
        tid: tids.active,
        state: 'active',
        key: 'device',
        factor: 'pin',
        pinKey: toBase64url(await pinKeyOf(tids.active)),
      },
      { tid: tids.other, state: 'active', key: 'other', factor: 'none' },
      { tid: tids.revoked, state: 'revoked' },
      { tid: tids.pending, state: 'pending' },
    ],
    activation: { ...activation, tid: tids.pending, expires: 1767226200, minLength: 4 },
    sessions: [
      { sid: sids.pin, tid: tids.active, state: 'pending', number: '071342', challenge: toBase64url(challenges.pin) },
      { sid: sids.plain, tid: tids.other, state: 'pending', challenge: toBase64url(challenges.plain) },
    ],
  }
}

/** The members that every payload has. */
export function common<Op extends Operation>(op: Op, tid: string, jtiStart: number) {
  return { v: 1 as const, op, aud, tid, iat: now, jti: toBase64url(run(jtiStart, 16)) }
}

/** Signs header and payload exactly as these bytes or this JSON. */
export async function sign(key: KeyName, header: object | Uint8Array, payload: unknown): Promise<string> {
  const input = `${toBase64url(bytesOf(header))}.${toBase64url(bytesOf(payload))}`
  const jwk = { ...keys[key].jwk, d: keys[key].d }
  const signer = await crypto.subtle.importKey('jwk', jwk, { name: 'ECDSA', namedCurve: 'P-256' }, false, ['sign'])
  const signature = await crypto.subtle.sign({ name: 'ECDSA', hash: 'SHA-256' }, signer, utf8.encode(input))
  return `${input}.${toBase64url(new Uint8Array(signature))}`
}

/** The only header that an operation's message may have. */
export function header(op: Operation, kid: string) {
  return { alg: 'ES256', typ: messageType(op), kid }
}

/** Bytes, or a value as JSON. */
export function bytesOf(value: unknown): Uint8Array {
  return value instanceof Uint8Array ? value : utf8.encode(JSON.stringify(value))
}

/** `count` bytes that count up from `start`. */
export function run(start: number, count: number): Uint8Array<ArrayBuffer> {
  return Uint8Array.from({ length: count }, (_, index) => start + index)
}

function readKeys(): Record<KeyName, KeyPair> | undefined {
  try {
    return JSON.parse(readFileSync(new URL('../../docs/specs/vectors/world.json', import.meta.url), 'utf8')).keys
  } catch {
    return undefined // the first run
  }
}

async function generate(): Promise<KeyPair> {
  const pair = await crypto.subtle.generateKey({ name: 'ECDSA', namedCurve: 'P-256' }, true, ['sign', 'verify'])
  const { d = '', x = '', y = '' } = await crypto.subtle.exportKey('jwk', pair.privateKey)
  return { d, jwk: { kty: 'EC', crv: 'P-256', x, y } }
}
