import { createHmac } from 'node:crypto'
import type { UnlockProof } from '@countersign/protocol/device-messages.ts'
import { type UnlockBinding, unlockBinding } from '@countersign/protocol/unlock.ts'
import type { App } from '../app.ts'
import type { DomainRow } from '../storage/domains.ts'
import type { TokenRow } from '../storage/tokens.ts'
import { ApiError } from './errors.ts'
import { revokeTokens } from './revocation.ts'
import { sameSecret } from './secrets.ts'
import { aboutToken, deviceOf } from './tokens.ts'
import type { Unit } from './transactions.ts'
import { type Assertion, countsOn, verifyAssertion } from './webauthn.ts'

/** A proof as it came; `none` counts as absent. */
export type OfferedProof = UnlockProof | { m: 'none' } | undefined

/** A proof with what was found out about it before the unit began. */
export interface ReadProof {
  proof: OfferedProof
  /** the value that it must be over */
  uvb: Uint8Array
  /** absent where the proof is no assertion, or a worthless one */
  assertion?: Assertion | undefined
}

/** Verifies of a proof what needs no lock: the signature of an assertion by the credential of the token as it was read. */
export async function readProof(
  app: App,
  token: TokenRow,
  { proof, ...binding }: UnlockBinding & { proof: OfferedProof },
): Promise<ReadProof> {
  const uvb = await unlockBinding(binding)
  if (proof?.m !== 'webauthn' || token.factor !== 'webauthn') return { proof, uvb }
  return { proof, uvb, assertion: await verifyAssertion(app, token, { resp: proof.resp, uvb }) }
}

/** What a proof is worth: nothing that can be judged, a wrong one, or the token as the right one leaves it. */
export type UnlockVerdict = 'missing' | 'wrong' | { unlocked: TokenRow }

/** Judges a proof against the factor of the locked token. Pure but for the decryption of the token's key. */
export function judgeProof(app: App, token: TokenRow, { proof, uvb, assertion }: ReadProof): UnlockVerdict {
  if (proof === undefined || proof.m === 'none' || proof.m !== token.factor) return 'missing'
  const right = proof.m === 'pin' ? isRightPin(app, token, proof.p, uvb) : isRightAssertion(token, assertion)
  if (!right) return 'wrong'
  const credential_sign_count = assertion?.signCount ?? token.credential_sign_count
  return { unlocked: { ...token, unlock_failures: 0, credential_sign_count } }
}

/**
 * Counts a wrong proof under the token's lock; the one that reaches the domain's limit revokes the token and denies its
 * sessions. Returns the refusal that the device gets.
 */
export async function countWrongProof(
  app: App,
  unit: Unit,
  { token, domain }: { token: TokenRow; domain: DomainRow },
): Promise<ApiError> {
  const failures = token.unlock_failures + 1
  const remaining = Math.max(0, domain.max_allowed_retries - failures)
  await unit.tx.tokens.updateCounters(token.organization_id, token.tid, { ...token, unlock_failures: failures })
  const actor = deviceOf(token)
  unit.audit({ ...aboutToken(token), event: 'token.unlock_failed', actor, data: { failures, remaining } })
  if (remaining === 0) {
    const by = { organizationId: token.organization_id, ...actor }
    await revokeTokens(app, unit, by, { tokens: [token], reason: 'pin_retries' })
  }
  const message = remaining === 0 ? 'Wrong too often: this token was revoked.' : 'That was not right. Please try again.'
  return new ApiError('factor_failed', message, { extra: { remaining } })
}

export function factorRequired(): ApiError {
  return new ApiError('factor_required', 'This domain asks for an unlock that this token has not given.')
}

function isRightPin(app: App, token: TokenRow, offered: string, uvb: Uint8Array): boolean {
  if (token.pin_key_cipher === null) return false
  const place = { table: 'tokens', column: 'pin_key_cipher', row: token.tid }
  const pinKey = Buffer.from(app.secrets.decrypt(place, token.pin_key_cipher), 'base64url')
  return sameSecret(createHmac('sha256', pinKey).update(uvb).digest('base64url'), offered)
}

/** By the credential that the token has now, whatever it had when the signature was verified; and no copy of the credential. */
function isRightAssertion(token: TokenRow, assertion: Assertion | undefined): boolean {
  if (!assertion || assertion.credentialId !== token.credential_id) return false
  return countsOn(token.credential_sign_count, assertion.signCount)
}
