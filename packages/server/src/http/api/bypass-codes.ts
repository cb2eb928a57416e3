import {
  createBypassCode,
  deleteBypassCode,
  deleteBypassCodes,
  getBypassCode,
  listBypassCodes,
} from '../../core/bypass-codes.ts'
import type { ApiRoute, Incoming } from '../route.ts'
import { pathId, readMembers, readOptionalNumber } from './request.ts'

const ofUser = '/api/users/:userId/bypasscodes'
const one = '/api/bypasscodes/:bypassCodeId'

export const bypassCodeRoutes: ApiRoute[] = [
  {
    method: 'GET',
    path: ofUser,
    handle: (app, actor, request) => listBypassCodes(app, actor, userOf(request)),
  },
  {
    method: 'POST',
    path: ofUser,
    async handle(app, actor, request) {
      const members = readMembers(request)
      const usesAllowed = readOptionalNumber(members, 'usesAllowed')
      const expirationMinutes = readOptionalNumber(members, 'expirationTime')
      return createBypassCode(app, actor, { ...userOf(request), usesAllowed, expirationMinutes })
    },
  },
  {
    method: 'DELETE',
    path: ofUser,
    handle: (app, actor, request) => deleteBypassCodes(app, actor, userOf(request)),
  },
  { method: 'GET', path: one, handle: (app, actor, request) => getBypassCode(app, actor, codeOf(request)) },
  { method: 'DELETE', path: one, handle: (app, actor, request) => deleteBypassCode(app, actor, codeOf(request)) },
]

function userOf(request: Incoming): { userId: string } {
  return { userId: pathId(request, 'userId') }
}

function codeOf(request: Incoming): { bypassCodeId: string } {
  return { bypassCodeId: pathId(request, 'bypassCodeId') }
}
