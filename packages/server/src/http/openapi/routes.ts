import type { App } from '../../app.ts'
import { Answer, type OpenRoute } from '../route.ts'
import { openApiDocument } from './document.ts'
import type { OpenApi } from './open-api.ts'
import { page, pageHeaders } from './page/page.ts'

const documents = new WeakMap<App, OpenApi>()

/** The description of both APIs, for programs and for people; it says nothing that is secret, so nobody needs a key for it. */
export const documentRoutes: OpenRoute[] = [
  {
    method: 'GET',
    path: '/openapi.json',
    enter: async (app) => async () => new Answer(documentOf(app), { 'content-type': 'application/json' }),
  },
  {
    method: 'GET',
    path: '/docs',
    enter: async (app) => async () => new Answer(Buffer.from(page(documentOf(app))), pageHeaders),
  },
]

function documentOf(app: App): OpenApi {
  const document = documents.get(app) ?? openApiDocument(app.config.apiUrl)
  documents.set(app, document)
  return document
}
