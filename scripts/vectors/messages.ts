// Vectors of the signed messages, each as a device sends it.
import { toBase64url } from '@countersign/protocol/base64url.ts'
import type { Operation } from '@countersign/protocol/device-messages.ts'
import { thumbprint } from '@countersign/protocol/jws.ts'
import { pinProof, sha256, type UnlockBinding, unlockBinding } from '@countersign/protocol/unlock.ts'
import {
  activation,
  aud,
  challenges,
  common,
  header,
  type KeyName,
  keys,
  now,
  pinKeyOf,
  run,
  sids,
  sign,
  tids,
  utf8,
} from './world.ts'

type Payload = { op: Operation; tid: string; [member: string]: unknown }

interface MessageVector {
  name: string
  /** the key of world.json that signed */
  key: KeyName
  kid: string
  payload: object
  jws: string
}

/** With the keys of RFC 8291, appendix A, and of the example in RFC 8292, 2.4: servers refuse points that are off the curve. */
const push = {
  endpoint: 'https://updates.push.services.mozilla.com/wpush/v2/abc',
  p256dh: 'BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4',
  auth: 'BTBZMqHH6r4Tts7J_aSIgg',
  vapid: 'BA1Hxzyi1RUM1b5wjxsn7nGxAszw2u61m164i3MrAIxHF6YK5h4SDYic-dRuU_RCPCfA5aq9ojSwk5Y2EmClBPs',
}

/** The answer of the first published vectors; its signature is kept for good. */
export const firstAnswer = {
  v: 1 as const,
  op: 'answer' as const,
  aud,
  tid: tids.active,
  sid: sids.pin,
  ch: 'R5Vcs14XO9r89uGPS0nU3_8tXXAzT0TlULLqehnOP9U',
  ans: 'approve',
  num: '071342',
  uv: { m: 'pin', p: 'xryAXpGYXHcBM9GwTHGHtHMgF_qpxebfJWwiRF2r_Sk' },
  iat: now,
  jti: 'VVZXWFlaW1xdXl9gYWJjZA',
}
const firstSignature = 'HhCu602Mms1Rp1Ws6FAYgqfDIxl9Rkn4U8lxyaaPbeYjr4X25I27tbzUlIXGaVOZVgYa2A7aT5P2XTXoL0DUFA'

export async function messageVectors(): Promise<Record<string, object>> {
  return {
    activate: file('Activation: signed by the new key, kid is the aid.', await activations()),
    sync: file('Polling.', [await vector('sync', 'device', common('sync', tids.active, 0x10))]),
    answer: file('Answers to the sessions of world.json.', await answers()),
    push: file('Push subscription stored and erased.', [
      await vector('subscribe', 'device', { ...common('push', tids.active, 0x30), push }),
      await vector('unsubscribe', 'device', { ...common('push', tids.active, 0x31), push: null }),
    ]),
    factor: file('A change of the PIN to 739104, proven under the old one.', [await factorChange()]),
    rotate: file('A new signing key, proven by itself (dp1-newkey) and under the PIN.', [await rotation()]),
    remove: file('The device gives its token up.', [
      await vector('remove', 'device', common('remove', tids.active, 0x60)),
    ]),
  }
}

function file(description: string, cases: MessageVector[]): object {
  return { description: `${description} Assumes world.json.`, cases }
}

async function activations(): Promise<MessageVector[]> {
  const k = toBase64url(await pinKeyOf(tids.pending))
  const device = { name: 'Jane\u2019s phone', platform: 'ios', app: 'pwa/1.0.0', persisted: true }
  const finish = (jti: number, factor: object, subscription: object | null) => ({
    ...common('activate', tids.pending, jti),
    ...activation,
    key: keys.fresh.jwk,
    factor,
    device,
    push: subscription,
  })
  return [
    await vector('with a PIN', 'fresh', finish(0x01, { m: 'pin', k, kind: 'pin', len: 6 }, null), activation.aid),
    await vector(
      'with a passcode and push',
      'fresh',
      finish(0x02, { m: 'pin', k, kind: 'passcode', len: 12 }, push),
      activation.aid,
    ),
    await vector('without unlock', 'fresh', finish(0x03, { m: 'none' }, null), activation.aid),
  ]
}

async function answers(): Promise<MessageVector[]> {
  const unsigned = (await vector('', 'device', firstAnswer)).jws.split('.').slice(0, 2)
  const { uv: _uv, num: _num, ans: _ans, iat, jti: _jti, ...rest } = firstAnswer
  const deny = (jti: number, why: string) => ({ ...rest, ans: 'deny', why, iat, jti: toBase64url(run(jti, 16)) })
  const ch = toBase64url(await sha256(challenges.plain))
  const plain = { ...common('answer', tids.other, 0x24), sid: sids.plain, ch, ans: 'approve' }
  return [
    {
      name: 'approve',
      key: 'device',
      kid: tids.active,
      payload: firstAnswer,
      jws: [...unsigned, firstSignature].join('.'),
    },
    await vector('approve without unlock and number', 'other', plain),
    await vector('deny: by mistake', 'device', deny(0x21, 'mistake')),
    await vector('deny: not me', 'device', deny(0x22, 'not_me')),
    await vector('deny: other', 'device', deny(0x23, 'other')),
  ]
}

async function factorChange(): Promise<MessageVector> {
  const members = common('factor', tids.active, 0x40)
  const uv = await proof({ tid: tids.active, op: 'factor', ref: members.jti, ans: 'change', hash: new Uint8Array(32) })
  const k = toBase64url(await pinKeyOf(tids.active, '739104'))
  return vector('change', 'device', { ...members, factor: { m: 'pin', k, kind: 'pin', len: 6 }, uv })
}

async function rotation(): Promise<MessageVector> {
  const members = common('rotate', tids.active, 0x50)
  const newKey = await sign('next', header('newkey', tids.active), { ...members, op: 'newkey' })
  const hash = await sha256(utf8.encode(await thumbprint(keys.next.jwk)))
  const uv = await proof({ tid: tids.active, op: 'rotate', ref: members.jti, ans: 'rotate', hash })
  return vector('rotate', 'device', { ...members, key: keys.next.jwk, proof: newKey, uv })
}

async function proof(binding: UnlockBinding): Promise<object> {
  return { m: 'pin', p: await pinProof(await pinKeyOf(binding.tid), await unlockBinding(binding)) }
}

async function vector(name: string, key: KeyName, payload: Payload, kid = payload.tid): Promise<MessageVector> {
  const jws = await sign(key, header(payload.op, kid), payload)
  return { name, key, kid, payload, jws }
}
