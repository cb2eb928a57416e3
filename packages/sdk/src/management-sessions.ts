import type {
  Administrator,
  ManagedSession,
  Part,
  PartQuery,
  SessionQuery,
  ShownSession,
  SignedIn,
} from '@countersign/protocol/management.ts'
import { id } from './ids.ts'
import { part, parts } from './rest-pages.ts'
import { ask, type RestTransport } from './rest-request.ts'

/** Who was asked for what, and the verdicts. */
export class SessionCalls {
  readonly #transport: RestTransport

  constructor(transport: RestTransport) {
    this.#transport = transport
  }

  /** Every session, the newest first, fetched as they are consumed. */
  list(query: SessionQuery & Pick<PartQuery, 'limit'> = {}): AsyncGenerator<ManagedSession, void> {
    return parts(this.#transport, '/sessions', query)
  }

  /** One part of the list. */
  part(query: SessionQuery & PartQuery = {}): Promise<Part<ManagedSession>> {
    return part(this.#transport, '/sessions', query)
  }

  /** A session with what the user was shown. */
  show(sessionId: string): Promise<ShownSession> {
    return ask(this.#transport, { method: 'GET', path: `/sessions/${id(sessionId)}` })
  }

  /** Withdraws a request, and takes an approval back. */
  cancel(sessionId: string): Promise<void> {
    return ask(this.#transport, { method: 'DELETE', path: `/sessions/${id(sessionId)}` })
  }
}

/** An administrator's own session in a browser, by a cookie. */
export class SignInCalls {
  readonly #transport: RestTransport

  constructor(transport: RestTransport) {
    this.#transport = transport
  }

  /** Signs in by what follows `#sign-in=` in a link, once: the browser gets the cookie. */
  create(secret: string): Promise<{ administrator: Administrator }> {
    return ask(this.#transport, { method: 'POST', path: '/session', body: { secret } })
  }

  /** Who is signed in. A key is nobody: `api.error.forbidden`. */
  show(): Promise<SignedIn> {
    return ask(this.#transport, { method: 'GET', path: '/session' })
  }

  /** Signs out. */
  delete(): Promise<void> {
    return ask(this.#transport, { method: 'DELETE', path: '/session' })
  }
}
