// The verification of device-protocol.md §3, step by step, against the world of the vectors. It stands for any
// server: what it says to a vector is what a server set up like world.json must say.
import { fromBase64url } from '@countersign/protocol/base64url.ts'
import { messageType, type Operation } from '@countersign/protocol/device-messages.ts'
import {
  importPublicKey,
  messageLengthMax,
  parseMessage,
  readPayload,
  type SignedMessage,
  verifySignature,
} from '@countersign/protocol/jws.ts'
import { world } from './vectors.ts'

const skewMaxSeconds = 300
const common = ['v', 'op', 'aud', 'tid', 'iat', 'jti']
const members: Record<Operation, string[]> = {
  activate: [...common, 'aid', 'nonce', 'key', 'factor', 'device', 'push'],
  sync: common,
  answer: [...common, 'sid', 'ch', 'ans'],
  push: [...common, 'push'],
  factor: [...common, 'factor'],
  rotate: [...common, 'key', 'proof'],
  newkey: common,
  remove: common,
}
const optional: Partial<Record<Operation, string[]>> = { answer: ['num', 'uv', 'why'], factor: ['uv'], rotate: ['uv'] }

/** 'accepted', or the code of the refusal: the first of the seven steps that fails. */
export async function judge(op: Operation, jws: string): Promise<string> {
  if (jws.length > messageLengthMax) return 'too_large'
  const message = parseMessage(jws, messageType(op))
  if (!message || !isKid(op, message.kid)) return 'malformed'
  const key = op === 'activate' ? await keyInside(message) : await keyOfToken(message.kid)
  if (typeof key === 'string') return key
  if (!(await verifySignature(message, key))) return 'bad_signature'
  const payload = readPayload(message)
  return payload ? judgePayload(op, message.kid, payload) : 'malformed'
}

function isKid(op: Operation, kid: string): boolean {
  return op === 'activate' ? fromBase64url(kid)?.length === 16 : /^[0-9a-f]{40}$/.test(kid)
}

async function keyInside(message: SignedMessage): Promise<CryptoKey | string> {
  if (message.kid !== world.activation.aid) return 'activation_failed'
  return (await importPublicKey(readPayload(message)?.key)) ?? 'malformed'
}

async function keyOfToken(kid: string): Promise<CryptoKey | string> {
  const token = world.tokens.find(({ tid }) => tid === kid)
  if (token?.state === 'revoked') return 'token_revoked'
  if (token?.state !== 'active' || !token.key) return 'bad_signature'
  return (await importPublicKey(world.keys[token.key]?.jwk)) ?? 'bad_signature'
}

function judgePayload(op: Operation, kid: string, payload: Record<string, unknown>): string {
  const { v, aud, tid, iat, jti } = payload
  if (Number.isInteger(v) && v !== 1) return 'unsupported_version'
  if (v !== 1 || payload.op !== op || aud !== world.aud) return 'malformed'
  if (tid !== (op === 'activate' ? world.activation.tid : kid)) return 'malformed'
  if (typeof iat !== 'number' || !Number.isInteger(iat)) return 'malformed'
  if (typeof jti !== 'string' || fromBase64url(jti)?.length !== 16) return 'malformed'
  if (!hasMembers(op, payload) || (op === 'answer' && !isAnswer(payload))) return 'malformed'
  if (op !== 'answer' && Math.abs(iat - world.now) > skewMaxSeconds) return 'clock_skew'
  return 'accepted'
}

function hasMembers(op: Operation, payload: object): boolean {
  const known = [...members[op], ...(optional[op] ?? [])]
  return (
    members[op].every((name) => Object.hasOwn(payload, name)) &&
    Object.keys(payload).every((name) => known.includes(name))
  )
}

function isAnswer({ ans, why, num, uv }: Record<string, unknown>): boolean {
  if (ans === 'approve') return why === undefined
  const reasons: unknown[] = ['mistake', 'not_me', 'other']
  return ans === 'deny' && reasons.includes(why) && num === undefined && uv === undefined
}
