import { readActivationCode } from '@countersign/protocol/activation-code.ts'
import { fromBase64url } from '@countersign/protocol/base64url.ts'
import { type BeginReply, messageType } from '@countersign/protocol/device-messages.ts'
import { importPublicKey, parseMessage, readPayload, thumbprint, verifySignature } from '@countersign/protocol/jws.ts'
import type { App } from '../app.ts'
import type { ActivatedToken, PendingToken, TokenRow } from '../storage/tokens.ts'
import type { Payloads } from './device-schemas.ts'
import { policyOf } from './domains.ts'
import { ApiError } from './errors.ts'
import { allows, readFactor } from './factors.ts'
import { newNonce } from './ids.ts'
import { holdKeys } from './key-holds.ts'
import { addressKey } from './limits.ts'
import { pushColumns } from './push-subscriptions.ts'
import { earlierReply, type MessageId, rememberReply } from './replies.ts'
import { plainHash, sameSecret } from './secrets.ts'
import {
  badSignature,
  checkClock,
  malformed,
  payloadHashOf,
  payloadOf,
  rateLimited,
  rememberKey,
} from './signed-messages.ts'
import { aboutToken, codeIndex, rowMac, secretIndex } from './tokens.ts'
import { available, refuse, transact, type Unit } from './transactions.ts'
import { factorRequired } from './unlock.ts'
import { usernameKey } from './usernames.ts'
import { vapidMember } from './vapid-keys.ts'

export interface Begin {
  code: string
  username?: string
  secret?: string
  /** of the client */
  address: string
}

const activationLifeMs = 600_000
const activationsPerTokenMax = 5
const nameFailuresMax = 10
const nameWindowMs = 3_600_000

/**
 * Shows what a code would activate, to whoever also knows the user name or the secret of the QR code. The code is not
 * consumed. Every failure is the same `activation_failed`, made by the same statements and the same cryptographic calls.
 */
export function beginActivation(app: App, input: Begin): Promise<BeginReply> {
  const address = addressKey(input.address)
  return app.limits.addressTurns.take(address, async () => {
    const pause = app.limits.activationFailures.retryAfter(address)
    if (pause > 0) throw rateLimited(pause, 'activations_of_address')
    try {
      return await (input.secret === undefined ? beginByName(app, input) : beginBySecret(app, input, input.secret))
    } catch (error) {
      if (error instanceof ApiError && error.code === 'activation_failed') app.limits.activationFailures.count(address)
      throw error
    }
  })
}

/** Consumes the code: exactly one of several who finish at once becomes the owner of the token. */
export async function finishActivation(app: App, text: string): Promise<object> {
  const { payload, payloadHash, key } = await verifyActivation(app, text)
  const token = await available(app, () => app.storage.tokens.findByTid(payload.tid))
  const domain = token && (await available(app, () => app.storage.domains.find(token.organization_id, token.domain_id)))
  if (!token || !domain) throw activationFailed()
  const values = await readActivated(app, token, payload)
  const reply = await transact<object>(app, async (unit) => {
    const { organization_id: organizationId, tid } = token
    const id: MessageId = { organizationId, tid, jti: payload.jti, payloadHash, sid: '' }
    await unit.tx.tokens.lock(organizationId, tid)
    const earlier = await earlierReply(unit.tx, id)
    if (earlier) return 'error' in earlier ? refuse(earlier.error) : earlier.body
    checkClock(app, payload.iat) // after the look-up: what was answered stays answered, however late it is sent again
    if (!(await isOpen(app, unit, token, payload))) return refuse(activationFailed())
    if (!allows(domain, payload.factor)) return refuse(factorRequired())
    if (!values) return refuse(malformed())
    await holdKeys(app, unit, values.pin_key_cipher, values.push_endpoint_cipher, values.push_keys_cipher)
    if (!(await unit.tx.tokens.activate(organizationId, tid, app.now(), values))) return refuse(activationFailed())
    await unit.tx.activations.deleteOf(organizationId, [tid])
    const body = { state: 'active', tid, time: Math.floor(app.now() / 1000) }
    await rememberReply(app, unit.tx, id, { body })
    const { platform, app: software } = payload.device
    const data = { thumbprint: values.thumbprint, factor: values.factor, platform, app: software }
    unit.audit({ ...aboutToken(token), event: 'token.activated', actor: { kind: 'device', id: tid }, data })
    return body
  })
  if (values) rememberKey(app, { ...token, ...values }, key)
  return reply
}

async function beginByName(app: App, input: Begin): Promise<BeginReply> {
  const { pause, end } = await app.limits.activationFailuresOfAll.begin('all', 1)
  if (pause > 0) throw rateLimited(pause, 'activations_of_everybody')
  try {
    return await judgeName(app, input)
  } finally {
    end()
  }
}

async function judgeName(app: App, input: Begin): Promise<BeginReply> {
  const typed = usernameKey(input.username ?? '')
  const nameHash = app.secrets.mac('index', `dp1/begin\n${typed}`)
  const allowance = { max: nameFailuresMax, now: app.now(), windowStart: app.now() - nameWindowMs }
  const taken = await transact(app, ({ tx }) => tx.limits.takeNameTry(nameHash, allowance))
  if (!taken) throw rateLimited(nameWindowMs / 1000, 'activations_of_name')
  const token = await findPending(app, input.code)
  // Both are compared, whatever the first says, and whether there is a token or not.
  const comparisons = [sameSecret(typed, token?.username_key ?? ''), isSameAddress(typed, token?.email ?? '')]
  if (token && comparisons.includes(true))
    return openActivation(app, token, ({ tx }) => tx.limits.returnNameTry(nameHash))
  app.limits.activationFailuresOfAll.count('all')
  throw activationFailed()
}

async function beginBySecret(app: App, input: Begin, secret: string): Promise<BeginReply> {
  const token = await findPending(app, input.code)
  const right = sameSecret(secretIndex(app, secret), token?.secret_index ?? '')
  if (!token || !right) throw activationFailed()
  return openActivation(app, token)
}

function isSameAddress(typed: string, email: string): boolean {
  return sameSecret(typed, usernameKey(email)) && email !== ''
}

async function findPending(app: App, typed: string): Promise<PendingToken | undefined> {
  // What cannot be a code is looked up all the same: the time must not tell.
  const index = codeIndex(app, readActivationCode(typed) ?? '')
  const token = await available(app, () => app.storage.tokens.findByCode(index))
  return token?.code_expires_at != null && token.code_expires_at > app.now() ? token : undefined
}

async function openActivation(
  app: App,
  token: PendingToken,
  alsoInUnit?: (unit: Unit) => Promise<unknown>,
): Promise<BeginReply> {
  const { organization_id: organizationId, tid } = token
  const domain = await available(app, () => app.storage.domains.find(organizationId, token.domain_id))
  if (!domain) throw activationFailed()
  const aid = newNonce(app, 16)
  const nonce = newNonce(app, 32)
  const now = app.now()
  const row = {
    aid_hash: plainHash(aid),
    organization_id: organizationId,
    tid,
    nonce_hash: plainHash(nonce),
    created_at: now,
  }
  await transact(app, async (unit) => {
    const locked = await unit.tx.tokens.lock(organizationId, tid)
    if (locked?.state !== 'pending') return refuse(activationFailed())
    await alsoInUnit?.(unit)
    await unit.tx.activations.keepNewest(organizationId, tid, activationsPerTokenMax - 1)
    await unit.tx.activations.insert({ ...row, expires_at: now + activationLifeMs })
    unit.audit({ ...aboutToken(token), event: 'token.activation_begun', actor: { kind: 'device', id: tid } })
  })
  return {
    aid,
    nonce,
    expires: Math.floor((now + activationLifeMs) / 1000),
    tid,
    time: Math.floor(now / 1000),
    server: { name: app.config.serverName },
    domain: { id: domain.id, name: domain.name },
    user: token.username,
    policy: policyOf(domain),
    ...vapidMember(app),
  }
}

/** The message proves that its sender holds the key it brings; nothing else is known of it yet. */
async function verifyActivation(
  app: App,
  text: string,
): Promise<{ payload: Payloads['activate']; payloadHash: string; key: CryptoKey }> {
  const message = parseMessage(text, messageType('activate'))
  if (!message || fromBase64url(message.kid)?.length !== 16) throw malformed()
  const raw = readPayload(message)
  const key = raw && (await importPublicKey(raw.key))
  if (!raw || !key) throw malformed()
  if (!(await verifySignature(message, key))) throw badSignature()
  const payload = payloadOf(app, 'activate', message, String(raw.tid))
  if (payload.aid !== message.kid) throw malformed()
  return { payload, payloadHash: payloadHashOf(app, message), key }
}

async function isOpen(app: App, unit: Unit, token: TokenRow, payload: Payloads['activate']): Promise<boolean> {
  const activation = await unit.tx.activations.find(plainHash(payload.aid))
  if (!activation || activation.tid !== token.tid || activation.expires_at <= app.now()) return false
  return sameSecret(activation.nonce_hash, plainHash(payload.nonce))
}

/** The columns of the active token; undefined when its factor is a credential that proves nothing. */
async function readActivated(
  app: App,
  token: TokenRow,
  payload: Payloads['activate'],
): Promise<ActivatedToken | undefined> {
  const columns = await readFactor(app, payload, payload.factor)
  if (!columns) return undefined
  const bound = { ...token, ...columns, thumbprint: await thumbprint(payload.key) }
  const { name, platform, app: software, persisted } = payload.device
  return {
    ...columns,
    origin: app.config.deviceUrl,
    public_key: JSON.stringify(payload.key),
    thumbprint: bound.thumbprint,
    row_mac: rowMac(app, bound),
    device_name: name,
    device_platform: platform,
    device_app: software,
    device_persisted: Number(persisted),
    activated_at: app.now(),
    ...(await pushColumns(app, token.tid, payload.push)),
  }
}

function activationFailed(): ApiError {
  const message =
    'The code or the user name is wrong, or the code was used before or is too old. Ask your administrator.'
  return new ApiError('activation_failed', message)
}
