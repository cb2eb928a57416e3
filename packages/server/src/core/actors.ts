import { ApiError } from './errors.ts'

/** What an API key may do. `admin` may do everything, the others what their name says. */
export const scopes = ['auth', 'read', 'enroll', 'admin'] as const
export type Scope = (typeof scopes)[number]

/** What an administrator may do: an owner everything, the others what their name says. */
export const roles = ['owner', 'admin', 'helpdesk', 'auditor'] as const
export type Role = (typeof roles)[number]

/** An application that came with an API key. */
export interface ApiKeyActor {
  kind: 'api-key'
  organizationId: string
  id: string
  scope: Scope
  /** the only domains that the key may act in */
  domainIds?: readonly string[]
}

/** A person who is signed in to the management API. */
export interface AdministratorActor {
  kind: 'administrator'
  organizationId: string
  id: string
  role: Role
}

/** Someone at the server's own command line. */
export interface OperatorActor {
  kind: 'operator'
  organizationId: string
  id: 'command-line'
}

/** Someone who may use the management functions. */
export type Actor = ApiKeyActor | AdministratorActor | OperatorActor

/** All that can be asked for. */
export const permissions = [
  'ping',
  'organization:read',
  'organization:write',
  'settings:write',
  'domains:read',
  'domains:write',
  'users:read',
  'users:write',
  'members:write',
  /** which tokens there are and on what devices */
  'tokens:list',
  /** with the pending code, which is a credential */
  'tokens:read',
  'tokens:write',
  'sessions:create',
  'sessions:read',
  'sessions:list',
  'sessions:cancel',
  /** with the codes, which are credentials */
  'bypass-codes:read',
  'bypass-codes:write',
  'hardware:read',
  'hardware:write',
  'api-keys:read',
  'api-keys:write',
  'administrators:read',
  'administrators:write',
  'audit:read',
] as const
export type Permission = (typeof permissions)[number]

const authentication: Permission[] = ['ping', 'sessions:create', 'sessions:read', 'sessions:cancel']
const reading: Permission[] = [
  ...(['ping', 'organization:read', 'domains:read', 'users:read', 'tokens:list', 'sessions:read'] as const),
  ...(['sessions:list', 'hardware:read', 'audit:read'] as const),
]
const enrolment: Permission[] = [
  ...(['ping', 'organization:read', 'domains:read', 'users:read', 'users:write', 'members:write'] as const),
  ...(['tokens:list', 'tokens:read', 'tokens:write', 'sessions:read', 'sessions:list'] as const),
  ...(['bypass-codes:read', 'bypass-codes:write', 'hardware:read', 'hardware:write'] as const),
]
const helping: Permission[] = [...enrolment, 'sessions:cancel', 'audit:read']
const auditing: Permission[] = [...reading, 'api-keys:read', 'administrators:read']
const administration: Permission[] = [
  ...new Set<Permission>([
    ...authentication,
    ...helping,
    ...auditing,
    'settings:write',
    'domains:write',
    'api-keys:write',
  ]),
]

type Grants = ReadonlySet<Permission> | 'everything'

const grantsOfScope: Record<Scope, Grants> = {
  auth: new Set(authentication),
  read: new Set(reading),
  enroll: new Set(enrolment),
  admin: 'everything',
}

const grantsOfRole: Record<Role, Grants> = {
  owner: 'everything',
  admin: new Set(administration),
  helpdesk: new Set(helping),
  auditor: new Set(auditing),
}

/** What concerns no domain and is harmless: a key that is bound to domains may do it, too. */
const boundless: ReadonlySet<Permission> = new Set(['ping', 'organization:read'])

/**
 * Throws `api.error.forbidden` unless the actor may do this. What happens inside a domain names it: a key that is bound to
 * domains may do nothing elsewhere, and nothing that concerns the whole organization.
 */
export function requirePermission(actor: Actor, permission: Permission, domainId?: string): void {
  if (!mayAnywhere(actor, permission)) {
    throw new ApiError('api.error.forbidden', `${nameOf(actor)} may not do that: it needs ${permission}.`)
  }
  if (actor.kind !== 'api-key' || !actor.domainIds || boundless.has(permission)) return
  if (domainId === undefined || !actor.domainIds.includes(domainId)) {
    throw new ApiError('api.error.forbidden', 'This API key may act only in the domains that it is bound to.')
  }
}

/** Throws `api.error.forbidden` if a key of that scope could do what the actor may not. */
export function requireNoMoreThan(actor: Actor, scope: Scope): void {
  const grants = grantsOfScope[scope]
  const excess = permissions.find((one) => (grants === 'everything' || grants.has(one)) && !mayAnywhere(actor, one))
  if (excess === undefined) return
  const message = `${nameOf(actor)} may have nothing to do with a key that can do more: ${excess}.`
  throw new ApiError('api.error.forbidden', message)
}

/** The only domains that the actor may act in; undefined for one that is not bound. */
export function domainsOf(actor: Actor): readonly string[] | undefined {
  return actor.kind === 'api-key' ? actor.domainIds : undefined
}

/** Whether the actor's scope or role has this permission, in whatever domain; `anyone` is for every actor. */
export function mayAnywhere(actor: Actor, permission: Permission | 'anyone'): boolean {
  if (permission === 'anyone') return true
  const grants = grantsOf(actor)
  return grants === 'everything' || grants.has(permission)
}

function grantsOf(actor: Actor): Grants {
  if (actor.kind === 'operator') return 'everything'
  return actor.kind === 'api-key' ? grantsOfScope[actor.scope] : grantsOfRole[actor.role]
}

function nameOf(actor: Actor): string {
  if (actor.kind === 'api-key') return `This API key (scope "${actor.scope}")`
  return actor.kind === 'administrator' ? `An administrator of the role "${actor.role}"` : 'The operator'
}
