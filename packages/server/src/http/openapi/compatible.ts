import type { ApiErrorCode } from '@countersign/protocol/errors.ts'
import type { TSchema } from 'typebox'
import { apiRoutes } from '../api/routes.ts'
import { bypassCodePaths } from './compatible/bypass-codes.ts'
import { domainPaths } from './compatible/domains.ts'
import { hardwareTokenPaths } from './compatible/hardware-tokens.ts'
import { memberPaths } from './compatible/members.ts'
import { type CompatiblePath, type CompatiblePaths, compatibleType, detailedType } from './compatible/objects.ts'
import { organizationPaths } from './compatible/organization.ts'
import { sessionPaths } from './compatible/sessions.ts'
import { tokenPaths } from './compatible/tokens.ts'
import { userPaths } from './compatible/users.ts'
import { type Chapter, type Described, parametersOf } from './described.ts'

const sections: { tag: string; about: string; paths: CompatiblePaths }[] = [
  { tag: 'Organization', about: 'Whom a key belongs to.', paths: organizationPaths },
  { tag: 'Users', about: 'The people of the organization.', paths: userPaths },
  { tag: 'Domains', about: 'What users log in to, and how they approve.', paths: domainPaths },
  { tag: 'Members', about: 'The users of a domain.', paths: memberPaths },
  { tag: 'Tokens', about: 'A user’s credential in a domain: one, on the user’s device.', paths: tokenPaths },
  { tag: 'Sessions', about: 'Questions whether it is really the user, and their verdicts.', paths: sessionPaths },
  { tag: 'Bypass codes', about: 'For a user without a phone at hand.', paths: bypassCodePaths },
  { tag: 'Hardware tokens', about: 'Devices that show one-time passwords.', paths: hardwareTokenPaths },
]

const notFound: Record<string, ApiErrorCode> = {
  domainId: 'api.error.notfound.domain',
  userId: 'api.error.notfound.user',
  bypassCodeId: 'api.error.notfound.bypasscode',
  hardwareId: 'api.error.notfound.hardware',
}

/** What LoginTC's clients speak. A route without a description is left out; a test finds it. */
export const compatible: Chapter = {
  title: 'REST API',
  about:
    'What applications use; it is compatible with LoginTC’s REST API 1.3. Success is 200, always. Bodies are JSON, ' +
    'whatever their `Content-Type` says. Ids are 40 hexadecimal digits. ' +
    'Details are in `docs/specs/rest-api.md`.',
  security: ['apiKey'],
  sections,
  operations: apiRoutes.flatMap(({ method, path }) =>
    sections.flatMap(({ tag, paths }) => {
      const described = paths[`${method} ${path}`]
      return described ? [describe({ method, path, tag }, described)] : []
    }),
  ),
}

function describe(place: Pick<Described, 'method' | 'path' | 'tag'>, path: CompatiblePath): Described {
  const { reply: _reply, detailed: _detailed, produces: _produces, ...told } = path
  return {
    ...told,
    ...place,
    query: path.query ?? {},
    headers: path.headers ?? {},
    takesIfMatch: false,
    bodyType: compatibleType,
    status: 200,
    replies: repliesOf(path),
    refusals: refusalsOf(place.path, path),
  }
}

function repliesOf({ reply, detailed, produces }: CompatiblePath): Record<string, TSchema | undefined> {
  if (produces) return { [produces]: undefined }
  return { ...(reply && { [compatibleType]: reply }), ...(detailed && { [detailedType]: detailed }) }
}

// A session is found by its own domain id, whatever became of the domain.
function refusalsOf(path: string, { body, refusals = [] }: CompatiblePath): ApiErrorCode[] {
  const names = parametersOf(path)
  const missing = names.includes('sessionId') ? (['api.error.notfound.session'] as const) : namesMissing(names)
  return [...(body ? (['api.error.badrequest'] as const) : []), ...missing, ...refusals]
}

function namesMissing(names: string[]): ApiErrorCode[] {
  return names.flatMap((name) => notFound[name] ?? [])
}
