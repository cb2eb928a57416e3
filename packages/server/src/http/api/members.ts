import { badRequest } from '../../core/errors.ts'
import { addMember, getMember, listMembers, removeMember, replaceMembers } from '../../core/members.ts'
import type { ApiRoute, Incoming } from '../route.ts'
import { pageAnswer, pageOf } from './pages.ts'
import { membersOf, pathId, readBody, readOptionalText, readText } from './request.ts'

/** A list of 50,000 users and more comes in one body. */
const listBytesMax = 64 * 1024 * 1024

export const memberRoutes: ApiRoute[] = [
  {
    method: 'GET',
    path: '/api/domains/:domainId/users',
    async handle(app, actor, request) {
      const domainId = pathId(request, 'domainId')
      const page = pageOf(request)
      const { users, more } = await listMembers(app, actor, { domainId, page })
      return pageAnswer(users, more ? { path: `/api/domains/${domainId}/users`, page: page + 1 } : undefined)
    },
  },
  {
    method: 'PUT',
    path: '/api/domains/:domainId/users',
    bodyBytesMax: listBytesMax,
    async handle(app, actor, request) {
      return replaceMembers(app, actor, { domainId: pathId(request, 'domainId'), members: readList(request) })
    },
  },
  {
    method: 'GET',
    path: '/api/domains/:domainId/users/:userId',
    handle: (app, actor, request) => getMember(app, actor, memberOf(request)),
  },
  {
    method: 'PUT',
    path: '/api/domains/:domainId/users/:userId',
    handle: (app, actor, request) => addMember(app, actor, memberOf(request)),
  },
  {
    method: 'DELETE',
    path: '/api/domains/:domainId/users/:userId',
    handle: (app, actor, request) => removeMember(app, actor, memberOf(request)),
  },
]

/** The user of a domain that a path names. */
export function memberOf(request: Incoming): { domainId: string; userId: string } {
  return { domainId: pathId(request, 'domainId'), userId: pathId(request, 'userId') }
}

function readList(request: Incoming): { username: string; name?: string; email?: string }[] {
  const list = readBody(request)
  // No body must not pass for an empty list: that one removes everybody.
  if (!Array.isArray(list)) throw badRequest('body', 'It must be an array of users.')
  return list.map((item: unknown, index) => {
    const user = membersOf(item, `[${index}]`)
    const within = `[${index}].`
    const username = readText(user, 'username', within)
    return { username, name: readOptionalText(user, 'name', within), email: readOptionalText(user, 'email', within) }
  })
}
