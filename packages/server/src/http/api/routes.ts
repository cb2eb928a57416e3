import type { ApiRoute } from '../route.ts'
import { bypassCodeRoutes } from './bypass-codes.ts'
import { domainRoutes } from './domains.ts'
import { hardwareTokenRoutes } from './hardware-tokens.ts'
import { memberRoutes } from './members.ts'
import { organizationRoutes } from './organization.ts'
import { pingRoutes } from './ping.ts'
import { sessionRoutes } from './sessions.ts'
import { tokenRoutes } from './tokens.ts'
import { userRoutes } from './users.ts'

/** Everything that the REST API answers (docs/specs/rest-api.md §3). */
export const apiRoutes: ApiRoute[] = [
  ...pingRoutes,
  ...organizationRoutes,
  ...userRoutes,
  ...domainRoutes,
  ...memberRoutes,
  ...tokenRoutes,
  ...sessionRoutes,
  ...bypassCodeRoutes,
  ...hardwareTokenRoutes,
]
