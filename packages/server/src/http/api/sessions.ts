import { badRequest } from '../../core/errors.ts'
import { type CreateSession, cancelSession, createSession, getSession, type SessionView } from '../../core/sessions.ts'
import { refuseUnfit } from '../json.ts'
import type { ApiRoute, Incoming } from '../route.ts'
import { wantsDetails } from './media-types.ts'
import { percentDecode } from './percent.ts'
import { type Members, membersOf, pathId, readMembers, readOptionalText, readText } from './request.ts'

const waitMaxSeconds = 25

export const sessionRoutes: ApiRoute[] = [
  {
    method: 'POST',
    path: '/api/domains/:domainId/sessions',
    handle: async (app, actor, request) => sessionReply(await createSession(app, actor, readSession(request)), request),
  },
  {
    method: 'GET',
    path: '/api/domains/:domainId/sessions/:sessionId',
    async handle(app, actor, request) {
      const wait = { waitMs: waitOf(request), readsOnce: isCClient(request), signal: signalOf(request) }
      return sessionReply(await getSession(app, actor, { ...sessionOf(request), ...wait }), request)
    },
  },
  {
    method: 'DELETE',
    path: '/api/domains/:domainId/sessions/:sessionId',
    handle: (app, actor, request) => cancelSession(app, actor, sessionOf(request)),
  },
]

function sessionOf(request: Incoming): { domainId: string; sessionId: string } {
  return { domainId: pathId(request, 'domainId'), sessionId: pathId(request, 'sessionId') }
}

// LoginTC's C client 0.1.0 cuts id and state out at fixed offsets; the number goes only to who asked for one.
function sessionReply(session: SessionView, request: Incoming): object {
  if (wantsDetails(request.headers)) return session
  const { id, state, number } = session
  return number === undefined ? { id, state } : { id, state, number }
}

function waitOf(request: Incoming): number {
  const seconds = Number(new URLSearchParams(request.query).get('wait'))
  return seconds > 0 ? Math.min(seconds, waitMaxSeconds) * 1000 : 0
}

function readSession(request: Incoming): CreateSession {
  const members = readMembers(request)
  return {
    domainId: pathId(request, 'domainId'),
    user: readUser(members, request),
    attributes: readAttributes(members.attributes),
    ipAddress: readOptionalText(members, 'ipAddress'),
    bypasscode: readOptionalText(members, 'bypasscode'),
    otp: readOptionalText(members, 'otp'),
    numberMatching: readFlag(members, 'numberMatching'),
    clientAddress: request.clientAddress,
  }
}

function readUser(members: Members, request: Incoming): CreateSession['user'] {
  if (members.user === undefined) throw badRequest('user', 'It is required.')
  const user = membersOf(members.user, 'user')
  const username = readOptionalText(user, 'username', 'user.')
  if (username !== undefined) return { username: isCClient(request) ? decodedName(username) : username }
  const id = readOptionalText(user, 'id', 'user.')
  if (id === undefined) throw badRequest('user', 'It must have a username or an id.')
  return { id: id.toLowerCase() }
}

// LoginTC's C client 0.1.0, and the PAM module on top of it, percent-encodes every name inside the JSON, so that what it
// sends is never the name itself: taken literally, `w%20x` would be somebody else than the `w x` who logs in.
function decodedName(encoded: string): string {
  const name = percentDecode(encoded)
  refuseUnfit(name, 'user.username')
  return name
}

function isCClient(request: Incoming): boolean {
  return /^LoginTC-C\//i.test(request.headers['user-agent'] ?? '')
}

/** A list of {key, value}, or what PHP makes of an associative array: an object; of none: null. */
function readAttributes(value: unknown): CreateSession['attributes'] {
  if (value === undefined || value === null) return []
  if (!Array.isArray(value)) {
    const map = membersOf(value, 'attributes')
    return Object.keys(map).map((key) => ({ key, value: readText(map, key, 'attributes.') }))
  }
  return value.map((item: unknown, index) => {
    const within = `attributes[${index}]`
    const attribute = membersOf(item, within)
    return { key: readText(attribute, 'key', `${within}.`), value: readText(attribute, 'value', `${within}.`) }
  })
}

function readFlag(members: Members, name: string): boolean {
  const value = members[name] ?? false
  if (typeof value !== 'boolean') throw badRequest(name, 'It must be true or false.')
  return value
}

/** The PAM module reads once: it has no other node to ask. */
function signalOf(request: Incoming): AbortSignal {
  return isCClient(request) ? request.signal : request.pollSignal
}
