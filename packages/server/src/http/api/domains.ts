import { getDomainImage } from '../../core/domain-images.ts'
import { getDomain } from '../../core/domains.ts'
import { Answer, type ApiRoute } from '../route.ts'
import { pathId } from './request.ts'

export const domainRoutes: ApiRoute[] = [
  {
    method: 'GET',
    path: '/api/domains/:domainId',
    handle: (app, actor, request) => getDomain(app, actor, { domainId: pathId(request, 'domainId') }),
  },
  {
    method: 'GET',
    path: '/api/domains/:domainId/image',
    async handle(app, actor, request) {
      const { png, hash } = await getDomainImage(app, actor, { domainId: pathId(request, 'domainId') })
      return new Answer(png, { 'content-type': 'image/png', etag: `"${hash}"` })
    },
  },
]
