import { messageType } from '@countersign/protocol/device-messages.ts'
import { importPublicKey, parseMessage, thumbprint, verifySignature } from '@countersign/protocol/jws.ts'
import type { App } from '../app.ts'
import type { DomainRow } from '../storage/domains.ts'
import type { TokenRow } from '../storage/tokens.ts'
import type { Payloads } from './device-schemas.ts'
import type { ApiError } from './errors.ts'
import { allows, readFactor } from './factors.ts'
import { holdKeys } from './key-holds.ts'
import { pushColumns } from './push-subscriptions.ts'
import { earlierReply, type MessageId, outcome, type Reply, rememberReply } from './replies.ts'
import { revokeTokens } from './revocation.ts'
import { sha256Bytes } from './secrets.ts'
import {
  badSignature,
  checkClock,
  isSameKey,
  malformed,
  payloadOf,
  tokenRevoked,
  type Verified,
  verifyMessage,
} from './signed-messages.ts'
import { aboutToken, deviceOf, isIntact, rowMac } from './tokens.ts'
import { refuse, transact, type Unit } from './transactions.ts'
import { countWrongProof, factorRequired, judgeProof, type ReadProof, readProof } from './unlock.ts'

/** Another PIN, passcode or credential. Needs the old one; a token without a factor is re-issued instead. */
export async function changeFactor(app: App, text: string): Promise<object> {
  const message = await verifyMessage(app, 'factor', text)
  const { tid, jti, factor, uv } = message.payload
  const change = { tid, op: 'factor', ref: jti, ans: 'change', hash: new Uint8Array(32) } as const
  const proof = await readProof(app, message.token, { proof: uv, ...change })
  const columns = await readFactor(app, { tid, nonce: jti }, factor)
  return changeToken(app, message, async ({ unit, token, domain }) => {
    if (!mayBecome(domain, token, factor)) return { error: factorRequired() }
    if (!columns) throw malformed()
    const unlock = await unlockToken(app, unit, { token, domain, proof })
    if ('error' in unlock) return unlock
    const changed = { ...unlock.token, ...columns }
    const { organization_id: organizationId } = token
    await holdKeys(app, unit, columns.pin_key_cipher)
    await unit.tx.tokens.changeFactor(organizationId, tid, { ...columns, row_mac: rowMac(app, changed) })
    await unit.tx.tokens.updateCounters(organizationId, tid, changed)
    unit.audit({
      ...aboutToken(token),
      event: 'token.factor_changed',
      actor: deviceOf(token),
      data: { factor: factor.m },
    })
    return { body: { tid, factor: 'ok', time: seconds(app) } }
  })
}

/** Another signing key, which must sign, too. The factor stays, and must be given. */
export async function rotateKey(app: App, text: string): Promise<object> {
  const message = await verifyMessage(app, 'rotate', text)
  const { tid, jti, key, uv } = message.payload
  if (uv && message.token.factor === 'none') throw malformed()
  await verifyNewKey(app, message.payload)
  const print = await thumbprint(key)
  const rotation = { tid, op: 'rotate', ref: jti, ans: 'rotate', hash: sha256Bytes(print) } as const
  const proof = await readProof(app, message.token, { proof: uv, ...rotation })
  return changeToken(app, message, async ({ unit, token, domain }) => {
    const unlock = token.factor === 'none' ? { token } : await unlockToken(app, unit, { token, domain, proof })
    if ('error' in unlock) return unlock
    const changed = { ...unlock.token, thumbprint: print, key_generation: token.key_generation + 1 }
    const { organization_id: organizationId } = token
    await unit.tx.tokens.changeKey(organizationId, tid, {
      public_key: JSON.stringify(key),
      thumbprint: print,
      key_generation: changed.key_generation,
      row_mac: rowMac(app, changed),
    })
    await unit.tx.tokens.updateCounters(organizationId, tid, changed)
    const data = { from: token.thumbprint, to: print }
    unit.audit({ ...aboutToken(token), event: 'token.key_rotated', actor: deviceOf(token), data })
    return { body: { tid, thumbprint: print, time: seconds(app) } }
  })
}

/** The device gives its token up. */
export async function removeToken(app: App, text: string): Promise<object> {
  const message = await verifyMessage(app, 'remove', text)
  return changeToken(app, message, async ({ unit, token }) => {
    const by = { organizationId: token.organization_id, ...deviceOf(token) }
    await revokeTokens(app, unit, by, { tokens: [token], reason: 'device' })
    return { body: { tid: token.tid, state: 'revoked', time: seconds(app) } }
  })
}

/** Where pushes are sent from now on, if anywhere; the answer says whether they are. */
export async function setPush(app: App, text: string): Promise<object> {
  const message = await verifyMessage(app, 'push', text)
  const { tid, push } = message.payload
  const columns = await pushColumns(app, tid, push)
  return changeToken(app, message, async ({ unit, token }) => {
    const state = columns.push_endpoint_hash === null ? 'none' : 'ok'
    if (state === 'ok' || token.push_endpoint_hash !== null) {
      await holdKeys(app, unit, columns.push_endpoint_cipher, columns.push_keys_cipher)
      await unit.tx.pushSubscriptions.put(token.organization_id, tid, columns)
      const data = { push: state }
      unit.audit({ ...aboutToken(token), event: 'token.push_changed', actor: deviceOf(token), data })
    }
    return { body: { tid, push: state, time: seconds(app) } }
  })
}

interface Change {
  unit: Unit
  token: TokenRow
  domain: DomainRow
}

/** Runs a change once for each message, under the token's lock, if the key that signed it is still the token's. */
function changeToken(
  app: App,
  message: Verified<'factor' | 'rotate' | 'remove' | 'push'>,
  change: (about: Change) => Promise<Reply>,
): Promise<object> {
  const { organization_id: organizationId, tid, domain_id } = message.token
  return transact(app, async (unit) => {
    const token = await unit.tx.tokens.lock(organizationId, tid)
    if (token?.state !== 'active') return refuse(tokenRevoked())
    const id: MessageId = { organizationId, tid, jti: message.payload.jti, payloadHash: message.payloadHash, sid: '' }
    const earlier = await earlierReply(unit.tx, id)
    if (earlier) return outcome(earlier)
    checkClock(app, message.payload.iat)
    if (!isSameKey(token, message.token) || !isIntact(app, token)) return refuse(badSignature())
    const domain = await unit.tx.domains.find(organizationId, domain_id)
    if (!domain) return refuse(tokenRevoked())
    const reply = await change({ unit, token, domain })
    await rememberReply(app, unit.tx, id, reply)
    return outcome(reply)
  })
}

/** The token as the proof leaves it, or why it stays locked; a wrong proof is counted. */
async function unlockToken(
  app: App,
  unit: Unit,
  { token, domain, proof }: { token: TokenRow; domain: DomainRow; proof: ReadProof },
): Promise<{ token: TokenRow } | { error: ApiError }> {
  const verdict = judgeProof(app, token, proof)
  if (verdict === 'missing') return { error: factorRequired() }
  if (verdict === 'wrong') return { error: await countWrongProof(app, unit, { token, domain }) }
  return { token: verdict.unlocked }
}

/** Whoever has a factor may change it, also where the domain no longer asks for one; nobody may drop it or set a first one. */
function mayBecome(domain: DomainRow, token: TokenRow, factor: Payloads['factor']['factor']): boolean {
  if (token.factor === 'none' || factor.m === 'none') return false
  return domain.key_type === 'ONE_STEP' || allows(domain, factor)
}

async function verifyNewKey(app: App, payload: Payloads['rotate']): Promise<void> {
  const proof = parseMessage(payload.proof, messageType('newkey'))
  const key = await importPublicKey(payload.key)
  if (!proof || !key || proof.kid !== payload.tid) throw malformed()
  if (!(await verifySignature(proof, key))) throw badSignature()
  if (payloadOf(app, 'newkey', proof).jti !== payload.jti) throw malformed()
}

function seconds(app: App): number {
  return Math.floor(app.now() / 1000)
}
