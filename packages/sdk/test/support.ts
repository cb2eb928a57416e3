import { readFileSync } from 'node:fs'
import type { Policy, SyncResult } from '@countersign/protocol/device-messages.ts'
import type { PublicJwk } from '@countersign/protocol/jws.ts'
import { Authenticator, type DeviceStore, type StoredToken } from '@countersign/sdk/device.ts'
import { CountersignClient } from '@countersign/sdk/rest.ts'

/** A file of docs/specs/vectors. */
export function readVectors<Content>(name: string): Content {
  return JSON.parse(readFileSync(new URL(`../../../docs/specs/vectors/${name}.json`, import.meta.url), 'utf8'))
}

export interface World {
  now: number
  aud: string
  keys: Record<'device' | 'other' | 'fresh' | 'next', { d: string; jwk: PublicJwk }>
  activation: { aid: string; nonce: string; tid: string; expires: number }
  sessions: { sid: string; tid: string; challenge: string }[]
}

export interface MessageVector {
  name: string
  key: keyof World['keys']
  kid: string
  payload: Record<string, unknown>
  jws: string
}

export const world: World = readVectors('world')
export const tid = '1'.repeat(40)
export const otherTid = 'ab'.repeat(20)
export const policy: Policy = { unlock: ['pin'], minLength: 4, maxAllowedRetries: 5, poll: true, rev: 7 }

/** The messages of one file of vectors. */
export function messages(file: string): MessageVector[] {
  return readVectors<{ cases: MessageVector[] }>(file).cases
}

/** `count` bytes that count up from `start`, as the vectors' jtis do. */
export function run(start: number, count: number): Uint8Array<ArrayBuffer> {
  return Uint8Array.from({ length: count }, (_, index) => start + index)
}

/** What a request carried and where to. */
export interface Received {
  url: URL
  method: string
  headers: Headers
  body: string
  signal: AbortSignal | null | undefined
}

export type Answer = { status?: number; body?: unknown; headers?: Record<string, string> } | Error

/** A network that gives these answers one after another (an Error is a lost connection), and remembers the requests. */
export function scriptedFetch(answers: (Answer | ((request: Received) => Answer))[]) {
  const received: Received[] = []
  const scripted: typeof fetch = async (input, init) => {
    init?.signal?.throwIfAborted()
    const request: Received = {
      url: new URL(String(input)),
      method: init?.method ?? 'GET',
      headers: new Headers(init?.headers),
      body: String(init?.body ?? ''),
      signal: init?.signal,
    }
    received.push(request)
    const next = answers[received.length - 1]
    if (!next) throw new Error(`request number ${received.length} was not expected: ${request.url}`)
    const answer = typeof next === 'function' ? next(request) : next
    if (answer instanceof Error) throw answer
    const { status = 200, body = {}, headers = {} } = answer
    const raw = typeof body === 'string' || body instanceof Uint8Array
    return new Response(raw ? body : JSON.stringify(body), { status, headers })
  }
  return { fetch: scripted, received }
}

export const apiUrl = 'https://api.example.org'
export const apiKey = 'k'.repeat(64)
export const [domainId, userId, sid] = ['d', 'a', '5'].map((digit) => digit.repeat(40)) as [string, string, string]

/** A client of the REST API on a network that is scripted. */
export function clientOf(answers: Parameters<typeof scriptedFetch>[0]) {
  const { fetch, received } = scriptedFetch(answers)
  return { client: new CountersignClient({ url: apiUrl, apiKey, fetch, retryDelaysMs: [0, 0, 0] }), received }
}

/** A refusal of either API. */
export function refusal(status: number, code: string, extra: object = {}): Answer {
  return { status, body: { errors: [{ code, message: code }], ...extra } }
}

/** A store whose content a test can see. */
export function openStore(
  tokens: StoredToken[],
  exportable = true,
): DeviceStore & { tokens: Map<string, StoredToken> } {
  const map = new Map(tokens.map((token) => [token.tid, token]))
  return {
    exportable,
    tokens: map,
    load: async () => [...map.values()],
    update: async (id, change) => {
      const token = change(map.get(id))
      if (token) map.set(id, token)
      else map.delete(id)
    },
  }
}

/** The active token of world.json as its device would have stored it. */
export function storedToken(changes: Partial<StoredToken> = {}): StoredToken {
  const { salt_hex, mix_hex } = readVectors<{ salt_hex: string; mix_hex: string }>('pin-key')
  const base64url = (hex: string) => Buffer.from(hex, 'hex').toString('base64url')
  return {
    tid,
    aud: world.aud,
    server: { name: 'Example MFA' },
    domain: { id: '4'.repeat(40), name: 'Office VPN' },
    user: 'jane.doe',
    key: { form: 'json', ...world.keys.device },
    pin: { kind: 'pin', len: 6, salt: base64url(salt_hex), mixKey: { form: 'json', raw: base64url(mix_hex) } },
    policy,
    clockOffsetSeconds: 0,
    state: 'active',
    ...changes,
  } as StoredToken
}

/** An authenticator of world.json: its token, its clock, jtis that count up, and a network that is scripted. */
export function deviceOf(answers: Parameters<typeof scriptedFetch>[0], options: DeviceOptions = {}) {
  const network = scriptedFetch(answers)
  const store = openStore(options.tokens ?? [storedToken()])
  const now = { seconds: world.now }
  let jti = options.jti ?? 0
  const authenticator = new Authenticator({
    server: world.aud,
    store,
    fetch: network.fetch,
    now: () => now.seconds * 1000,
    random: (bytes) => run(jti++, bytes),
    retryDelaysMs: [0, 0],
  })
  return { authenticator, store, now, received: network.received }
}

interface DeviceOptions {
  tokens?: StoredToken[]
  /** first byte of the first jti */
  jti?: number
}

/** What sync says of a token. */
export function synced(
  requests: { sid: string; challenge: string }[] = [],
  more: Partial<SyncResult & { ok: true }> = {},
) {
  const result: SyncResult = {
    kid: tid,
    ok: true,
    policy,
    factor: 'ok',
    push: 'none',
    requests: requests.map(({ sid, challenge }) => ({ sid, ch: challenge })),
    closed: [],
    ...more,
  }
  return { body: { time: world.now, results: [result] } }
}

/** The payload of a message that was sent. */
export function payloadOf(jws: string): Record<string, unknown> {
  return JSON.parse(Buffer.from(jws.split('.')[1] ?? '', 'base64url').toString())
}
