import { activationCodeBytes, encodeActivationCode } from '@countersign/protocol/activation-code.ts'
import type { App } from '../app.ts'
import type { FoundDomain } from '../storage/domains.ts'
import type { NewToken, TokenRow } from '../storage/tokens.ts'
import type { UserRow } from '../storage/users.ts'
import { type Actor, requirePermission } from './actors.ts'
import { theServer } from './audit.ts'
import { codeLifeMs } from './domain-fields.ts'
import { ApiError, noSuchUser } from './errors.ts'
import { newId, newNonce } from './ids.ts'
import { holdKeys } from './key-holds.ts'
import { findMember } from './members.ts'
import { revokeTokens } from './revocation.ts'
import { sameSecret } from './secrets.ts'
import type { Tampering } from './tampering.ts'
import { available, refuse, transact, type Unit } from './transactions.ts'

/** A live token as the API shows it. `link` activates it by a tap and carries a secret that the code lacks. */
export type IssuedToken = PendingIssue | { state: 'active' }
export type PendingIssue = { state: 'pending'; code: string; link: string; expiresAt: number }

export type Member = { domainId: string; userId: string }

const secretBytes = 16

/**
 * The member's token: a pending or an active one as it is, a new pending one with a fresh code where there is none. Two
 * requests at once get the same code.
 */
export async function createToken(app: App, actor: Actor, input: Member): Promise<IssuedToken> {
  requirePermission(actor, 'tokens:write', input.domainId)
  const { domain, user } = await findMember(app, actor, input)
  const { organizationId } = actor
  const fresh = newToken(app, domain, user)
  return transact(app, async (unit) => {
    // Whoever creates a token for this member holds this lock, so that two requests at once get one code.
    if (!(await unit.tx.members.lock(organizationId, domain.id, user.id))) return refuse(noSuchUser())
    await expireLapsed(app, unit, organizationId, input)
    const token = await unit.tx.tokens.lockLive(organizationId, domain.id, user.id)
    if (token) {
      if (token.state === 'pending') {
        const event = 'token.code_revealed'
        unit.audit({ organizationId, event, actor, domainId: domain.id, userId: user.id, tid: token.tid })
      }
      return issuedOf(app, token, user.username)
    }
    await insertToken(app, unit, fresh.row)
    const event = 'token.created'
    unit.audit({ organizationId, event, actor, domainId: domain.id, userId: user.id, tid: fresh.row.tid })
    return fresh.issued
  })
}

/**
 * A new pending token in the place of whatever the member has: at no moment are there two, and from the commit on nothing
 * authenticates by the old one. Of several who ask at once the last one's code is the one that works.
 */
export async function reissueToken(app: App, actor: Actor, input: Member): Promise<PendingIssue> {
  requirePermission(actor, 'tokens:write', input.domainId)
  const { domain, user } = await findMember(app, actor, input)
  const { organizationId } = actor
  const fresh = newToken(app, domain, user)
  return transact(app, async (unit) => {
    if (!(await unit.tx.members.lock(organizationId, domain.id, user.id))) return refuse(noSuchUser())
    await expireLapsed(app, unit, organizationId, input)
    const token = await unit.tx.tokens.lockLive(organizationId, domain.id, user.id)
    if (token) await revokeTokens(app, unit, actor, { tokens: [token], reason: 'reissued' })
    await insertToken(app, unit, fresh.row)
    const data = token ? { replaces: token.tid } : {}
    unit.audit({ ...aboutToken(fresh.row), event: 'token.created', actor, data })
    return fresh.issued
  })
}

/** The live token with its code while pending; reading a code is recorded, since a code is a credential. */
export async function getToken(app: App, actor: Actor, input: Member): Promise<IssuedToken> {
  requirePermission(actor, 'tokens:read', input.domainId)
  const { domain, user } = await findMember(app, actor, input)
  const { organizationId } = actor
  const token = await available(app, () => app.storage.tokens.findLive(organizationId, domain.id, user.id))
  if (token?.state === 'active') return { state: 'active' }
  if (!token) throw noSuchToken()
  return transact(app, async (unit) => {
    await expireLapsed(app, unit, organizationId, input)
    const current = await unit.tx.tokens.findLive(organizationId, domain.id, user.id)
    if (!current) return refuse(noSuchToken())
    if (current.state === 'pending') {
      const event = 'token.code_revealed'
      unit.audit({ organizationId, event, actor, domainId: domain.id, userId: user.id, tid: current.tid })
    }
    return issuedOf(app, current, user.username)
  })
}

/** Revokes an active token or annuls a pending code, for good. `api.error.notfound.token` when there is neither. */
export async function revokeToken(app: App, actor: Actor, input: Member): Promise<void> {
  requirePermission(actor, 'tokens:write', input.domainId)
  const { organizationId } = actor
  const { domain, user } = await findMember(app, actor, input)
  await transact(app, async (unit) => {
    await expireLapsed(app, unit, organizationId, input)
    const token = await unit.tx.tokens.lockLive(organizationId, domain.id, user.id)
    if (!token) return refuse(noSuchToken())
    await revokeTokens(app, unit, actor, { tokens: [token], reason: 'api' })
  })
}

export function noSuchToken(): ApiError {
  return new ApiError('api.error.notfound.token', 'This user has no token in this domain.')
}

/** Ends a pending token whose code has lapsed, inside the unit that is about to look at it. */
export async function expireLapsed(app: App, unit: Unit, organizationId: string, member: Member): Promise<void> {
  const { domainId, userId } = member
  for (const tid of await unit.tx.tokens.expireLapsed(organizationId, domainId, userId, app.now())) {
    await unit.tx.activations.deleteOf(organizationId, [tid])
    unit.audit({ organizationId, event: 'token.expired', actor: theServer, domainId, userId, tid })
  }
}

/** The look-up hash of an activation code. */
export function codeIndex(app: App, code: string): string {
  return app.secrets.mac('index', `dp1/code\n${code}`)
}

/** The look-up hash of the secret that a QR code or a link carries beside the code. */
export function secretIndex(app: App, secret: string): string {
  return app.secrets.mac('index', `dp1/secret\n${secret}`)
}

/** What binds a token to its owner, its keys and its factor: a row that was changed behind the server's back has another. */
export function rowMac(
  app: App,
  token: Pick<
    TokenRow,
    | 'organization_id'
    | 'tid'
    | 'key_generation'
    | 'user_id'
    | 'domain_id'
    | 'thumbprint'
    | 'factor'
    | 'credential_id'
    | 'credential_public_key'
  >,
): string {
  const { organization_id, tid, key_generation, user_id, domain_id, thumbprint, factor, credential_id } = token
  const bound = [organization_id, tid, key_generation, user_id, domain_id, thumbprint, factor, credential_id]
  // Rows of before there were credentials have no ninth member, and no key that it could be.
  if (token.credential_public_key !== null) bound.push(token.credential_public_key)
  return app.secrets.mac('row', JSON.stringify(bound))
}

/** Whether an active token's row is as the server wrote it, and its key is the one whose thumbprint is bound. */
export function isIntact(app: App, token: TokenRow): boolean {
  return token.row_mac !== null && sameSecret(token.row_mac, rowMac(app, token))
}

/** What is reported of a token that is not intact. */
export function tamperedToken(token: TokenRow): Tampering {
  return { ...aboutToken(token), event: 'token.tampered', rowId: token.tid }
}

/** What a proof that the user is there sets back: requests and pushes are sent as if none had gone unanswered. */
export const unthrottled = { unapproved_sessions: 0, unapproved_times: '', throttled_until: 0 } as const

/** Whether a token may not be used at the moment, though it is active. */
export function isSuspended(app: App, token: Pick<TokenRow, 'suspended_until'>): boolean {
  return token.suspended_until > app.now()
}

function newToken(app: App, domain: FoundDomain, user: UserRow): { row: NewToken; issued: PendingIssue } {
  const tid = newId(app)
  const code = encodeActivationCode(app.random(activationCodeBytes))
  const secret = newNonce(app, secretBytes)
  const expiresAt = app.now() + codeLifeMs(domain)
  const row: NewToken = {
    organization_id: domain.organization_id,
    tid,
    domain_id: domain.id,
    user_id: user.id,
    code_index: codeIndex(app, code),
    code_cipher: app.secrets.encrypt({ table: 'tokens', column: 'code_cipher', row: tid }, code),
    secret_index: secretIndex(app, secret),
    secret_cipher: app.secrets.encrypt({ table: 'tokens', column: 'secret_cipher', row: tid }, secret),
    code_expires_at: expiresAt,
    created_at: app.now(),
  }
  return { row, issued: pending(app, { code, secret, username: user.username, expiresAt }) }
}

async function insertToken(app: App, unit: Unit, row: NewToken): Promise<void> {
  await holdKeys(app, unit, row.code_cipher, row.secret_cipher)
  await unit.tx.tokens.insert(row)
}

function issuedOf(app: App, token: TokenRow, username: string): IssuedToken {
  if (token.state === 'active') return { state: 'active' }
  const { tid, code_cipher, secret_cipher, code_expires_at } = token
  if (code_cipher === null || secret_cipher === null || code_expires_at === null) {
    throw new Error('A pending token has lost its code.')
  }
  const code = app.secrets.decrypt({ table: 'tokens', column: 'code_cipher', row: tid }, code_cipher)
  const secret = app.secrets.decrypt({ table: 'tokens', column: 'secret_cipher', row: tid }, secret_cipher)
  return pending(app, { code, secret, username, expiresAt: code_expires_at })
}

function pending(
  app: App,
  { code, secret, username, expiresAt }: { code: string; secret: string; username: string; expiresAt: number },
): PendingIssue {
  const link = `${app.config.deviceUrl}/a#c=${code}&s=${secret}&u=${encodeURIComponent(username)}`
  return { state: 'pending', code, link, expiresAt }
}

/** The members of an audit event that say which token it is about. */
export function aboutToken(token: Pick<TokenRow, 'organization_id' | 'domain_id' | 'user_id' | 'tid'>) {
  const { organization_id, domain_id, user_id, tid } = token
  return { organizationId: organization_id, domainId: domain_id, userId: user_id, tid }
}

/** The device that holds a token, as the actor of an audit event. */
export function deviceOf(token: Pick<TokenRow, 'tid'>) {
  return { kind: 'device', id: token.tid } as const
}
