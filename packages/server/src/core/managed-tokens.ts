import type { App } from '../app.ts'
import type { TokenFilter, TokenSummaryRow } from '../storage/token-lists.ts'
import { type AboutWhom, aboutWhom } from './about-whom.ts'
import { type Actor, requirePermission } from './actors.ts'
import { ApiError, noSuchUser } from './errors.ts'
import { type List, type ListInput, listOf, readPage } from './lists.ts'
import { findMember } from './members.ts'
import { pushStateOf } from './push-subscriptions.ts'
import { isoTime, isoTimeOrNull } from './times.ts'
import {
  aboutToken,
  createToken,
  getToken,
  isSuspended,
  type Member,
  noSuchToken,
  type PendingIssue,
  reissueToken,
  unthrottled,
} from './tokens.ts'
import { available, refuse, transact } from './transactions.ts'

export const tokenStates = ['pending', 'active', 'revoked', 'expired'] as const
export const pushStates = ['ok', 'stale', 'failing', 'none'] as const
export const pushErrors = ['forbidden', 'refused', 'busy', 'timeout', 'unreachable', 'blocked'] as const
export const factors = ['none', 'pin', 'passcode', 'platform'] as const

/** The token as administrators see it: never a key and never a code. */
export interface ManagedToken extends AboutWhom {
  /** tid */
  id: string
  state: (typeof tokenStates)[number]
  /** null before the activation and after the end; `persisted`: the browser has promised to keep the keys */
  device: { name: string; platform: string; app: string; persisted: boolean } | null
  factor: (typeof factors)[number] | null
  /** `stale`: subscribed under an older key, which works until the device is opened; `failing`: pushes do not arrive */
  pushState: (typeof pushStates)[number]
  pushError: (typeof pushErrors)[number] | null
  pushErrorSince: string | null
  /** to the minute */
  lastAnswerAt: string | null
  suspendedUntil: string | null
  suspendedReason: string | null
  throttledUntil: string | null
  createdAt: string
  /** of the code, while pending */
  expiresAt: string | null
  activatedAt: string | null
  endedAt: string | null
  endedReason: string | null
}

/** A code to hand over, or the news that none is needed. */
export type ManagedIssue = ManagedCode | { state: 'active' }
export type ManagedCode = Omit<PendingIssue, 'expiresAt'> & { expiresAt: string }

/** The organization's tokens, those that have ended too, the newest first. */
export async function listTokens(
  app: App,
  actor: Actor,
  { domainId, userId, state, ...input }: ListInput & TokenFilter,
): Promise<List<ManagedToken>> {
  requirePermission(actor, 'tokens:list', domainId)
  const page = readPage(input, [0, ''])
  const filter = {
    now: app.now(),
    ...(domainId === undefined ? {} : { domainId }),
    ...(userId === undefined ? {} : { userId }),
    ...(state === undefined ? {} : { state }),
  }
  const rows = await available(app, () => app.storage.tokens.list(actor.organizationId, filter, page))
  const about = await aboutWhom(app, actor, rows)
  const item = (row: TokenSummaryRow) => managedTokenOf(app, row, about(row))
  return listOf(page, rows, { place: (row) => [row.created_at, row.tid], item })
}

/** The tokens of one user in all domains, in the same order. */
export async function listTokensOfUser(
  app: App,
  actor: Actor,
  { userId, ...input }: ListInput & { userId: string },
): Promise<List<ManagedToken>> {
  requirePermission(actor, 'tokens:list')
  const user = await available(app, () => app.storage.users.find(actor.organizationId, userId))
  if (!user) throw noSuchUser()
  return listTokens(app, actor, { ...input, userId })
}

/** The member's pending or active token. */
export async function getManagedToken(app: App, actor: Actor, input: Member): Promise<ManagedToken> {
  requirePermission(actor, 'tokens:list', input.domainId)
  const { domain, user } = await findMember(app, actor, input)
  const row = await available(app, () => app.storage.tokens.findLive(actor.organizationId, domain.id, user.id))
  if (!row || isLapsed(app, row)) throw noSuchToken()
  const about = { domain: { id: domain.id, name: domain.name }, user: { id: user.id, username: user.username } }
  return managedTokenOf(app, row, about)
}

/** The code of a pending token; that it was read is recorded. `api.error.notfound.token` for an active one: it has none. */
export async function getActivationCode(app: App, actor: Actor, input: Member): Promise<ManagedCode> {
  const issued = await getToken(app, actor, input)
  if (issued.state === 'pending') return managedCodeOf(issued)
  throw new ApiError('api.error.notfound.token', 'The token is active: its code was used.')
}

/** As createToken. */
export async function createManagedToken(app: App, actor: Actor, input: Member): Promise<ManagedIssue> {
  const issued = await createToken(app, actor, input)
  return issued.state === 'pending' ? managedCodeOf(issued) : issued
}

/** As reissueToken. */
export async function reissueManagedToken(app: App, actor: Actor, input: Member): Promise<ManagedCode> {
  return managedCodeOf(await reissueToken(app, actor, input))
}

/** Ends a suspension and a throttle before their time; nothing to do where neither holds. */
export async function resumeToken(app: App, actor: Actor, input: Member): Promise<void> {
  requirePermission(actor, 'tokens:write', input.domainId)
  const { organizationId } = actor
  const { domain, user } = await findMember(app, actor, input)
  await transact(app, async (unit) => {
    const token = await unit.tx.tokens.lockLive(organizationId, domain.id, user.id)
    if (token?.state !== 'active') return refuse(noSuchToken())
    const { suspendedUntil, suspendedReason, throttledUntil } = holdsOf(app, token)
    if (suspendedUntil === null && throttledUntil === null) return
    const free = { ...unthrottled, suspended_until: 0, suspended_reason: null }
    await unit.tx.tokens.updateCounters(organizationId, token.tid, { ...token, ...free })
    const data = { suspendedUntil, suspendedReason, throttledUntil }
    unit.audit({ ...aboutToken(token), event: 'token.resumed', actor, data })
    unit.wake(token.tid)
  })
}

function managedTokenOf(app: App, row: TokenSummaryRow, about: AboutWhom): ManagedToken {
  return {
    id: row.tid,
    state: isLapsed(app, row) ? 'expired' : (row.state as ManagedToken['state']),
    ...about,
    device: deviceOf(row),
    factor: factorOf(row),
    ...pushOf(app, row),
    lastAnswerAt: row.answers_since === 0 ? null : isoTime(row.answers_since),
    ...holdsOf(app, row),
    createdAt: isoTime(row.created_at),
    expiresAt: isoTimeOrNull(row.code_expires_at),
    activatedAt: isoTimeOrNull(row.activated_at),
    endedAt: isoTimeOrNull(row.ended_at),
    endedReason: row.ended_reason,
  }
}

function deviceOf({ device_name: name, ...row }: TokenSummaryRow): ManagedToken['device'] {
  if (name === null) return null
  const { device_platform: platform, device_app: app, device_persisted: persisted } = row
  return { name, platform: platform ?? '', app: app ?? '', persisted: persisted === 1 }
}

function factorOf({ factor, factor_kind }: TokenSummaryRow): ManagedToken['factor'] {
  if (factor === null || factor === 'none') return factor
  if (factor === 'webauthn') return 'platform'
  return factor_kind === 'passcode' ? 'passcode' : 'pin'
}

function pushOf(app: App, row: TokenSummaryRow): Pick<ManagedToken, 'pushState' | 'pushError' | 'pushErrorSince'> {
  const state = pushStateOf(app, row)
  const pushError = pushErrors.find((error) => error === row.push_error) ?? null
  if (state === 'none' || pushError === null) return { pushState: state, pushError: null, pushErrorSince: null }
  return { pushState: 'failing', pushError, pushErrorSince: isoTimeOrNull(row.push_error_since) }
}

type Holds = Pick<TokenSummaryRow, 'state' | 'suspended_until' | 'suspended_reason' | 'throttled_until'>

/** What keeps requests from an active token at the moment. */
function holdsOf(app: App, row: Holds) {
  const active = row.state === 'active'
  const suspended = active && isSuspended(app, row)
  return {
    suspendedUntil: suspended ? isoTime(row.suspended_until) : null,
    suspendedReason: suspended ? row.suspended_reason : null,
    throttledUntil: active && row.throttled_until > app.now() ? isoTime(row.throttled_until) : null,
  }
}

/** Whether a code's time is over, before any sweeper has written it down. */
function isLapsed(app: App, { state, code_expires_at }: Pick<TokenSummaryRow, 'state' | 'code_expires_at'>): boolean {
  return state === 'pending' && code_expires_at !== null && code_expires_at <= app.now()
}

function managedCodeOf({ expiresAt, ...issued }: PendingIssue): ManagedCode {
  return { ...issued, expiresAt: isoTime(expiresAt) }
}
