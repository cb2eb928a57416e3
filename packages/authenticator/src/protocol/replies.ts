import type {
  BeginReply,
  ClosedState,
  Policy,
  ServerReply,
  SyncReply,
  SyncResult,
} from '@countersign/protocol/device-messages.ts'
import { isObject, type Json, read } from './json.ts'

export const closedStates = ['approved', 'denied', 'cancelled', 'expired'] as const satisfies ClosedState[]

/** The answer to GET /server. */
export function readServer(body: Json): ServerReply {
  return {
    name: read.text(body, 'name'),
    versions: read.list(body, 'versions').filter((version) => typeof version === 'number'),
    origin: read.text(body, 'origin'),
    time: read.integer(body, 'time'),
    ...vapidOf(body),
  }
}

/** The answer to POST /activation/begin. */
export function readBegin(body: Json): BeginReply {
  return {
    aid: read.bytes(body, 'aid', 16),
    nonce: read.bytes(body, 'nonce', 32),
    expires: read.integer(body, 'expires'),
    tid: read.id(body, 'tid'),
    time: read.integer(body, 'time'),
    server: { name: read.text(read.object(body, 'server'), 'name') },
    domain: readDomain(read.object(body, 'domain')),
    user: read.text(body, 'user'),
    policy: readPolicy(read.object(body, 'policy')),
    ...vapidOf(body),
  }
}

/** The answer to POST /sync. */
export function readSync(body: Json): SyncReply {
  return { time: read.integer(body, 'time'), results: read.objects(body, 'results').map(readResult) }
}

function readResult(result: Json): SyncResult {
  const kid = read.text(result, 'kid')
  const { time } = result
  if (result.ok !== true) {
    return { kid, ok: false, code: read.text(result, 'code'), ...(typeof time === 'number' && { time }) }
  }
  return {
    kid,
    ok: true,
    policy: readPolicy(read.object(result, 'policy')),
    factor: read.word(result, 'factor', ['ok', 'required']),
    push: read.word(result, 'push', ['ok', 'none', 'stale']),
    requests: read
      .objects(result, 'requests')
      .map((entry) => ({ sid: read.id(entry, 'sid'), ch: read.text(entry, 'ch') })),
    closed: read.objects(result, 'closed').map((entry) => ({
      sid: read.id(entry, 'sid'),
      state: read.word(entry, 'state', closedStates),
    })),
  }
}

function readPolicy(policy: Json): Policy {
  return {
    // A method of a later version is one that this app cannot offer.
    unlock: read.list(policy, 'unlock').filter((word) => word === 'none' || word === 'pin' || word === 'platform'),
    ...(policy.kind === 'passcode' && { kind: policy.kind }),
    minLength: read.integer(policy, 'minLength'),
    maxAllowedRetries: read.integer(policy, 'maxAllowedRetries'),
    poll: policy.poll === true,
    rev: read.integer(policy, 'rev'),
  }
}

function readDomain(domain: Json): { id: string; name: string } {
  return { id: read.id(domain, 'id'), name: read.text(domain, 'name') }
}

function vapidOf(body: Json): { vapid?: string } {
  return isObject(body) && typeof body.vapid === 'string' ? { vapid: body.vapid } : {}
}
