import type { ManagedBypassCode, NewManagedBypassCode, Part, PartQuery } from '@countersign/protocol/management.ts'
import { id } from './ids.ts'
import { part, parts } from './rest-pages.ts'
import { ask, type RestTransport } from './rest-request.ts'

/** For users without a phone at hand. That a code was read is recorded. */
export class BypassCodeCalls {
  readonly #transport: RestTransport

  constructor(transport: RestTransport) {
    this.#transport = transport
  }

  /** The bypass codes of a user, used-up and expired ones too, the oldest first, fetched as they are consumed. */
  list(userId: string, query: Pick<PartQuery, 'limit'> = {}): AsyncGenerator<ManagedBypassCode, void> {
    return parts(this.#transport, `/users/${id(userId)}/bypass-codes`, query)
  }

  /** One part of the list. */
  part(userId: string, query: PartQuery = {}): Promise<Part<ManagedBypassCode>> {
    return part(this.#transport, `/users/${id(userId)}/bypass-codes`, query)
  }

  /** A code that signs the user in without a token. A user has at most five live ones. */
  create(userId: string, code: NewManagedBypassCode = {}): Promise<ManagedBypassCode> {
    return ask(this.#transport, { method: 'POST', path: `/users/${id(userId)}/bypass-codes`, body: code })
  }

  show(bypassCodeId: string): Promise<ManagedBypassCode> {
    return ask(this.#transport, { method: 'GET', path: `/bypass-codes/${id(bypassCodeId)}` })
  }

  /** From now on the code opens nothing. */
  delete(bypassCodeId: string): Promise<void> {
    return ask(this.#transport, { method: 'DELETE', path: `/bypass-codes/${id(bypassCodeId)}` })
  }
}
