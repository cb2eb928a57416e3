import { getDomain } from '../../core/domains.ts'
import type { ApiRoute } from '../route.ts'
import { pathId } from './request.ts'

export const domainRoutes: ApiRoute[] = [
  {
    method: 'GET',
    path: '/api/domains/:domainId',
    handle: (app, actor, request) => getDomain(app, actor, { domainId: pathId(request, 'domainId') }),
  },
]
