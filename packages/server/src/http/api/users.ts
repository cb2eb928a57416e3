import { createUser, deleteUser, findUser, getUser, listUsers, updateUser } from '../../core/users.ts'
import { refuseUnfit } from '../json.ts'
import type { ApiRoute, Incoming } from '../route.ts'
import { pageAnswer, pageOf } from './pages.ts'
import { percentDecode } from './percent.ts'
import { pathId, readMembers, readOptionalText, readText } from './request.ts'

export const userRoutes: ApiRoute[] = [
  {
    method: 'GET',
    path: '/api/users',
    async handle(app, actor, request) {
      const username = usernameOf(request)
      if (username !== undefined) return findUser(app, actor, { username })
      const page = pageOf(request)
      const { users, more } = await listUsers(app, actor, { page })
      return pageAnswer(users, more ? { path: '/api/users', page: page + 1 } : undefined)
    },
  },
  {
    method: 'POST',
    path: '/api/users',
    async handle(app, actor, request) {
      const members = readMembers(request)
      const username = readText(members, 'username')
      const name = readOptionalText(members, 'name')
      const email = readOptionalText(members, 'email')
      return createUser(app, actor, { username, name, email })
    },
  },
  {
    method: 'GET',
    path: '/api/users/:userId',
    handle: (app, actor, request) => getUser(app, actor, { userId: pathId(request, 'userId') }),
  },
  {
    method: 'PUT',
    path: '/api/users/:userId',
    async handle(app, actor, request) {
      const members = readMembers(request)
      const name = readOptionalText(members, 'name')
      const email = readOptionalText(members, 'email')
      return updateUser(app, actor, { userId: pathId(request, 'userId'), name, email })
    },
  },
  {
    method: 'DELETE',
    path: '/api/users/:userId',
    handle: (app, actor, request) => deleteUser(app, actor, { userId: pathId(request, 'userId') }),
  },
]

// LoginTC's PHP client 1.2.4 appends the name as it is: whatever follows belongs to it, `&` and `+` too.
function usernameOf({ query }: Incoming): string | undefined {
  const written = /(?:^|&)username=(.*)$/s.exec(query)?.[1]
  if (written === undefined) return undefined
  const username = percentDecode(written)
  refuseUnfit(username, 'username')
  return username
}
