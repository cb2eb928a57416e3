import { fromBase64url } from '@countersign/protocol/base64url.ts'
import type {
  ActivatePayload,
  AnswerPayload,
  CommonPayload,
  FactorPayload,
  Operation,
  PushPayload,
  RemovePayload,
  RotatePayload,
  SyncPayload,
} from '@countersign/protocol/device-messages.ts'
import Type from 'typebox'
import { Compile } from 'typebox/compile'

/** The payload of each signed operation. */
export interface Payloads {
  activate: ActivatePayload
  sync: SyncPayload
  answer: AnswerPayload
  push: PushPayload
  factor: FactorPayload
  rotate: RotatePayload
  newkey: CommonPayload<'newkey'>
  remove: RemovePayload
}

const closed = { additionalProperties: false }
const id = Type.String({ pattern: '^[0-9a-f]{40}$' })
// Not every store takes U+0000.
const text = (maxLength: number) => Type.String({ maxLength, pattern: '^[^\\u0000]*$' })
const base64url = (bytes: number) =>
  Type.Refine(Type.String({ maxLength: 100 }), (value) => fromBase64url(value)?.length === bytes)

const common = (op: Operation) => ({
  v: Type.Literal(1),
  op: Type.Literal(op),
  aud: text(512),
  tid: id,
  iat: Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER }),
  jti: base64url(16),
})

const key = Type.Object(
  { kty: Type.Literal('EC'), crv: Type.Literal('P-256'), x: base64url(32), y: base64url(32) },
  closed,
)

const factor = Type.Union([
  Type.Object({ m: Type.Literal('none') }, closed),
  Type.Object(
    {
      m: Type.Literal('pin'),
      k: base64url(32),
      kind: Type.Union([Type.Literal('pin'), Type.Literal('passcode')]),
      len: Type.Integer({ minimum: 1, maximum: 1_024 }),
    },
    closed,
  ),
  Type.Object({ m: Type.Literal('webauthn'), reg: Type.Record(Type.String(), Type.Unknown()) }, closed),
])

// `none` is what a device without an unlock sends where one is asked: an answer of its own (factor_required), no malformed one.
const unlockProof = Type.Union([
  Type.Object({ m: Type.Literal('none') }, closed),
  Type.Object({ m: Type.Literal('pin'), p: base64url(32) }, closed),
  Type.Object({ m: Type.Literal('webauthn'), resp: Type.Record(Type.String(), Type.Unknown()) }, closed),
])

const push = Type.Union([
  Type.Null(),
  Type.Object({ endpoint: text(2_048), p256dh: text(128), auth: text(64), vapid: text(128) }, closed),
])

const device = Type.Object({ name: text(128), platform: text(32), app: text(64), persisted: Type.Boolean() }, closed)

const answerTo = { sid: id, ch: base64url(32) }

const schemas = {
  activate: Type.Object(
    { ...common('activate'), aid: base64url(16), nonce: base64url(32), key, factor, device, push },
    closed,
  ),
  sync: Type.Object(common('sync'), closed),
  answer: Type.Union([
    // Any `num`: one that is not digits is a wrong number, and counts as one.
    Type.Object(
      {
        ...common('answer'),
        ...answerTo,
        ans: Type.Literal('approve'),
        num: Type.Optional(Type.Unknown()),
        uv: Type.Optional(unlockProof),
      },
      closed,
    ),
    Type.Object(
      {
        ...common('answer'),
        ...answerTo,
        ans: Type.Literal('deny'),
        why: Type.Union([Type.Literal('mistake'), Type.Literal('not_me'), Type.Literal('other')]),
      },
      closed,
    ),
  ]),
  push: Type.Object({ ...common('push'), push }, closed),
  factor: Type.Object({ ...common('factor'), factor, uv: Type.Optional(unlockProof) }, closed),
  rotate: Type.Object({ ...common('rotate'), key, proof: text(16_384), uv: Type.Optional(unlockProof) }, closed),
  newkey: Type.Object(common('newkey'), closed),
  remove: Type.Object(common('remove'), closed),
}

const validators = Object.fromEntries(Object.entries(schemas).map(([op, schema]) => [op, Compile(schema)]))

/** The payload, if it has exactly the members of its operation. */
export function readPayloadOf<Op extends Operation>(
  op: Op,
  payload: Record<string, unknown>,
): Payloads[Op] | undefined {
  // The schema above is what makes this type true.
  return validators[op]?.Check(payload) ? (payload as unknown as Payloads[Op]) : undefined
}
