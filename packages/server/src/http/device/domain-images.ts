import type { App } from '../../app.ts'
import { showDomainImage } from '../../core/domain-images.ts'
import { Answer, type Incoming } from '../route.ts'
import { isKnown } from './app-files.ts'

/** The picture of a domain for the request screen, from the device's own origin; of an unknown one the built-in picture. */
export async function sendDomainImage(app: App, { params, headers }: Incoming): Promise<Answer> {
  const { png, hash } = await showDomainImage(app, { domainId: params.domainId ?? '' })
  const etag = `"${hash}"`
  const caching = { etag, 'cache-control': 'no-cache' }
  if (isKnown(headers, etag)) return new Answer(undefined, caching, 304)
  return new Answer(png, { ...caching, 'content-type': 'image/png' })
}
