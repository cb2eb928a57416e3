import type {
  DomainChanges,
  ManagedDomain,
  NewManagedDomain,
  Part,
  PartQuery,
} from '@countersign/protocol/management.ts'
import { id } from './ids.ts'
import { askRevised, type IfMatch, matching, type Revised } from './management-revisions.ts'
import { part, parts } from './rest-pages.ts'
import { ask, type RestTransport } from './rest-request.ts'

/** What users log in to. */
export class DomainCalls {
  readonly #transport: RestTransport

  constructor(transport: RestTransport) {
    this.#transport = transport
  }

  /** Every domain, in the order of their creation, fetched as they are consumed. */
  list(query: Pick<PartQuery, 'limit'> = {}): AsyncGenerator<ManagedDomain, void> {
    return parts(this.#transport, '/domains', query)
  }

  /** One part of the list. */
  part(query: PartQuery = {}): Promise<Part<ManagedDomain>> {
    return part(this.#transport, '/domains', query)
  }

  create(domain: NewManagedDomain): Promise<Revised<ManagedDomain>> {
    return askRevised(this.#transport, { method: 'POST', path: '/domains', body: domain })
  }

  show(domainId: string): Promise<Revised<ManagedDomain>> {
    return askRevised(this.#transport, { method: 'GET', path: `/domains/${id(domainId)}` })
  }

  /** Changes what is given and leaves the rest. */
  update(domainId: string, changes: DomainChanges, options: IfMatch = {}): Promise<Revised<ManagedDomain>> {
    const call = { method: 'PATCH', path: `/domains/${id(domainId)}`, body: changes } as const
    return askRevised(this.#transport, { ...call, ...matching(options) })
  }

  /** Removes it with its memberships; every token and pending code of it is revoked. There is no way back. */
  delete(domainId: string, options: IfMatch = {}): Promise<void> {
    return ask(this.#transport, { method: 'DELETE', path: `/domains/${id(domainId)}`, ...matching(options) })
  }

  /** Gives it a picture: a PNG of up to 256 KiB and 512 × 512 pixels, not interlaced. */
  setImage(domainId: string, png: Uint8Array): Promise<void> {
    const file = { bytes: png, mediaType: 'image/png' }
    return ask(this.#transport, { method: 'PUT', path: `/domains/${id(domainId)}/image`, file })
  }

  /** Gives it the built-in picture again. */
  deleteImage(domainId: string): Promise<void> {
    return ask(this.#transport, { method: 'DELETE', path: `/domains/${id(domainId)}/image` })
  }
}
