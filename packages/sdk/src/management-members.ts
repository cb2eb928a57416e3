import type { ManagedUser, Part, PartQuery, UserQuery } from '@countersign/protocol/management.ts'
import { id } from './ids.ts'
import { part, parts } from './rest-pages.ts'
import { ask, type RestTransport } from './rest-request.ts'

/** The users of a domain. */
export class MemberCalls {
  readonly #transport: RestTransport

  constructor(transport: RestTransport) {
    this.#transport = transport
  }

  /** Every member, in the order of their names, fetched as they are consumed. */
  list(domainId: string, query: UserQuery & Pick<PartQuery, 'limit'> = {}): AsyncGenerator<ManagedUser, void> {
    return parts(this.#transport, `/domains/${id(domainId)}/members`, query)
  }

  /** One part of the list. */
  part(domainId: string, query: UserQuery & PartQuery = {}): Promise<Part<ManagedUser>> {
    return part(this.#transport, `/domains/${id(domainId)}/members`, query)
  }

  /** Makes a user a member; once more changes nothing. */
  add(domainId: string, userId: string): Promise<void> {
    return ask(this.#transport, { method: 'PUT', path: memberPath(domainId, userId) })
  }

  /** Takes a user out of a domain; the token there is revoked. */
  remove(domainId: string, userId: string): Promise<void> {
    return ask(this.#transport, { method: 'DELETE', path: memberPath(domainId, userId) })
  }
}

/** Where a member is found, and below it the token. */
export function memberPath(domainId: string, userId: string): string {
  return `/domains/${id(domainId)}/members/${id(userId)}`
}
