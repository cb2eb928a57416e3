import { toBase64url } from '@countersign/protocol/base64url.ts'
import type { Factor, UnlockProof } from '@countersign/protocol/device-messages.ts'
import { sha256, type UnlockBinding, unlockBinding } from '@countersign/protocol/unlock.ts'
import {
  platformAuthenticatorIsAvailable,
  type RegistrationResponseJSON,
  startAuthentication,
  startRegistration,
} from '@simplewebauthn/browser'
import type { UnlockRecord } from '../store/records.ts'
import { randomBytes } from './signing.ts'

export type PlatformUnlock = Extract<UnlockRecord, { method: 'platform' }>

const timeoutMs = 120_000

/** Whether this phone can unlock by fingerprint, face or its own PIN. */
export async function hasPlatformUnlock(): Promise<boolean> {
  try {
    return await platformAuthenticatorIsAvailable()
  } catch {
    return false // no WebAuthn here
  }
}

/** Makes a credential for a new token (§5). Throws what the browser throws when the user calls it off. */
export async function registerPlatform(
  token: { tid: string; nonce: string; domain: { name: string }; user: string },
  rpId: string,
): Promise<{ unlock: PlatformUnlock; factor: Factor }> {
  const challenge = await sha256(new TextEncoder().encode(`dp1/reg\n${token.tid}\n${token.nonce}\n`))
  const reg = await startRegistration({
    optionsJSON: {
      challenge: toBase64url(challenge),
      rp: { id: rpId, name: token.domain.name },
      user: { id: toBase64url(randomBytes(16)), name: token.user, displayName: `${token.user} (${token.domain.name})` },
      pubKeyCredParams: [-7, -257].map((alg) => ({ type: 'public-key', alg })),
      authenticatorSelection: {
        authenticatorAttachment: 'platform',
        userVerification: 'required',
        residentKey: 'discouraged',
      },
      attestation: 'none',
      timeout: timeoutMs,
    },
  })
  return { unlock: unlockOf(reg), factor: { m: 'webauthn', reg: { ...reg } } }
}

/** Proof over a binding value by the system's dialogue (§6). */
export async function provePlatform(
  unlock: PlatformUnlock,
  binding: UnlockBinding,
  rpId: string,
): Promise<UnlockProof> {
  const transports = unlock.transports.filter((transport) => transport === 'internal' || transport === 'hybrid')
  const resp = await startAuthentication({
    optionsJSON: {
      challenge: toBase64url(await unlockBinding(binding)),
      allowCredentials: [{ type: 'public-key', id: unlock.credentialId, ...(transports.length > 0 && { transports }) }],
      userVerification: 'required',
      rpId,
      timeout: timeoutMs,
    },
  })
  return { m: 'webauthn', resp: { ...resp } }
}

/** Whether the dialogue was ended by the user, the system or a time-out, rather than by a mistake. */
export function isCalledOff(error: unknown): boolean {
  return error instanceof Error && (error.name === 'NotAllowedError' || error.name === 'AbortError')
}

function unlockOf({ id, response }: RegistrationResponseJSON): PlatformUnlock {
  return { method: 'platform', credentialId: id, transports: response.transports ?? [] }
}
