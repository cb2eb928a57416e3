// What the server answers, checked member by member: a device acts on nothing that it did not understand.
import { fromBase64url } from '@countersign/protocol/base64url.ts'
import type {
  BeginReply,
  ClosedState,
  Policy,
  ServerReply,
  SyncReply,
  SyncResult,
} from '@countersign/protocol/device-messages.ts'
import { invalidReply } from './device-transport.ts'
import { isObject } from './retry.ts'

type Json = Record<string, unknown>

/** Reads the answer to GET /server. */
export function readServer(body: Json): ServerReply {
  return {
    name: text(body, 'name'),
    versions: list(body, 'versions').filter((version) => typeof version === 'number'),
    origin: text(body, 'origin'),
    time: integer(body, 'time'),
    ...vapidOf(body),
  }
}

/** Reads the answer to POST /activation/begin. */
export function readBegin(body: Json): BeginReply {
  const domain = object(body, 'domain')
  return {
    aid: binary(body, 'aid', 16),
    nonce: binary(body, 'nonce', 32),
    expires: integer(body, 'expires'),
    tid: id(body, 'tid'),
    time: integer(body, 'time'),
    server: { name: text(object(body, 'server'), 'name') },
    domain: { id: text(domain, 'id'), name: text(domain, 'name') },
    user: text(body, 'user'),
    policy: readPolicy(object(body, 'policy')),
    ...vapidOf(body),
  }
}

/** Reads the answer to POST /sync. */
export function readSync(body: Json): SyncReply {
  return { time: integer(body, 'time'), results: list(body, 'results').map(readResult) }
}

function readResult(result: unknown): SyncResult {
  if (!isObject(result)) throw invalidReply('a result is not an object')
  const kid = text(result, 'kid')
  if (result.ok !== true) {
    return { kid, ok: false, code: text(result, 'code'), ...(typeof result.time === 'number' && { time: result.time }) }
  }
  return {
    kid,
    ok: true,
    policy: readPolicy(object(result, 'policy')),
    factor: word(result, 'factor', ['ok', 'required']),
    push: word(result, 'push', ['ok', 'none', 'stale']),
    requests: objects(result, 'requests').map((entry) => ({ sid: id(entry, 'sid'), ch: text(entry, 'ch') })),
    closed: objects(result, 'closed').map((entry) => ({
      sid: id(entry, 'sid'),
      state: word(entry, 'state', closedStates),
    })),
  }
}

const closedStates: ClosedState[] = ['approved', 'denied', 'cancelled', 'expired']

function readPolicy(policy: Json): Policy {
  return {
    // A method of a later version is one that this device cannot choose.
    unlock: list(policy, 'unlock').filter((method) => method === 'none' || method === 'pin' || method === 'platform'),
    minLength: integer(policy, 'minLength'),
    maxAllowedRetries: integer(policy, 'maxAllowedRetries'),
    poll: policy.poll === true,
    rev: integer(policy, 'rev'),
  }
}

function vapidOf(body: Json): { vapid?: string } {
  return typeof body.vapid === 'string' ? { vapid: body.vapid } : {}
}

function text(body: Json, name: string): string {
  const value = body[name]
  if (typeof value !== 'string') throw invalidReply(`"${name}" is not a text`)
  return value
}

function integer(body: Json, name: string): number {
  const value = body[name]
  if (typeof value !== 'number' || !Number.isSafeInteger(value)) throw invalidReply(`"${name}" is not an integer`)
  return value
}

function id(body: Json, name: string): string {
  const value = text(body, name)
  if (!/^[0-9a-f]{40}$/.test(value)) throw invalidReply(`"${name}" is not an id`)
  return value
}

function binary(body: Json, name: string, length: number): string {
  const value = text(body, name)
  if (fromBase64url(value)?.length !== length) throw invalidReply(`"${name}" is not ${length} bytes`)
  return value
}

function word<Word extends string>(body: Json, name: string, words: Word[]): Word {
  const found = words.find((candidate) => candidate === body[name])
  if (!found) throw invalidReply(`"${name}" is none of ${words.join(', ')}`)
  return found
}

function object(body: Json, name: string): Json {
  const value = body[name]
  if (!isObject(value)) throw invalidReply(`"${name}" is not an object`)
  return value
}

function list(body: Json, name: string): unknown[] {
  const value = body[name]
  if (!Array.isArray(value)) throw invalidReply(`"${name}" is not a list`)
  return value
}

function objects(body: Json, name: string): Json[] {
  return list(body, name).map((entry) => {
    if (!isObject(entry)) throw invalidReply(`an entry of "${name}" is not an object`)
    return entry
  })
}
