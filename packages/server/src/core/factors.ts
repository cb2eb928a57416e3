import type { Factor } from '@countersign/protocol/device-messages.ts'
import type { App } from '../app.ts'
import type { DomainRow } from '../storage/domains.ts'
import type { TokenFactor } from '../storage/tokens.ts'
import { unlockMethods } from './domains.ts'
import { verifyRegistration } from './webauthn.ts'

const nothing: TokenFactor = {
  factor: 'none',
  factor_kind: null,
  pin_key_cipher: null,
  credential_id: null,
  credential_public_key: null,
  credential_sign_count: null,
}

/**
 * What a token holds of a factor; undefined for a credential whose registration proves nothing. `nonce` is what a registration
 * must be over. Made before the unit begins.
 */
export async function readFactor(
  app: App,
  { tid, nonce }: { tid: string; nonce: string },
  factor: Factor,
): Promise<TokenFactor | undefined> {
  if (factor.m === 'none') return nothing
  if (factor.m === 'webauthn') {
    const credential = await verifyRegistration(app, { tid, nonce }, factor.reg)
    return credential && { ...nothing, factor: 'webauthn', ...credential }
  }
  const pin_key_cipher = app.secrets.encrypt({ table: 'tokens', column: 'pin_key_cipher', row: tid }, factor.k)
  return { ...nothing, factor: 'pin', factor_kind: factor.kind, pin_key_cipher }
}

/** Whether a domain accepts a factor: its method, its kind and the length that the device says it has. */
export function allows(domain: DomainRow, factor: Factor): boolean {
  const methods = unlockMethods(domain)
  if (factor.m === 'none') return methods.includes('none')
  if (factor.m === 'webauthn') return methods.includes('platform')
  if (!methods.includes('pin') || factor.len < domain.min_length) return false
  return factor.kind === 'passcode' || domain.key_type !== 'PASSCODE'
}
