import type { ManagedOrganization, OrganizationChanges } from '@countersign/protocol/management.ts'
import { askRevised, type IfMatch, matching, type Revised } from './management-revisions.ts'
import type { RestTransport } from './rest-request.ts'

/** The organization that the key, or the administrator, belongs to. */
export class OrganizationCalls {
  readonly #transport: RestTransport

  constructor(transport: RestTransport) {
    this.#transport = transport
  }

  show(): Promise<Revised<ManagedOrganization>> {
    return askRevised(this.#transport, { method: 'GET', path: '/organization' })
  }

  /** Renames it. */
  update(changes: OrganizationChanges, options: IfMatch = {}): Promise<Revised<ManagedOrganization>> {
    const call = { method: 'PATCH', path: '/organization', body: changes } as const
    return askRevised(this.#transport, { ...call, ...matching(options) })
  }
}
