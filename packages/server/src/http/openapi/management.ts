import type { ApiErrorCode } from '@countersign/protocol/errors.ts'
import type { TSchema } from 'typebox'
import { type AdminRoute, adminTable } from '../admin/routes.ts'
import { type Chapter, type Described, parametersOf } from './described.ts'
import { type Noun, namesIn, operationId } from './names.ts'

const signingIn = 'Sign in'

/** By the segment of a path that means it; the last one of a path says what it is about. */
export const nouns: Record<string, Noun> = {
  session: { tag: signingIn, about: 'Administrators in a browser, by a cookie.', one: 'OwnSession' },
  organization: { tag: 'Manage the organization', about: 'Its name and settings.' },
  settings: { tag: 'Manage the organization', about: '', one: 'Settings' },
  domains: { tag: 'Manage domains', about: 'What users log in to, and how they approve.', one: 'Domain' },
  image: { tag: 'Manage domains', about: '', one: 'Image' },
  users: { tag: 'Manage users', about: 'The people of the organization.', one: 'User' },
  members: { tag: 'Manage members', about: 'The users of a domain.', one: 'Member' },
  tokens: { tag: 'Manage tokens', about: 'Which user has which device in which domain.', one: 'Token' },
  token: { tag: 'Manage tokens', about: '', one: 'Token' },
  sessions: { tag: 'Manage sessions', about: 'Who was asked for what, and the verdicts.', one: 'Session' },
  'bypass-codes': { tag: 'Manage bypass codes', about: 'For users without a phone at hand.', one: 'BypassCode' },
  hardware: { tag: 'Manage hardware tokens', about: 'Devices that show one-time passwords.', one: 'HardwareToken' },
  'hardware-tokens': { tag: 'Manage hardware tokens', about: '', one: 'HardwareToken' },
  'api-keys': { tag: 'Manage API keys', about: 'What applications sign in with.', one: 'ApiKey' },
  administrators: { tag: 'Manage administrators', about: 'Who manages the organization.', one: 'Administrator' },
  'sign-in-link': { tag: 'Manage administrators', about: '', one: 'SignInLink' },
  audit: { tag: 'Audit log', about: 'Who did what, and when.', one: 'AuditEvent' },
}

const json = 'application/json'
const notFound: Record<string, ApiErrorCode> = {
  domainId: 'api.error.notfound.domain',
  userId: 'api.error.notfound.user',
  tokenId: 'api.error.notfound.token',
  sessionId: 'api.error.notfound.session',
  bypassCodeId: 'api.error.notfound.bypasscode',
  hardwareId: 'api.error.notfound.hardware',
  hardwareTokenId: 'api.error.notfound.hardware',
  keyId: 'api.error.notfound.apikey',
  apiKeyId: 'api.error.notfound.apikey',
  administratorId: 'api.error.notfound.administrator',
}

const edited = new Set(adminTable.flatMap(([, path, , operation]) => (operation.takesIfMatch ? [path] : [])))

/** The API of administrators and of what does their work, from the table that serves it. */
export const management: Chapter = {
  title: 'Management API',
  about:
    'What administrators, their panel and automation use. Ordinary REST: 201 for what was created, 204 where there is ' +
    'nothing to say. **Lists** come in parts of `limit` items; send the `next` of one part as `after` to get the next. ' +
    '**Edits**: send the `ETag` of what you saw as `If-Match`, and an edit of what somebody else has changed meanwhile ' +
    'is refused with 412. Members and parameters that are not known are refused. Times are RFC 3339 in UTC.',
  security: ['bearer', 'apiKey', 'cookie'],
  sections: sectionsOf(adminTable),
  operations: adminTable.map(describe),
}

function describe([method, path, permission, operation]: AdminRoute): Described {
  const {
    summary,
    about,
    query,
    body,
    reply,
    consumes,
    produces,
    example,
    takesIfMatch = false,
    refusals = [],
  } = operation
  const mediaType = produces ?? json
  const replies: Record<string, TSchema | undefined> =
    reply || produces ? { [mediaType]: mediaType === json ? reply : undefined } : {}
  return {
    method,
    path: `/admin/v1/${path}`,
    tag: tagOf(path),
    id: operationId(method, path, { noun: (segment) => nouns[segment]?.one, lists: isList(reply) }),
    permission,
    ...(tagOf(path) === signingIn && { security: ['cookie'] }),
    summary,
    ...(about !== undefined && { about }),
    query: query?.properties ?? {},
    takesIfMatch,
    headers: answersEdited(method, path) ? { ETag: 'names this state of the object, for `If-Match`' } : {},
    ...(body && { body }),
    bodyType: consumes ?? json,
    status: operation.status ?? (reply || produces ? 200 : 204),
    replies,
    refusals: [...refusalsOf(path, operation), ...refusals],
    examples: [example ?? {}],
  }
}

// What two people may edit is tagged wherever it is answered, at its creation, too.
function answersEdited(method: string, path: string): boolean {
  if (method === 'DELETE') return false
  const isNewOne = (other: string) => other.startsWith(path) && /^\/:\w+$/.test(other.slice(path.length))
  return edited.has(path) || (method === 'POST' && [...edited].some(isNewOne))
}

function refusalsOf(path: string, { query, body, consumes, takesIfMatch }: AdminRoute[3]): ApiErrorCode[] {
  const unfit = body || consumes || Object.keys(query?.properties ?? {}).length > 0
  return [
    ...(unfit ? (['api.error.badrequest'] as const) : []),
    ...parametersOf(path).flatMap((name) => notFound[name] ?? []),
    ...(takesIfMatch ? (['api.error.preconditionfailed'] as const) : []),
  ]
}

function tagOf(path: string): string {
  const noun = namesIn(path).findLast((segment) => segment in nouns)
  return (noun && nouns[noun]?.tag) || 'Other'
}

function sectionsOf(table: AdminRoute[]): Chapter['sections'] {
  const tags = [...new Set(table.map(([, path]) => tagOf(path)))]
  return tags.map((tag) => ({ tag, about: Object.values(nouns).find((noun) => noun.tag === tag)?.about ?? '' }))
}

function isList(reply: TSchema | undefined): boolean {
  return JSON.stringify(reply)?.startsWith('{"type":"object","required":["items"]') ?? false
}
