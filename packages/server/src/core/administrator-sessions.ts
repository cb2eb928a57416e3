import type { App } from '../app.ts'
import { type Actor, type AdministratorActor, mayAnywhere, type Permission, permissions, roles } from './actors.ts'
import { type Administrator, administratorOf } from './administrators.ts'
import { ApiError } from './errors.ts'
import { newNonce } from './ids.ts'
import { addressKey } from './limits.ts'
import { plainHash } from './secrets.ts'
import { available, refuse, transact } from './transactions.ts'

/** How long a session lives at most, and how long without a request. */
export const sessionLifeMs = 12 * 3_600_000
export const sessionIdleMs = 30 * 60_000
const seenEveryMs = 60_000
const cookieBytes = 32

/**
 * Signs an administrator in by the secret of a link, which is used up by that; `replaced` is the cookie of a session in the
 * same browser, which ends. Wrong, used and lapsed secrets are refused alike, and an address that tries many has to wait.
 */
export async function signIn(
  app: App,
  input: { secret: string; replaced: string | undefined; clientAddress: string },
): Promise<{ administrator: Administrator; cookie: string }> {
  const { signInFailures } = app.limits
  const key = addressKey(input.clientAddress)
  const { pause, end } = await signInFailures.begin(key, 1)
  if (pause > 0) throw tooMany(pause)
  try {
    return await openSession(app, input)
  } catch (error) {
    if (error instanceof ApiError && error.code === 'api.error.unauthorized') signInFailures.count(key)
    throw error
  } finally {
    end()
  }
}

/** Who comes with this cookie. Its session ends after 12 hours, or after half an hour without a request. */
export async function authenticateAdministrator(app: App, cookie: string): Promise<AdministratorActor> {
  const hash = plainHash(cookie)
  const now = app.now()
  const row = await available(app, () => app.storage.administratorSessions.find(hash))
  const role = roles.find((known) => known === row?.role)
  if (!row || !role || row.disabled === 1 || row.expires_at <= now || row.seen_at + sessionIdleMs <= now) {
    throw new ApiError('api.error.unauthorized', 'The session is over. Please sign in again.')
  }
  if (now - row.seen_at >= seenEveryMs) await transact(app, ({ tx }) => tx.administratorSessions.see(hash, now))
  return { kind: 'administrator', organizationId: row.organization_id, id: row.administrator_id, role }
}

/** Who is signed in, and all that the role may do. */
export async function whoAmI(
  app: App,
  actor: Actor,
): Promise<{ administrator: Administrator; permissions: Permission[] }> {
  const { organizationId, id } = requireAdministrator(actor)
  const row = await available(app, () => app.storage.administrators.find(organizationId, id))
  if (!row) throw new ApiError('api.error.unauthorized', 'The session is over. Please sign in again.')
  return {
    administrator: administratorOf(row),
    permissions: permissions.filter((permission) => mayAnywhere(actor, permission)),
  }
}

/** Ends the session of this cookie. */
export async function signOut(app: App, actor: Actor, input: { cookie: string | undefined }): Promise<void> {
  const { organizationId, id } = requireAdministrator(actor)
  await transact(app, async ({ tx, audit }) => {
    if (!(await tx.administratorSessions.delete(plainHash(input.cookie ?? '')))) return
    audit({ organizationId, event: 'administrator.signed_out', actor, data: { id } })
  })
}

async function openSession(app: App, { secret, replaced }: { secret: string; replaced: string | undefined }) {
  const cookie = newNonce(app, cookieBytes)
  const now = app.now()
  return transact(app, async ({ tx, audit }) => {
    const row = await tx.administrators.takeLink(plainHash(secret), now)
    if (!row) return refuse(wrongLink())
    const { organization_id, id } = row
    if (replaced !== undefined) await tx.administratorSessions.delete(plainHash(replaced))
    await tx.administratorSessions.insert({
      hash: plainHash(cookie),
      organization_id,
      administrator_id: id,
      created_at: now,
      seen_at: now,
      expires_at: now + sessionLifeMs,
    })
    const actor = { kind: 'administrator', id } as const
    audit({ organizationId: organization_id, event: 'administrator.signed_in', actor, data: { id } })
    return { administrator: administratorOf(row), cookie }
  })
}

function requireAdministrator(actor: Actor): AdministratorActor {
  if (actor.kind === 'administrator') return actor
  throw new ApiError('api.error.forbidden', 'Only an administrator has a session.')
}

function wrongLink(): ApiError {
  return new ApiError('api.error.unauthorized', 'The link is wrong, was used, or has lapsed. Please ask for a new one.')
}

function tooMany(retryAfterSeconds: number): ApiError {
  const message = 'Too many attempts to sign in failed. Please wait a while.'
  return new ApiError('api.error.toomanyrequests', message, { retryAfterSeconds })
}
