import type {
  Administrator,
  AdministratorChanges,
  NewAdministrator,
  Part,
  PartQuery,
  SignInLink,
} from '@countersign/protocol/management.ts'
import { id } from './ids.ts'
import { askRevised, type IfMatch, matching, type Revised } from './management-revisions.ts'
import { part, parts } from './rest-pages.ts'
import { ask, type RestTransport } from './rest-request.ts'

/** Who manages the organization. */
export class AdministratorCalls {
  readonly #transport: RestTransport

  constructor(transport: RestTransport) {
    this.#transport = transport
  }

  /** Every administrator, in the order of their addresses, fetched as they are consumed. */
  list(query: Pick<PartQuery, 'limit'> = {}): AsyncGenerator<Administrator, void> {
    return parts(this.#transport, '/administrators', query)
  }

  /** One part of the list. */
  part(query: PartQuery = {}): Promise<Part<Administrator>> {
    return part(this.#transport, '/administrators', query)
  }

  /** Nobody is written to: make a sign-in link and hand it over. */
  create(administrator: NewAdministrator): Promise<Revised<Administrator>> {
    return askRevised(this.#transport, { method: 'POST', path: '/administrators', body: administrator })
  }

  show(administratorId: string): Promise<Revised<Administrator>> {
    return askRevised(this.#transport, { method: 'GET', path: pathOf(administratorId) })
  }

  /** Changes what is given and leaves the rest. */
  update(
    administratorId: string,
    changes: AdministratorChanges,
    options: IfMatch = {},
  ): Promise<Revised<Administrator>> {
    const call = { method: 'PATCH', path: pathOf(administratorId), body: changes } as const
    return askRevised(this.#transport, { ...call, ...matching(options) })
  }

  /** With all sessions, at once. */
  delete(administratorId: string, options: IfMatch = {}): Promise<void> {
    return ask(this.#transport, { method: 'DELETE', path: pathOf(administratorId), ...matching(options) })
  }

  /** A link that signs in once, within 15 minutes; an earlier one is void. */
  createSignInLink(administratorId: string): Promise<SignInLink> {
    return ask(this.#transport, { method: 'POST', path: `${pathOf(administratorId)}/sign-in-link` })
  }
}

function pathOf(administratorId: string): string {
  return `/administrators/${id(administratorId)}`
}
