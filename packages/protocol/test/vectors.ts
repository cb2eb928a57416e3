import { readFileSync } from 'node:fs'
import { fromBase64url } from '@countersign/protocol/base64url.ts'
import type { Factor } from '@countersign/protocol/device-messages.ts'
import type { PublicJwk } from '@countersign/protocol/jws.ts'

/** A file of docs/specs/vectors. */
export function readVectors<Content>(name: string): Content {
  return JSON.parse(readFileSync(new URL(`../../../docs/specs/vectors/${name}.json`, import.meta.url), 'utf8'))
}

export interface World {
  now: number
  aud: string
  keys: Record<string, { d: string; jwk: PublicJwk }>
  tokens: {
    tid: string
    state: 'active' | 'pending' | 'revoked'
    key?: string
    factor?: Factor['m']
    pinKey?: string
  }[]
  activation: { aid: string; nonce: string; tid: string; expires: number; minLength: number }
  sessions: { sid: string; tid: string; state: string; number?: string; challenge: string }[]
}

export interface MessageVector {
  name: string
  key: string
  kid: string
  payload: Record<string, unknown>
  jws: string
}

export interface HostileVector {
  attack: string
  name: string
  op: 'answer' | 'sync' | 'activate'
  jws: string
  expect: string
}

export const messageFiles = ['activate', 'sync', 'answer', 'push', 'factor', 'rotate', 'remove'] as const
export const world: World = readVectors('world')

/** Bytes of base64url that a test knows to be right. */
export function bytesOf(text: string): Uint8Array<ArrayBuffer> {
  const bytes = fromBase64url(text)
  if (!bytes) throw new Error(`not base64url: ${text}`)
  return bytes
}

/** Bytes of hexadecimal digits. */
export function fromHex(text: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(text.match(/../g) ?? [], (byte) => Number.parseInt(byte, 16))
}
