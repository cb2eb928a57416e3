import type {
  ActivationCode,
  IssuedToken,
  ManagedToken,
  Part,
  PartQuery,
  TokenQuery,
} from '@countersign/protocol/management.ts'
import { id } from './ids.ts'
import { memberPath } from './management-members.ts'
import { part, parts } from './rest-pages.ts'
import { ask, type RestTransport } from './rest-request.ts'

/** Which user has which device in which domain. */
export class TokenCalls {
  readonly #transport: RestTransport

  constructor(transport: RestTransport) {
    this.#transport = transport
  }

  /** Every token, the newest first, with those that have ended, fetched as they are consumed. */
  list(query: TokenQuery & Pick<PartQuery, 'limit'> = {}): AsyncGenerator<ManagedToken, void> {
    return parts(this.#transport, '/tokens', query)
  }

  /** One part of the list. */
  part(query: TokenQuery & PartQuery = {}): Promise<Part<ManagedToken>> {
    return part(this.#transport, '/tokens', query)
  }

  /** The same of one user; an unknown one is an error. */
  listOfUser(userId: string, query: Pick<PartQuery, 'limit'> = {}): AsyncGenerator<ManagedToken, void> {
    return parts(this.#transport, `/users/${id(userId)}/tokens`, query)
  }

  /** One part of the list of one user. */
  partOfUser(userId: string, query: PartQuery = {}): Promise<Part<ManagedToken>> {
    return part(this.#transport, `/users/${id(userId)}/tokens`, query)
  }

  /** The pending or active token of a member, without its code. */
  show(domainId: string, userId: string): Promise<ManagedToken> {
    return ask(this.#transport, { method: 'GET', path: tokenPath(domainId, userId) })
  }

  /** A pending token with its activation code; what is pending or active already stays as it is. */
  create(domainId: string, userId: string): Promise<IssuedToken> {
    return ask(this.#transport, { method: 'PUT', path: tokenPath(domainId, userId) })
  }

  /** Revokes it for good: from now on it approves nothing, pending sessions included. */
  revoke(domainId: string, userId: string): Promise<void> {
    return ask(this.#transport, { method: 'DELETE', path: tokenPath(domainId, userId) })
  }

  /** The code of a pending token. That it was revealed, and to whom, is recorded. */
  showCode(domainId: string, userId: string): Promise<ActivationCode> {
    return ask(this.#transport, { method: 'GET', path: `${tokenPath(domainId, userId)}/code` })
  }

  /** Ends the token and makes another one with a new code, at once: for a new phone. */
  reissue(domainId: string, userId: string): Promise<ActivationCode> {
    return ask(this.#transport, { method: 'POST', path: `${tokenPath(domainId, userId)}/reissue` })
  }

  /** Ends a suspension before its time. */
  resume(domainId: string, userId: string): Promise<void> {
    return ask(this.#transport, { method: 'POST', path: `${tokenPath(domainId, userId)}/resume` })
  }
}

function tokenPath(domainId: string, userId: string): string {
  return `${memberPath(domainId, userId)}/token`
}
