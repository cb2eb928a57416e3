import { badRequest } from '../../core/errors.ts'
import {
  assignHardwareToken,
  createHardwareToken,
  deleteHardwareToken,
  getHardwareToken,
  getUserHardware,
  listHardwareTokens,
  unassignHardwareToken,
  updateHardwareToken,
} from '../../core/hardware-tokens.ts'
import type { ApiRoute, Incoming } from '../route.ts'
import { pageAnswer, pageOf } from './pages.ts'
import { type Members, pathId, readMembers, readOptionalText, readText } from './request.ts'

const all = '/api/hardware'
const one = '/api/hardware/:hardwareId'
const ofUser = '/api/users/:userId/hardware'

export const hardwareTokenRoutes: ApiRoute[] = [
  {
    method: 'GET',
    path: all,
    async handle(app, actor, request) {
      const page = pageOf(request)
      const { tokens, more } = await listHardwareTokens(app, actor, { page })
      return pageAnswer(tokens, more ? { path: all, page: page + 1 } : undefined)
    },
  },
  {
    method: 'POST',
    path: all,
    async handle(app, actor, request) {
      const members = readMembers(request)
      const serialNumber = readText(members, 'serialNumber')
      const type = readText(members, 'type')
      const timeStep = readTimeStep(members)
      const seed = readText(members, 'seed')
      const alias = readOptionalText(members, 'alias')
      return createHardwareToken(app, actor, { serialNumber, type, timeStep, seed, alias })
    },
  },
  { method: 'GET', path: one, handle: (app, actor, request) => getHardwareToken(app, actor, hardwareOf(request)) },
  {
    method: 'PUT',
    path: one,
    async handle(app, actor, request) {
      const alias = readOptionalText(readMembers(request), 'alias')
      return updateHardwareToken(app, actor, { ...hardwareOf(request), alias })
    },
  },
  {
    method: 'DELETE',
    path: one,
    handle: (app, actor, request) => deleteHardwareToken(app, actor, hardwareOf(request)),
  },
  { method: 'GET', path: ofUser, handle: (app, actor, request) => getUserHardware(app, actor, userOf(request)) },
  {
    method: 'DELETE',
    path: ofUser,
    handle: (app, actor, request) => unassignHardwareToken(app, actor, userOf(request)),
  },
  {
    method: 'PUT',
    path: '/api/users/:userId/hardware/:hardwareId',
    handle: (app, actor, request) => assignHardwareToken(app, actor, { ...userOf(request), ...hardwareOf(request) }),
  },
]

function userOf(request: Incoming): { userId: string } {
  return { userId: pathId(request, 'userId') }
}

function hardwareOf(request: Incoming): { hardwareId: string } {
  return { hardwareId: pathId(request, 'hardwareId') }
}

/** Seconds, as LoginTC's clients write them: 30, "30" or "30s". */
function readTimeStep(members: Members): number {
  const value = members.timeStep ?? undefined
  if (value === undefined) throw badRequest('timeStep', 'It is required.')
  const seconds = /^(30|60)s?$/.exec(typeof value === 'number' || typeof value === 'string' ? String(value) : '')?.[1]
  if (!seconds) throw badRequest('timeStep', 'It is "30s" or "60s".')
  return Number(seconds)
}
