import { ApiError } from './errors.ts'

/** What an API key may do. `admin` may do everything, the others what their name says. */
export const scopes = ['auth', 'read', 'enroll', 'admin'] as const
export type Scope = (typeof scopes)[number]

/** An application that came with an API key. */
export interface ApiKeyActor {
  kind: 'api-key'
  organizationId: string
  id: string
  scope: Scope
}

/** Someone at the server's own command line. */
export interface OperatorActor {
  kind: 'operator'
  organizationId: string
  id: 'command-line'
  scope: 'admin'
}

/** An authenticator that signed its message. */
export interface DeviceActor {
  kind: 'device'
  organizationId: string
  /** tid */
  id: string
}

/** Someone who may use the management functions. */
export type Actor = ApiKeyActor | OperatorActor

export type Permission =
  | 'ping'
  | 'organization:read'
  | 'domains:read'
  | 'domains:write'
  | 'users:read'
  | 'users:write'
  | 'members:write'
  | 'tokens:read'
  | 'tokens:write'
  | 'sessions:create'
  | 'sessions:read'
  | 'sessions:cancel'
  | 'api-keys:write'

const authentication: Permission[] = ['ping', 'sessions:create', 'sessions:read', 'sessions:cancel']
const reading: Permission[] = ['ping', 'organization:read', 'domains:read', 'users:read', 'sessions:read']
// Reading a token hands out its pending code, which is a credential: `read` must not have it.
const enrolment: Permission[] = [...reading, 'users:write', 'members:write', 'tokens:read', 'tokens:write']

const granted: Record<Exclude<Scope, 'admin'>, ReadonlySet<Permission>> = {
  auth: new Set(authentication),
  read: new Set(reading),
  enroll: new Set(enrolment),
}

/** Throws `api.error.forbidden` unless the actor may do this. */
export function requirePermission(actor: Actor, permission: Permission): void {
  if (actor.scope === 'admin' || granted[actor.scope].has(permission)) return
  throw new ApiError(
    'api.error.forbidden',
    `This API key (scope "${actor.scope}") may not do that: it needs ${permission}.`,
  )
}
