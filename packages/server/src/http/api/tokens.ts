import { createToken, getToken, type IssuedToken, revokeToken } from '../../core/tokens.ts'
import type { ApiRoute, Incoming } from '../route.ts'
import { wantsDetails } from './media-types.ts'
import { memberOf } from './members.ts'

const path = '/api/domains/:domainId/users/:userId/token'

export const tokenRoutes: ApiRoute[] = [
  {
    method: 'GET',
    path,
    handle: async (app, actor, request) => tokenReply(await getToken(app, actor, memberOf(request)), request),
  },
  {
    method: 'PUT',
    path,
    handle: async (app, actor, request) => tokenReply(await createToken(app, actor, memberOf(request)), request),
  },
  {
    method: 'DELETE',
    path,
    handle: (app, actor, request) => revokeToken(app, actor, memberOf(request)),
  },
]

function tokenReply(token: IssuedToken, request: Incoming): object {
  if (token.state === 'active') return { state: 'active' }
  const { state, code, link, expiresAt } = token
  return wantsDetails(request.headers)
    ? { state, code, link, expiresAt: new Date(expiresAt).toISOString() }
    : { state, code }
}
