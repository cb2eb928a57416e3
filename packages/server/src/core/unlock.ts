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

/** A proof as it came; `none` counts as absent. */
export type OfferedProof = UnlockProof | { m: 'none' } | undefined

/** The value that a proof must be over, made before the unit begins. */
export function bindingOf(binding: UnlockBinding): Promise<Uint8Array> {
  return unlockBinding(binding)
}

/** What a proof is worth: nothing that can be judged, a wrong one, or the right one. */
export type UnlockVerdict = 'missing' | 'wrong' | 'right'

/** Judges a proof against the token's own factor. Pure but for the decryption of the token's key. */
export function judgeProof(app: App, token: TokenRow, proof: OfferedProof, uvb: Uint8Array): UnlockVerdict {
  if (proof?.m !== 'pin' || token.factor !== 'pin' || token.pin_key_cipher === null) return 'missing'
  const place = { table: 'tokens', column: 'pin_key_cipher', row: token.tid }
  const pinKey = Buffer.from(app.secrets.decrypt(place, token.pin_key_cipher), 'base64url')
  const expected = createHmac('sha256', pinKey).update(uvb).digest('base64url')
  return sameSecret(expected, proof.p) ? 'right' : 'wrong'
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
