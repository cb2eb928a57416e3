import type {
  ApiKeyChanges,
  IssuedApiKey,
  ManagedApiKey,
  NewApiKey,
  Part,
  PartQuery,
} from '@countersign/protocol/management.ts'
import { id } from './ids.ts'
import { askRevised, type IfMatch, matching, type Revised } from './management-revisions.ts'
import { part, parts } from './rest-pages.ts'
import { ask, type RestTransport } from './rest-request.ts'

/** What applications show. */
export class ApiKeyCalls {
  readonly #transport: RestTransport

  constructor(transport: RestTransport) {
    this.#transport = transport
  }

  /** Every key, in the order of their creation, with those that are over, fetched as they are consumed. */
  list(query: Pick<PartQuery, 'limit'> = {}): AsyncGenerator<ManagedApiKey, void> {
    return parts(this.#transport, '/api-keys', query)
  }

  /** One part of the list. */
  part(query: PartQuery = {}): Promise<Part<ManagedApiKey>> {
    return part(this.#transport, '/api-keys', query)
  }

  /** The key itself is in this answer and nowhere else. */
  create(key: NewApiKey): Promise<Revised<IssuedApiKey>> {
    return askRevised(this.#transport, { method: 'POST', path: '/api-keys', body: key })
  }

  show(keyId: string): Promise<Revised<ManagedApiKey>> {
    return askRevised(this.#transport, { method: 'GET', path: `/api-keys/${id(keyId)}` })
  }

  /** Changes what is given and leaves the rest. */
  update(keyId: string, changes: ApiKeyChanges, options: IfMatch = {}): Promise<Revised<ManagedApiKey>> {
    const call = { method: 'PATCH', path: `/api-keys/${id(keyId)}`, body: changes } as const
    return askRevised(this.#transport, { ...call, ...matching(options) })
  }

  /** The next request with it is refused. It stays listed. */
  revoke(keyId: string, options: IfMatch = {}): Promise<void> {
    return ask(this.#transport, { method: 'DELETE', path: `/api-keys/${id(keyId)}`, ...matching(options) })
  }

  /** Makes another key like it; the old one works for so many hours more, 24 unless told. */
  rotate(keyId: string, options: IfMatch & { overlapHours?: number } = {}): Promise<Revised<IssuedApiKey>> {
    const { overlapHours } = options
    const call = { method: 'POST', path: `/api-keys/${id(keyId)}/rotate`, body: { overlapHours } } as const
    return askRevised(this.#transport, { ...call, ...matching(options) })
  }
}
