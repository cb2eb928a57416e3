import type {
  DetailedSession,
  Domain,
  Organization,
  Ping,
  Session,
  Token,
  User,
} from '@countersign/protocol/resources.ts'
import { type Call, CountersignError, countersignType, type RestTransport, request } from './rest-request.ts'
import { retryDelaysMs, sleep } from './retry.ts'

export { CountersignError } from './rest-request.ts'

const waitSecondsMax = 25
const pollPauseMs = 1000

/** Where the server is and which key opens it. */
export interface ClientOptions {
  /** origin of the REST API, such as https://mfa.example.org */
  url: string
  /** 64 letters and digits */
  apiKey: string
  fetch?: typeof fetch
  /** how long one request may take, 30 s by default; a long poll adds what it waits for */
  timeoutMs?: number
  /** the pauses between repetitions of a request that got no answer */
  retryDelaysMs?: readonly number[]
}

/** A user to create, or a member that a list of members names. */
export interface NewUser {
  username: string
  name?: string
  email?: string
}

/** Who signs in, and by what: nothing for a push to the authenticator, or one of the two codes. */
export interface NewSession {
  user: { id: string } | { username: string }
  attributes?: { key: string; value: string }[]
  ipAddress?: string
  bypasscode?: string
  otp?: string
  /** asks for a number that the login page shows and the user types into the authenticator */
  numberMatching?: boolean
}

/** A session as this server tells it, or as any server with LoginTC's API does. */
export type SessionAnswer = Session & Partial<DetailedSession>

/** Client of the REST API. Every method throws CountersignError when the server refuses or does not answer. */
export class CountersignClient {
  readonly #transport: RestTransport

  constructor(options: ClientOptions) {
    const { url, apiKey } = options
    this.#transport = {
      url,
      apiKey,
      fetch: options.fetch ?? globalThis.fetch,
      timeoutMs: options.timeoutMs ?? 30_000,
      retryDelaysMs: options.retryDelaysMs ?? retryDelaysMs,
    }
  }

  /** Whether the server is there and the key is good. */
  ping(): Promise<Ping> {
    return this.#ask({ method: 'GET', path: '/ping' })
  }

  organization(): Promise<Organization> {
    return this.#ask({ method: 'GET', path: '/organization' })
  }

  /** Every user of the organization, fetched page by page as they are consumed. */
  users(): AsyncGenerator<User, void> {
    return this.#pages('/users')
  }

  /** The user of this name, in any case; undefined when there is none. */
  async findUser(username: string): Promise<User | undefined> {
    try {
      return await this.#ask({ method: 'GET', path: `/users?username=${encodeURIComponent(username)}` })
    } catch (error) {
      if (error instanceof CountersignError && error.code === 'api.error.notfound.user') return undefined
      throw error
    }
  }

  createUser(user: NewUser): Promise<User> {
    return this.#ask({ method: 'POST', path: '/users', body: user })
  }

  getUser(userId: string): Promise<User> {
    return this.#ask({ method: 'GET', path: `/users/${id(userId)}` })
  }

  /** Changes what is given and leaves the rest. */
  updateUser(userId: string, changes: { name?: string; email?: string }): Promise<User> {
    return this.#ask({ method: 'PUT', path: `/users/${id(userId)}`, body: changes })
  }

  /** Removes the user with memberships, tokens and codes; pending sessions are denied. */
  deleteUser(userId: string): Promise<void> {
    return this.#ask({ method: 'DELETE', path: `/users/${id(userId)}` })
  }

  getDomain(domainId: string): Promise<Domain> {
    return this.#ask({ method: 'GET', path: `/domains/${id(domainId)}` })
  }

  /** Every member of a domain, fetched page by page as they are consumed. */
  members(domainId: string): AsyncGenerator<User, void> {
    return this.#pages(`/domains/${id(domainId)}/users`)
  }

  getMember(domainId: string, userId: string): Promise<User> {
    return this.#ask({ method: 'GET', path: memberPath(domainId, userId) })
  }

  addMember(domainId: string, userId: string): Promise<void> {
    return this.#ask({ method: 'PUT', path: memberPath(domainId, userId) })
  }

  /** Takes a user out of a domain; the token there is revoked. */
  removeMember(domainId: string, userId: string): Promise<void> {
    return this.#ask({ method: 'DELETE', path: memberPath(domainId, userId) })
  }

  /** Makes these users the members, creating those the organization lacks. Whoever is not listed loses membership and token. */
  replaceMembers(domainId: string, users: NewUser[]): Promise<void> {
    return this.#ask({ method: 'PUT', path: `/domains/${id(domainId)}/users`, body: users, timeoutMs: 300_000 })
  }

  /** A pending token with its activation code; what is pending or active already stays as it is. */
  createToken(domainId: string, userId: string): Promise<Token> {
    return this.#ask({ method: 'PUT', path: `${memberPath(domainId, userId)}/token` })
  }

  /** The token, or CountersignError `api.error.notfound.token`. */
  getToken(domainId: string, userId: string): Promise<Token> {
    return this.#ask({ method: 'GET', path: `${memberPath(domainId, userId)}/token` })
  }

  /** Revokes the token: from now on it approves nothing, pending sessions included. */
  revokeToken(domainId: string, userId: string): Promise<void> {
    return this.#ask({ method: 'DELETE', path: `${memberPath(domainId, userId)}/token` })
  }

  /** Starts an authentication. With a code the answer is final, otherwise `pending` until the user answers. */
  createSession(domainId: string, session: NewSession): Promise<SessionAnswer> {
    const path = `/domains/${id(domainId)}/sessions`
    return this.#ask({ method: 'POST', path, body: session, accept: countersignType })
  }

  getSession(domainId: string, sid: string): Promise<SessionAnswer> {
    return this.#ask({ method: 'GET', path: sessionPath(domainId, sid), accept: countersignType })
  }

  /** Withdraws a request: the authenticator drops it, and the session reads `denied`. */
  cancelSession(domainId: string, sid: string): Promise<void> {
    return this.#ask({ method: 'DELETE', path: sessionPath(domainId, sid) })
  }

  /**
   * Waits until a session is approved or denied and returns it; after `timeoutMs` (10 minutes by default) it is returned
   * as it is, so only `approved` lets anybody in. Uses the server's long poll, and asks each second where there is none.
   */
  async waitForSession(domainId: string, sid: string, options: WaitOptions = {}): Promise<SessionAnswer> {
    const end = Date.now() + (options.timeoutMs ?? 600_000)
    for (;;) {
      const asked = Date.now()
      const session = await this.#poll(domainId, sid, { leftMs: end - asked, signal: options.signal })
      const now = Date.now()
      if (session.state !== 'pending' || now >= end) return session
      if (now - asked < pollPauseMs) await sleep(Math.min(pollPauseMs, end - now), options.signal)
    }
  }

  #poll(domainId: string, sid: string, { leftMs, signal }: Poll): Promise<SessionAnswer> {
    const wait = Math.min(waitSecondsMax, Math.max(0, Math.ceil(leftMs / 1000)))
    return this.#ask({
      method: 'GET',
      path: `${sessionPath(domainId, sid)}?wait=${wait}`,
      accept: countersignType,
      timeoutMs: this.#transport.timeoutMs + wait * 1000,
      ...(signal && { signal }),
    })
  }

  async *#pages(path: string): AsyncGenerator<User, void> {
    for (let page = 1, linked = false; ; page++) {
      const { body, headers } = await request(this.#transport, { method: 'GET', path: `${path}?page=${page}` })
      if (!Array.isArray(body) || body.length === 0) return
      yield* body
      const next = /rel="?next"?/.test(headers.get('link') ?? '')
      // LoginTC's own servers send no Link header: there the first empty page is the end.
      if (linked && !next) return
      linked = next
    }
  }

  // The one place where an answer is believed to have the documented shape: the server at this URL is the trusted party.
  async #ask<Answer>(call: Call): Promise<Answer> {
    return (await request(this.#transport, call)).body as Answer
  }
}

/** How long to wait for a session, and a way to stop earlier. */
export interface WaitOptions {
  timeoutMs?: number
  signal?: AbortSignal
}

interface Poll {
  leftMs: number
  signal: AbortSignal | undefined
}

function memberPath(domainId: string, userId: string): string {
  return `/domains/${id(domainId)}/users/${id(userId)}`
}

function sessionPath(domainId: string, sid: string): string {
  return `/domains/${id(domainId)}/sessions/${id(sid)}`
}

/** An id that cannot leave its place in a path. */
function id(value: string): string {
  if (!/^[0-9a-f]{40}$/i.test(value)) throw new TypeError(`Not an id (40 hexadecimal digits): ${JSON.stringify(value)}`)
  return value
}
