import { hardwareTypes } from '@countersign/protocol/resources.ts'
import Type from 'typebox'
import { oneOf } from '../../admin/objects.ts'
import { type CompatiblePaths, HardwareToken, linkHeader, page } from './objects.ts'

const fob = {
  id: '{hardwareId}',
  alias: 'Front desk',
  serialNumber: 'FT-2027-00418',
  type: 'TOTP6',
  timeStep: '30s',
  syncState: 'Never Used',
  user: '',
}
const own = { ...fob, user: '{userId}' }
const alias = Type.Optional(
  Type.Union([Type.Null(), Type.String({ maxLength: 64 })], { description: 'what people call it' }),
)

export const hardwareTokenPaths: CompatiblePaths = {
  'GET /api/hardware': {
    id: 'listHardwareTokens',
    permission: 'hardware:read',
    summary: 'List the hardware tokens',
    about: 'In the order of their creation, as a bare array. Seeds are never shown.',
    query: page,
    reply: Type.Array(HardwareToken),
    headers: linkHeader,
    examples: [{ reply: [fob] }],
  },
  'POST /api/hardware': {
    id: 'createHardwareToken',
    permission: 'hardware:write',
    summary: 'Register a hardware token',
    body: Type.Object({
      serialNumber: Type.String({ minLength: 1, maxLength: 64, description: 'unique in the organization' }),
      type: oneOf(hardwareTypes, 'with six or eight digits'),
      timeStep: Type.Union([oneOf(['30s', '60s', '30', '60']), Type.Literal(30), Type.Literal(60)], {
        description: 'seconds',
      }),
      seed: Type.String({ pattern: '^([0-9A-Fa-f]{2}){10,64}$', description: 'hexadecimal, 10 to 64 bytes' }),
      alias,
    }),
    reply: HardwareToken,
    refusals: ['api.error.conflict.serialnumber'],
    examples: [
      {
        body: {
          serialNumber: 'FT-2027-00418',
          type: 'TOTP6',
          timeStep: '30s',
          seed: '3132333435363738393031323334353637383930',
          alias: 'Front desk',
        },
        reply: fob,
      },
    ],
  },
  'GET /api/hardware/:hardwareId': {
    id: 'getHardwareToken',
    permission: 'hardware:read',
    summary: 'Show a hardware token',
    reply: HardwareToken,
    examples: [{ reply: fob }],
  },
  'PUT /api/hardware/:hardwareId': {
    id: 'updateHardwareToken',
    permission: 'hardware:write',
    summary: 'Rename a hardware token',
    about: 'Only the alias can be changed; what is absent or null stays.',
    body: Type.Object({ alias }),
    reply: HardwareToken,
    examples: [{ body: { alias: 'Spare' }, reply: { ...fob, alias: 'Spare' } }],
  },
  'DELETE /api/hardware/:hardwareId': {
    id: 'deleteHardwareToken',
    permission: 'hardware:write',
    summary: 'Delete a hardware token',
    examples: [{}],
  },
  'GET /api/users/:userId/hardware': {
    id: 'getUserHardware',
    permission: 'hardware:read',
    summary: 'Show the hardware token of a user',
    reply: HardwareToken,
    refusals: ['api.error.notfound.hardware'],
    examples: [{ reply: own }],
  },
  'PUT /api/users/:userId/hardware/:hardwareId': {
    id: 'assignHardware',
    permission: 'hardware:write',
    summary: 'Give a hardware token to a user',
    about: 'Instead of the one that the user has. One that is another user’s must be taken away first.',
    refusals: ['api.error.conflict.hardware'],
    examples: [{}],
  },
  'DELETE /api/users/:userId/hardware': {
    id: 'unassignHardware',
    permission: 'hardware:write',
    summary: 'Take the hardware token from a user',
    refusals: ['api.error.notfound.hardware'],
    examples: [{}],
  },
}
