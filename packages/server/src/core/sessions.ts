import type { Challenge } from '@countersign/protocol/challenge.ts'
import { cleanText, codePoints } from '@countersign/protocol/text.ts'
import type { App } from '../app.ts'
import type { DomainRow } from '../storage/domains.ts'
import type { UserRow } from '../storage/users.ts'
import { type Actor, requirePermission } from './actors.ts'
import { requestApproval } from './approval-requests.ts'
import { judgeCode, type PresentedCode } from './codes.ts'
import { allowedNetworksOf } from './domain-fields.ts'
import { findDomain } from './domains.ts'
import { ApiError, badRequest, noSuchUser } from './errors.ts'
import { isWithin } from './networks.ts'
import { reportTampering } from './tampering.ts'
import { available, refuse, transact } from './transactions.ts'
import { usernameKey } from './usernames.ts'
import { aboutSession, isForged, type SessionView, viewOf } from './verdicts.ts'

export type { SessionView }

export interface CreateSession {
  domainId: string
  user: { id: string } | { username: string }
  attributes: { key: string; value: string }[]
  ipAddress?: string
  bypasscode?: string
  otp?: string
  numberMatching?: boolean
  /** of the application that asks */
  clientAddress: string
}

/** Asks whether this is the user: by a code that came along, or else by a request to the user's authenticator. */
export async function createSession(app: App, actor: Actor, input: CreateSession): Promise<SessionView> {
  requirePermission(actor, 'sessions:create', input.domainId)
  const domain = await findDomain(app, actor, input.domainId)
  requireNetwork(domain, input.clientAddress)
  const user = await findAsked(app, actor, domain, input.user)
  const request = readRequest(input)
  const presented = presentedCode(input)
  if (presented) return judgeCode(app, actor, { domain, user, ...presented })
  requireNumberMatching(domain, input)
  return requestApproval(app, actor, {
    domain,
    user,
    ...request,
    matched: input.numberMatching === true && domain.number_matching !== 'off',
  })
}

/** The verdict. Always found for a session of this domain that ever existed, whatever became of its user or token. */
export async function getSession(
  app: App,
  actor: Actor,
  input: { domainId: string; sessionId: string; waitMs?: number; readsOnce?: boolean; signal?: AbortSignal },
): Promise<SessionView> {
  requirePermission(actor, 'sessions:read', input.domainId)
  const waitMs = (await waitsForVerdict(app, actor, input)) ? Number.POSITIVE_INFINITY : (input.waitMs ?? 0)
  // The watches that are no device's poll are clients that wait here: as many as devices may.
  const full = app.events.watching - app.polls.open >= app.config.pollsMax
  if (waitMs === 0 || full) return readSession(app, actor, input)
  const watch = app.events.watch([input.sessionId])
  const deadline = performance.now() + waitMs
  try {
    for (;;) {
      const view = await readSession(app, actor, input)
      const leftMs = Math.min(deadline - performance.now(), Date.parse(view.expiresAt) - app.now())
      if (view.state !== 'pending' || leftMs <= 0 || app.events.stopping || input.signal?.aborted) return view
      await watch.next(leftMs, input.signal)
    }
  } finally {
    watch.close()
  }
}

/** Takes a request back: the device drops it, and the session reads as denied. */
export async function cancelSession(
  app: App,
  actor: Actor,
  input: { domainId: string; sessionId: string },
): Promise<void> {
  requirePermission(actor, 'sessions:cancel', input.domainId)
  const { organizationId } = actor
  const { domainId, sessionId } = input
  await transact(app, async (unit) => {
    const cancelled = await unit.tx.sessions.cancel(organizationId, sessionId, domainId, app.now())
    if (!cancelled) {
      // One that has ended already stays as it ended; only one that never was is not found.
      const row = await unit.tx.sessions.find(organizationId, sessionId)
      return row?.domain_id === domainId ? undefined : refuse(noSuchSession())
    }
    const { sid, tid, user_id } = cancelled
    const about = { domainId, userId: user_id, sid, ...(tid === null ? {} : { tid }) }
    unit.audit({ organizationId, event: 'session.cancelled', actor, ...about })
    unit.wake(sid, ...(tid === null ? [] : [tid]))
  })
}

/** LoginTC's PAM module gives up at the first "pending" it reads (docs/decisions/0011): in its domains it reads the verdict. */
async function waitsForVerdict(
  app: App,
  actor: Actor,
  { domainId, readsOnce }: { domainId: string; readsOnce?: boolean },
): Promise<boolean> {
  if (!readsOnce) return false
  const domain = await available(app, () => app.storage.domains.find(actor.organizationId, domainId))
  return domain?.type === 'PAM'
}

async function readSession(
  app: App,
  actor: Actor,
  input: { domainId: string; sessionId: string },
): Promise<SessionView> {
  const row = await available(app, () => app.storage.sessions.find(actor.organizationId, input.sessionId))
  if (!row || row.domain_id !== input.domainId) throw noSuchSession()
  if (isForged(app, row))
    await reportTampering(app, { ...aboutSession(row), event: 'session.tampered', rowId: row.sid })
  return viewOf(app, row)
}

async function findAsked(app: App, actor: Actor, domain: DomainRow, asked: CreateSession['user']): Promise<UserRow> {
  const { members } = app.storage
  const user = await available(app, () =>
    'id' in asked
      ? members.findUser(actor.organizationId, domain.id, asked.id)
      : members.findUserByName(actor.organizationId, domain.id, usernameKey(asked.username)),
  )
  if (!user) throw noSuchUser()
  return user
}

function readRequest(input: CreateSession): { attrs: Challenge['attrs']; ip?: string } {
  if (input.attributes.length > 20) throw badRequest('attributes', 'There are at most 20.')
  const attrs = input.attributes.map(({ key, value }, index) => ({
    k: shownText(key, 64, `attributes[${index}].key`),
    v: shownText(value, 256, `attributes[${index}].value`),
  }))
  if (!input.ipAddress) return { attrs }
  if (codePoints(input.ipAddress) > 64) throw badRequest('ipAddress', 'It has at most 64 characters.')
  const ip = cleanText(input.ipAddress)
  return ip === '' ? { attrs } : { attrs, ip }
}

/** Text as the user will see it. What is left of it after cleaning must still say something. */
function shownText(text: string, max: number, field: string): string {
  const clean = cleanText(text)
  if (codePoints(text) > max || codePoints(clean) > max || clean === '')
    throw badRequest(field, `It has 1 to ${max} visible characters.`)
  return clean
}

function presentedCode({ bypasscode, otp }: CreateSession): Pick<PresentedCode, 'method' | 'code'> | undefined {
  if (bypasscode !== undefined && otp !== undefined) {
    throw badRequest('otp', 'Send either a bypass code or a one-time password, not both.')
  }
  if (bypasscode !== undefined) return { method: 'bypasscode', code: bypasscode }
  return otp === undefined ? undefined : { method: 'otp', code: otp }
}

function requireNumberMatching(domain: DomainRow, input: CreateSession): void {
  if (domain.number_matching !== 'required' || input.numberMatching) return
  const message = 'This domain requires number matching: send "numberMatching":true and show the number to the user.'
  throw new ApiError('api.error.numbermatching', message)
}

function requireNetwork(domain: DomainRow, address: string): void {
  const ranges = allowedNetworksOf(domain)
  if (ranges.length === 0 || isWithin(address, ranges)) return
  throw new ApiError('api.error.forbidden', `Sessions of this domain cannot be created from ${address}.`)
}

export function noSuchSession(): ApiError {
  return new ApiError('api.error.notfound.session', 'There is no such session.')
}
