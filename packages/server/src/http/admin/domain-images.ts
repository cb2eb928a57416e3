import { removeDomainImage, setDomainImage } from '../../core/domain-images.ts'
import { operation } from './operation.ts'

export const replace = operation({
  summary: 'Give a domain a picture',
  about:
    'The body is a PNG of up to 256 KiB and 512 × 512 pixels, not interlaced. It is drawn anew: nothing but its pixels is ' +
    'kept. `GET /api/domains/{domainId}/image` shows it.',
  consumes: 'image/png',
  handle: (app, actor, { id, bytes }) => setDomainImage(app, actor, { domainId: id('domainId'), png: bytes }),
})

export const remove = operation({
  summary: 'Give a domain the built-in picture again',
  handle: (app, actor, { id }) => removeDomainImage(app, actor, { domainId: id('domainId') }),
})
