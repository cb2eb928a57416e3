import type {
  ManagedUser,
  NewManagedUser,
  Part,
  PartQuery,
  UserChanges,
  UserQuery,
} from '@countersign/protocol/management.ts'
import { id } from './ids.ts'
import { askRevised, type IfMatch, matching, type Revised } from './management-revisions.ts'
import { part, parts } from './rest-pages.ts'
import { ask, type RestTransport } from './rest-request.ts'

/** The people of the organization. */
export class UserCalls {
  readonly #transport: RestTransport

  constructor(transport: RestTransport) {
    this.#transport = transport
  }

  /** Every user, in the order of their names, fetched as they are consumed. */
  list(query: UserQuery & Pick<PartQuery, 'limit'> = {}): AsyncGenerator<ManagedUser, void> {
    return parts(this.#transport, '/users', query)
  }

  /** One part of the list. */
  part(query: UserQuery & PartQuery = {}): Promise<Part<ManagedUser>> {
    return part(this.#transport, '/users', query)
  }

  create(user: NewManagedUser): Promise<Revised<ManagedUser>> {
    return askRevised(this.#transport, { method: 'POST', path: '/users', body: user })
  }

  show(userId: string): Promise<Revised<ManagedUser>> {
    return askRevised(this.#transport, { method: 'GET', path: `/users/${id(userId)}` })
  }

  /** Changes what is given and leaves the rest. The revision is of the name and the address only. */
  update(userId: string, changes: UserChanges, options: IfMatch = {}): Promise<Revised<ManagedUser>> {
    const call = { method: 'PATCH', path: `/users/${id(userId)}`, body: changes } as const
    return askRevised(this.#transport, { ...call, ...matching(options) })
  }

  /** Removes the user with memberships, tokens and codes; pending sessions are denied. There is no way back. */
  delete(userId: string, options: IfMatch = {}): Promise<void> {
    return ask(this.#transport, { method: 'DELETE', path: `/users/${id(userId)}`, ...matching(options) })
  }

  /** Ends the lock that too many wrong codes led to. */
  unlock(userId: string): Promise<void> {
    return ask(this.#transport, { method: 'POST', path: `/users/${id(userId)}/unlock` })
  }
}
