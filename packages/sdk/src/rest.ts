import type { BypassCode, Domain, HardwareToken, Organization, Ping, User } from '@countersign/protocol/resources.ts'
import { id } from './ids.ts'
import { CountersignError } from './rest-errors.ts'
import { listOf, numbered, numberedPath } from './rest-pages.ts'
import { ask, type Call, type ClientOptions, type RestTransport, request, transportOf } from './rest-request.ts'
import type { NewBypassCode, NewHardwareToken, NewSession, NewUser, SessionAnswer, TokenAnswer } from './rest-values.ts'
import { type WaitOptions, waitForDecision } from './session-wait.ts'

export type {
  BypassCode,
  Domain,
  HardwareToken,
  Organization,
  Ping,
  SessionState,
  User,
} from '@countersign/protocol/resources.ts'
export { CountersignError, type CountersignErrorCode } from './rest-errors.ts'
export type { ClientOptions } from './rest-request.ts'
export type {
  NewBypassCode,
  NewHardwareToken,
  NewSession,
  NewUser,
  SessionAnswer,
  TokenAnswer,
} from './rest-values.ts'
export type { WaitOptions } from './session-wait.ts'

const loginTc = { path: '/api', mediaType: 'application/vnd.logintc.v1+json' }

/** Asks for what this server answers beyond LoginTC's API. */
const detailed = 'application/vnd.countersign.v1+json'

/**
 * Client of the REST API. Every method throws CountersignError when the server refuses or does not answer, and TypeError for
 * an id that cannot be one.
 */
export class CountersignClient {
  readonly #transport: RestTransport

  constructor(options: ClientOptions) {
    this.#transport = transportOf(options, loginTc)
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
    return numbered(this.#transport, '/users')
  }

  /** One page of the users, 100 long, by creation; the first is 1. Beyond the last it is empty. */
  getUsersPage(page: number): Promise<User[]> {
    return this.#list(numberedPath('/users', page))
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

  /** The domain's picture, a PNG; the server's own one where none was set. */
  async getDomainImage(domainId: string): Promise<Uint8Array> {
    const call: Call = { method: 'GET', path: `/domains/${id(domainId)}/image`, accept: 'image/png' }
    return (await request(this.#transport, call)).bytes
  }

  /** Every member of a domain, fetched page by page as they are consumed. */
  members(domainId: string): AsyncGenerator<User, void> {
    return numbered(this.#transport, `/domains/${id(domainId)}/users`)
  }

  /** One page of the members; see getUsersPage. */
  getMembersPage(domainId: string, page: number): Promise<User[]> {
    return this.#list(numberedPath(`/domains/${id(domainId)}/users`, page))
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
  createToken(domainId: string, userId: string): Promise<TokenAnswer> {
    return this.#ask({ method: 'PUT', path: `${memberPath(domainId, userId)}/token`, accept: detailed })
  }

  /** The token, or CountersignError `api.error.notfound.token`. */
  getToken(domainId: string, userId: string): Promise<TokenAnswer> {
    return this.#ask({ method: 'GET', path: `${memberPath(domainId, userId)}/token`, accept: detailed })
  }

  /** Revokes the token: from now on it approves nothing, pending sessions included. */
  revokeToken(domainId: string, userId: string): Promise<void> {
    return this.#ask({ method: 'DELETE', path: `${memberPath(domainId, userId)}/token` })
  }

  /** Starts an authentication. With a code the answer is final, otherwise `pending` until the user answers. */
  createSession(domainId: string, session: NewSession): Promise<SessionAnswer> {
    const path = `/domains/${id(domainId)}/sessions`
    return this.#ask({ method: 'POST', path, body: session, accept: detailed })
  }

  getSession(domainId: string, sid: string): Promise<SessionAnswer> {
    return this.#ask({ method: 'GET', path: sessionPath(domainId, sid), accept: detailed })
  }

  /** Withdraws a request: the authenticator drops it, and the session reads `denied`. */
  cancelSession(domainId: string, sid: string): Promise<void> {
    return this.#ask({ method: 'DELETE', path: sessionPath(domainId, sid) })
  }

  /**
   * Waits until a session is approved or denied and returns it; after `timeoutMs` (10 minutes by default) it is returned
   * as it is, so only `approved` lets anybody in. Uses the server's long poll, and asks each second where there is none.
   * Throws the signal's reason when it is aborted.
   */
  waitForSession(domainId: string, sid: string, options: WaitOptions = {}): Promise<SessionAnswer> {
    const path = sessionPath(domainId, sid)
    return waitForDecision(this.#transport, { method: 'GET', path, accept: detailed }, options)
  }

  /** The user's bypass codes, used-up ones included. */
  listBypassCodes(userId: string): Promise<BypassCode[]> {
    return this.#list(`/users/${id(userId)}/bypasscodes`)
  }

  /** A code that signs the user in without a token. A user has at most five live ones. */
  createBypassCode(userId: string, code: NewBypassCode = {}): Promise<BypassCode> {
    return this.#ask({ method: 'POST', path: `/users/${id(userId)}/bypasscodes`, body: code })
  }

  getBypassCode(bypassCodeId: string): Promise<BypassCode> {
    return this.#ask({ method: 'GET', path: `/bypasscodes/${id(bypassCodeId)}` })
  }

  /** From now on the code opens nothing. */
  deleteBypassCode(bypassCodeId: string): Promise<void> {
    return this.#ask({ method: 'DELETE', path: `/bypasscodes/${id(bypassCodeId)}` })
  }

  /** Deletes every bypass code of the user. */
  deleteBypassCodes(userId: string): Promise<void> {
    return this.#ask({ method: 'DELETE', path: `/users/${id(userId)}/bypasscodes` })
  }

  /** Every hardware token of the organization, fetched page by page as they are consumed. */
  hardwareTokens(): AsyncGenerator<HardwareToken, void> {
    return numbered(this.#transport, '/hardware')
  }

  /** One page of the hardware tokens; see getUsersPage. */
  getHardwareTokensPage(page: number): Promise<HardwareToken[]> {
    return this.#list(numberedPath('/hardware', page))
  }

  createHardwareToken(token: NewHardwareToken): Promise<HardwareToken> {
    return this.#ask({ method: 'POST', path: '/hardware', body: token })
  }

  getHardwareToken(hardwareId: string): Promise<HardwareToken> {
    return this.#ask({ method: 'GET', path: `/hardware/${id(hardwareId)}` })
  }

  /** Changes the alias; nothing else of a hardware token can be changed. */
  updateHardwareToken(hardwareId: string, changes: { alias?: string }): Promise<HardwareToken> {
    return this.#ask({ method: 'PUT', path: `/hardware/${id(hardwareId)}`, body: changes })
  }

  deleteHardwareToken(hardwareId: string): Promise<void> {
    return this.#ask({ method: 'DELETE', path: `/hardware/${id(hardwareId)}` })
  }

  /** The user's hardware token, or CountersignError `api.error.notfound.hardware`. */
  getUserHardwareToken(userId: string): Promise<HardwareToken> {
    return this.#ask({ method: 'GET', path: `/users/${id(userId)}/hardware` })
  }

  /** Hands a hardware token to a user, in the place of one the user may have. It must not be somebody else's. */
  assignHardwareToken(userId: string, hardwareId: string): Promise<void> {
    return this.#ask({ method: 'PUT', path: `/users/${id(userId)}/hardware/${id(hardwareId)}` })
  }

  /** Takes the user's hardware token back; it can be assigned again. */
  unassignHardwareToken(userId: string): Promise<void> {
    return this.#ask({ method: 'DELETE', path: `/users/${id(userId)}/hardware` })
  }

  #ask<Body>(call: Call): Promise<Body> {
    return ask(this.#transport, call)
  }

  async #list<Item>(path: string): Promise<Item[]> {
    return listOf(await request(this.#transport, { method: 'GET', path }))
  }
}

function memberPath(domainId: string, userId: string): string {
  return `/domains/${id(domainId)}/users/${id(userId)}`
}

function sessionPath(domainId: string, sid: string): string {
  return `/domains/${id(domainId)}/sessions/${id(sid)}`
}
