import type { ManagedOrganization, OrganizationChanges, Settings } from '@countersign/protocol/management.ts'
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

/** The limits of the organization. */
export class SettingsCalls {
  readonly #transport: RestTransport

  constructor(transport: RestTransport) {
    this.#transport = transport
  }

  show(): Promise<Revised<Settings>> {
    return askRevised(this.#transport, { method: 'GET', path: '/settings' })
  }

  /** Changes those that are named, on every node from the next request on. */
  update(changes: Partial<Settings>, options: IfMatch = {}): Promise<Revised<Settings>> {
    const call = { method: 'PATCH', path: '/settings', body: changes } as const
    return askRevised(this.#transport, { ...call, ...matching(options) })
  }
}
