import { fromBase64url, toBase64url } from '@countersign/protocol/base64url.ts'
import { registrationChallenge } from '@countersign/protocol/unlock.ts'
import type { AuthenticationResponseJSON, RegistrationResponseJSON } from '@simplewebauthn/server'
import type { App } from '../app.ts'
import type { TokenRow } from '../storage/tokens.ts'

/** What is kept of a registration. */
export interface Credential {
  /** base64url */
  credential_id: string
  /** COSE key, base64url */
  credential_public_key: string
  credential_sign_count: number
}

/** An assertion whose signature is right; whether its count goes forward is judged under the token's lock. */
export interface Assertion {
  credentialId: string
  signCount: number
}

// RFC 8152: ES256 and RS256, which every platform has one of.
const algorithms = [-7, -257]
// A key of RSA 4096 has about 540 bytes; larger ones would cost more to verify than they are worth.
const publicKeyBytesMax = 1_100
// WebAuthn: a credential id has at most 1,023 bytes.
const idLengthMax = 1_364

/** What a registration brought, if it is one of §5: made for this token and origin, by a user who was present and verified. */
export async function verifyRegistration(
  app: App,
  { tid, nonce }: { tid: string; nonce: string },
  reg: Record<string, unknown>,
): Promise<Credential | undefined> {
  const { verifyRegistrationResponse } = await webauthn()
  const expectedChallenge = toBase64url(await registrationChallenge({ tid, nonce }))
  const response = reg as unknown as RegistrationResponseJSON // the library looks at each member before it uses it
  try {
    await requireNoAttestation(response)
    requireSameOrigin(response)
    const expected = { ...expectedBy(app), expectedChallenge, supportedAlgorithmIDs: algorithms }
    const { verified, registrationInfo } = await verifyRegistrationResponse({ response, ...expected })
    if (!verified) return undefined
    const { id, publicKey, counter } = registrationInfo.credential
    // The library takes the id from the authenticator's data and leaves the response's own alone.
    if (response.id !== id || id.length > idLengthMax || publicKey.length > publicKeyBytesMax) return undefined
    return { credential_id: id, credential_public_key: toBase64url(publicKey), credential_sign_count: counter }
  } catch (error) {
    app.log.info({ err: error, tid }, 'a registration was not accepted')
    return undefined
  }
}

/** An assertion of the token's credential over a binding value; undefined for anything that does not prove it (§6). */
export async function verifyAssertion(
  app: App,
  token: Pick<TokenRow, 'tid' | 'credential_id' | 'credential_public_key'>,
  { resp, uvb }: { resp: Record<string, unknown>; uvb: Uint8Array },
): Promise<Assertion | undefined> {
  const publicKey = fromBase64url(token.credential_public_key ?? '')
  if (token.credential_id === null || !publicKey || resp.id !== token.credential_id) return undefined
  const { verifyAuthenticationResponse } = await webauthn()
  const response = resp as unknown as AuthenticationResponseJSON // as above
  // No count is too small here: the row that counts is read later, under its lock.
  const credential = { id: token.credential_id, publicKey, counter: 0 }
  const expected = { ...expectedBy(app), expectedChallenge: toBase64url(uvb) }
  try {
    requireSameOrigin(response)
    const { verified, authenticationInfo } = await verifyAuthenticationResponse({ response, ...expected, credential })
    return verified ? { credentialId: credential.id, signCount: authenticationInfo.newCounter } : undefined
  } catch (error) {
    app.log.info({ err: error, tid: token.tid }, 'an assertion was not accepted')
    return undefined
  }
}

/** WebAuthn Level 3, 7.2: a count goes forward, or the authenticator has none and it stays 0. Else there is a copy. */
export function countsOn(stored: number | null, signCount: number): boolean {
  const last = stored ?? 0
  return signCount > last || (signCount === 0 && last === 0)
}

/** Loaded when it is first needed: it takes as long as the rest of the server together. */
function webauthn() {
  return import('@simplewebauthn/server')
}

function expectedBy(app: App) {
  const { deviceUrl } = app.config
  return {
    expectedOrigin: deviceUrl,
    expectedRPID: new URL(deviceUrl).hostname,
    requireUserPresence: true,
    requireUserVerification: true,
  }
}

/** Not in the frame of another site. The library looks at this for assertions only, and only where the browser names the site. */
function requireSameOrigin({ response }: { response: { clientDataJSON: string } }): void {
  const { crossOrigin, topOrigin } = JSON.parse(Buffer.from(response.clientDataJSON, 'base64url').toString('utf8'))
  if (crossOrigin === true || topOrigin !== undefined) throw new Error('It was made in the frame of another site.')
}

/**
 * None was asked for. A browser may leave one in that the credential itself has signed; anything else, with its certificates
 * and revocation lists to fetch, is none of ours.
 */
async function requireNoAttestation({ response }: RegistrationResponseJSON): Promise<void> {
  const { decodeAttestationObject } = await import('@simplewebauthn/server/helpers')
  const attestation = decodeAttestationObject(new Uint8Array(Buffer.from(response.attestationObject, 'base64url')))
  const format = attestation.get('fmt')
  const bySelf = format === 'packed' && attestation.get('attStmt').get('x5c') === undefined
  if (format !== 'none' && !bySelf) throw new Error(`It brings an attestation, in the format ${format}.`)
}
