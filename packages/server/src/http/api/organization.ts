import { getOrganization } from '../../core/organizations.ts'
import type { ApiRoute } from '../route.ts'

export const organizationRoutes: ApiRoute[] = [
  { method: 'GET', path: '/api/organization', handle: (app, actor) => getOrganization(app, actor) },
]
