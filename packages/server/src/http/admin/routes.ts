import type { Permission } from '../../core/actors.ts'
import { Answer, type OpenRoute } from '../route.ts'
import { authenticateAdmin } from './authenticate.ts'
import * as domains from './domains.ts'
import type { Operation } from './operation.ts'
import * as organization from './organization.ts'

/** Where an operation is found and what it takes; core asks for the permission, the table only says so. */
export type AdminRoute = readonly [OpenRoute['method'], string, Permission, Operation]

/** The management API as a whole: every route with its permission (docs/specs/admin-api.md, /openapi.json). */
export const adminTable: AdminRoute[] = [
  ['GET', 'organization', 'organization:read', organization.show],
  ['PATCH', 'organization', 'organization:write', organization.update],

  ['GET', 'domains', 'domains:read', domains.list],
  ['POST', 'domains', 'domains:write', domains.create],
  ['GET', 'domains/:domainId', 'domains:read', domains.show],
  ['PATCH', 'domains/:domainId', 'domains:write', domains.update],
  ['DELETE', 'domains/:domainId', 'domains:write', domains.remove],
]

/** The table as routes of the API listener. */
export const adminRoutes: OpenRoute[] = adminTable.map(([method, path, , operation]) => ({
  method,
  path: `/admin/v1/${path}`,
  ...(operation.bodyBytesMax && { bodyBytesMax: operation.bodyBytesMax }),
  async enter(app, request) {
    const actor = await authenticateAdmin(app, request)
    return async () => answerOf(operation, await operation.answer(app, actor, request))
  },
}))

const json = { 'content-type': 'application/json' }

function answerOf({ status, reply }: Operation, result: unknown): Answer {
  if (!(result instanceof Answer)) return new Answer(result, json, status ?? (reply ? 200 : 204))
  return new Answer(result.body, { ...json, ...result.headers }, status ?? result.status)
}
