import { hardwareTypes } from '@countersign/protocol/resources.ts'
import Type from 'typebox'
import { requirePermission } from '../../core/actors.ts'
import { readHardwareFileBeside } from '../../core/hardware-files/index.ts'
import { importHardwareTokens } from '../../core/hardware-import.ts'
import { resyncHardwareToken } from '../../core/hardware-resync.ts'
import { assignHardwareToken, deleteHardwareToken, unassignHardwareToken } from '../../core/hardware-tokens.ts'
import {
  createManagedHardware,
  getManagedHardware,
  listManagedHardware,
  updateManagedHardware,
} from '../../core/managed-hardware-tokens.ts'
import { Id, listOf, listQuery, oneOf, Time, tagged } from './objects.ts'
import { changesOf, closed, operation } from './operation.ts'

const TimeStep = Type.Unsafe<number>({ type: 'integer', enum: [30, 60], description: 'seconds' })
const HardwareToken = Type.Object({
  id: Id,
  alias: Type.String(),
  serialNumber: Type.String(),
  type: oneOf(hardwareTypes),
  timeStep: TimeStep,
  syncState: oneOf(['Never Used', 'Synchronized', 'Out of Sync']),
  drift: Type.Integer({ description: 'steps that its clock was ahead of the server’s when it was last seen' }),
  user: Type.Union([Id, Type.Null()], { description: 'who has it' }),
  createdAt: Time,
})
const NewHardwareToken = closed({
  serialNumber: Type.String({ description: '1 to 64 printable ASCII characters, unique in the organization' }),
  type: oneOf(hardwareTypes, 'TOTP with HMAC-SHA-1, by the digits of a password'),
  timeStep: TimeStep,
  seed: Type.String({ description: '10 to 64 bytes in hexadecimal digits; never shown again' }),
  alias: Type.Optional(
    Type.String({ description: '1 to 64 characters; `HW-` and the beginning of the id unless told' }),
  ),
})

const fob = {
  id: '9d3f60a7c1e85b24f9d3068c7a1e5b42f90d3c68',
  alias: 'Spare 12',
  serialNumber: 'FT-2208417',
  type: 'TOTP6',
  timeStep: 30,
  syncState: 'Never Used',
  drift: 0,
  user: null,
  createdAt: '2027-01-15T08:00:00.000Z',
}

export const list = operation({
  summary: 'List the hardware tokens',
  about: 'In the order of their serial numbers.',
  query: {
    q: Type.Optional(Type.String({ minLength: 1, maxLength: 64, description: 'what the serial number begins with' })),
    assigned: Type.Optional(Type.Boolean({ description: 'whether somebody has it' })),
    ...listQuery,
  },
  reply: listOf(HardwareToken),
  example: { query: { assigned: 'false', limit: '20' }, reply: { items: [fob] } },
  handle: (app, actor, { query }) => listManagedHardware(app, actor, query),
})

export const create = operation({
  summary: 'Register a hardware token',
  body: NewHardwareToken,
  status: 201,
  reply: HardwareToken,
  example: {
    body: {
      serialNumber: 'FT-2208417',
      type: 'TOTP6',
      timeStep: 30,
      seed: '3f1c0a97e25bd4886e0f7a31c9d2b54e60817fa3',
      alias: 'Spare 12',
    },
    reply: fob,
  },
  handle: async (app, actor, { body }) => tagged(await createManagedHardware(app, actor, body)),
})

export const show = operation({
  summary: 'Show a hardware token',
  reply: HardwareToken,
  example: { reply: fob },
  handle: async (app, actor, { id }) => tagged(await getManagedHardware(app, actor, { hardwareId: id('hardwareId') })),
})

export const update = operation({
  summary: 'Rename a hardware token',
  takesIfMatch: true,
  body: changesOf({ alias: Type.String() }),
  reply: HardwareToken,
  example: { body: { alias: 'Spare 13' }, reply: { ...fob, alias: 'Spare 13' } },
  handle: async (app, actor, { id, body, ifMatch }) =>
    tagged(await updateManagedHardware(app, actor, { ...body, hardwareId: id('hardwareId'), ifMatch })),
})

export const remove = operation({
  summary: 'Forget a hardware token',
  about: 'Whoever has it. Registered again it needs its seed again, and knows no longer which passwords were used.',
  handle: (app, actor, { id }) => deleteHardwareToken(app, actor, { hardwareId: id('hardwareId') }),
})

export const resync = operation({
  summary: 'Find the clock of a hardware token',
  about:
    'By two passwords that it shows one right after the other. Both are used up. Wrong ones count like those of its user, ' +
    'and after ten of them every code of the user is refused for an hour.',
  body: closed({ otp1: Type.String({ maxLength: 16 }), otp2: Type.String({ maxLength: 16 }) }),
  reply: HardwareToken,
  example: { body: { otp1: '{otp1}', otp2: '{otp2}' }, reply: { ...fob, syncState: 'Synchronized' } },
  handle: (app, actor, { id, body }) => resyncHardwareToken(app, actor, { ...body, hardwareId: id('hardwareId') }),
})

const importedMax = 10_000
const refusedShownMax = 100

const Refused = Type.Object({
  line: Type.Integer({ description: 'from 1' }),
  serialNumber: Type.Optional(Type.String()),
  problem: Type.String({ description: 'a sentence' }),
})

export const imported = operation({
  summary: 'Register the hardware tokens of a file',
  about:
    'The body is the file as it is: LoginTC’s CSV, OATH CSV or PSKC, up to 1 MiB and 10,000 tokens; larger and encrypted ones are read by ' +
    '`countersign import hardware`. A token that cannot be registered is refused by its line, the others are not.',
  query: {
    dryRun: Type.Optional(Type.Boolean({ description: 'finds out what would be refused, and changes nothing' })),
  },
  consumes: 'text/csv',
  reply: Type.Object({
    imported: Type.Integer(),
    refused: Type.Array(Refused, { description: `the first ${refusedShownMax} of them` }),
    refusedTotal: Type.Integer({ description: 'how many there are in all' }),
  }),
  example: { reply: { imported: 1, refused: [], refusedTotal: 0 } },
  async handle(app, actor, { query: { dryRun = false }, bytes }) {
    // Before the file is parsed, which costs more than a refusal.
    requirePermission(actor, 'hardware:write')
    const { tokens, refused: early } = await readHardwareFileBeside(bytes, { tokensMax: importedMax })
    const { imported, refused: late } = await importHardwareTokens(app, actor, { entries: tokens, dryRun })
    const refused = [...early, ...late].sort((a, b) => a.line - b.line)
    return { imported, refused: refused.slice(0, refusedShownMax), refusedTotal: refused.length }
  },
})

export const assign = operation({
  summary: 'Give a hardware token to a user',
  about:
    'In the place of the one that the user had. One that is somebody else’s is refused: `api.error.conflict.hardware`.',
  handle: (app, actor, { id }) =>
    assignHardwareToken(app, actor, { userId: id('userId'), hardwareId: id('hardwareId') }),
})

export const unassign = operation({
  summary: 'Take a hardware token away from a user',
  handle: (app, actor, { id }) =>
    unassignHardwareToken(app, actor, { userId: id('userId'), hardwareId: id('hardwareId') }),
})
