import type { Permission } from '../../core/actors.ts'
import { Answer, type OpenRoute } from '../route.ts'
import * as administrators from './administrators.ts'
import * as apiKeys from './api-keys.ts'
import * as audit from './audit.ts'
import { authenticateAdmin } from './authenticate.ts'
import * as bypassCodes from './bypass-codes.ts'
import * as domainImages from './domain-images.ts'
import * as domains from './domains.ts'
import * as hardware from './hardware.ts'
import * as members from './members.ts'
import type { Operation } from './operation.ts'
import * as organization from './organization.ts'
import * as session from './session.ts'
import * as sessions from './sessions.ts'
import * as settings from './settings.ts'
import * as tokens from './tokens.ts'
import * as users from './users.ts'

/**
 * Where an operation is found and what it takes; core asks for the permission, the table only says so. `null` is for whoever
 * sends it, without credentials, and `anyone` for whoever has any.
 */
export type AdminRoute = readonly [OpenRoute['method'], string, Permission | 'anyone' | null, Operation]

/** The management API as a whole: every route with its permission (docs/specs/admin-api.md, /openapi.json). */
export const adminTable: AdminRoute[] = [
  ['POST', 'session', null, session.create],
  ['GET', 'session', 'anyone', session.show],
  ['DELETE', 'session', 'anyone', session.remove],

  ['GET', 'organization', 'organization:read', organization.show],
  ['PATCH', 'organization', 'organization:write', organization.update],
  ['GET', 'settings', 'organization:read', settings.show],
  ['PATCH', 'settings', 'settings:write', settings.update],

  ['GET', 'domains', 'domains:read', domains.list],
  ['POST', 'domains', 'domains:write', domains.create],
  ['GET', 'domains/:domainId', 'domains:read', domains.show],
  ['PATCH', 'domains/:domainId', 'domains:write', domains.update],
  ['DELETE', 'domains/:domainId', 'domains:write', domains.remove],
  ['PUT', 'domains/:domainId/image', 'domains:write', domainImages.replace],
  ['DELETE', 'domains/:domainId/image', 'domains:write', domainImages.remove],

  ['GET', 'users', 'users:read', users.list],
  ['POST', 'users', 'users:write', users.create],
  ['GET', 'users/:userId', 'users:read', users.show],
  ['PATCH', 'users/:userId', 'users:write', users.update],
  ['DELETE', 'users/:userId', 'users:write', users.remove],
  ['POST', 'users/:userId/unlock', 'users:write', users.unlock],

  ['GET', 'domains/:domainId/members', 'users:read', members.list],
  ['PUT', 'domains/:domainId/members/:userId', 'members:write', members.add],
  ['DELETE', 'domains/:domainId/members/:userId', 'members:write', members.remove],

  ['GET', 'tokens', 'tokens:list', tokens.list],
  ['GET', 'users/:userId/tokens', 'tokens:list', tokens.listOfUser],
  ['GET', 'domains/:domainId/members/:userId/token', 'tokens:list', tokens.show],
  ['PUT', 'domains/:domainId/members/:userId/token', 'tokens:write', tokens.create],
  ['DELETE', 'domains/:domainId/members/:userId/token', 'tokens:write', tokens.remove],
  ['GET', 'domains/:domainId/members/:userId/token/code', 'tokens:read', tokens.showCode],
  ['POST', 'domains/:domainId/members/:userId/token/reissue', 'tokens:write', tokens.reissue],
  ['POST', 'domains/:domainId/members/:userId/token/resume', 'tokens:write', tokens.resume],

  ['GET', 'sessions', 'sessions:list', sessions.list],
  ['GET', 'sessions/:sessionId', 'sessions:list', sessions.show],
  ['DELETE', 'sessions/:sessionId', 'sessions:cancel', sessions.cancel],

  ['GET', 'users/:userId/bypass-codes', 'bypass-codes:read', bypassCodes.list],
  ['POST', 'users/:userId/bypass-codes', 'bypass-codes:write', bypassCodes.create],
  ['GET', 'bypass-codes/:bypassCodeId', 'bypass-codes:read', bypassCodes.show],
  ['DELETE', 'bypass-codes/:bypassCodeId', 'bypass-codes:write', bypassCodes.remove],

  ['GET', 'hardware', 'hardware:read', hardware.list],
  ['POST', 'hardware', 'hardware:write', hardware.create],
  ['POST', 'hardware/import', 'hardware:write', hardware.imported],
  ['GET', 'hardware/:hardwareId', 'hardware:read', hardware.show],
  ['PATCH', 'hardware/:hardwareId', 'hardware:write', hardware.update],
  ['DELETE', 'hardware/:hardwareId', 'hardware:write', hardware.remove],
  ['POST', 'hardware/:hardwareId/resync', 'hardware:write', hardware.resync],
  ['PUT', 'users/:userId/hardware/:hardwareId', 'hardware:write', hardware.assign],
  ['DELETE', 'users/:userId/hardware/:hardwareId', 'hardware:write', hardware.unassign],

  ['GET', 'api-keys', 'api-keys:read', apiKeys.list],
  ['POST', 'api-keys', 'api-keys:write', apiKeys.create],
  ['GET', 'api-keys/:keyId', 'api-keys:read', apiKeys.show],
  ['PATCH', 'api-keys/:keyId', 'api-keys:write', apiKeys.update],
  ['DELETE', 'api-keys/:keyId', 'api-keys:write', apiKeys.revoke],
  ['POST', 'api-keys/:keyId/rotate', 'api-keys:write', apiKeys.rotate],

  ['GET', 'administrators', 'administrators:read', administrators.list],
  ['POST', 'administrators', 'administrators:write', administrators.create],
  ['GET', 'administrators/:administratorId', 'administrators:read', administrators.show],
  ['PATCH', 'administrators/:administratorId', 'administrators:write', administrators.update],
  ['DELETE', 'administrators/:administratorId', 'administrators:write', administrators.remove],
  ['POST', 'administrators/:administratorId/sign-in-link', 'administrators:write', administrators.createLink],

  ['GET', 'audit', 'audit:read', audit.list],
  ['GET', 'audit/export', 'audit:read', audit.exported],
]

/** The table as routes of the API listener. */
export const adminRoutes: OpenRoute[] = adminTable.map(([method, path, permission, operation]) => ({
  method,
  path: `/admin/v1/${path}`,
  ...(operation.bodyBytesMax && { bodyBytesMax: operation.bodyBytesMax }),
  async enter(app, request) {
    const whoAsks = async () => (permission === null ? undefined : authenticateAdmin(app, request, method))
    const actor = await whoAsks()
    // Who held the body back may have been disabled meanwhile: what changes something is asked for by whoever may now.
    return async () =>
      answerOf(operation, await operation.answer(app, method === 'GET' ? actor : await whoAsks(), request))
  },
}))

const json = { 'content-type': 'application/json' }

function answerOf({ status, reply }: Operation, result: unknown): Answer {
  if (!(result instanceof Answer)) return new Answer(result, json, status ?? (reply ? 200 : 204))
  return new Answer(result.body, { ...json, ...result.headers }, status ?? result.status)
}
