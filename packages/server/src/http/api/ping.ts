import { requirePermission } from '../../core/actors.ts'
import type { ApiRoute } from '../route.ts'

export const pingRoutes: ApiRoute[] = [
  {
    method: 'GET',
    path: '/api/ping',
    async handle(_app, actor) {
      requirePermission(actor, 'ping')
      return { status: 'OK' }
    },
  },
]
