import Type from 'typebox'
import { roles } from '../../core/actors.ts'
import {
  type Administrator as AdministratorObject,
  createAdministrator,
  createSignInLink,
  deleteAdministrator,
  editable,
  getAdministrator,
  listAdministrators,
  updateAdministrator,
} from '../../core/administrators.ts'
import { Id, listOf, listQuery, oneOf, Time, tagged } from './objects.ts'
import { changesOf, closed, operation } from './operation.ts'

const name = Type.String({ description: '1 to 128 characters' })
const email = Type.String({ description: 'unique in the organization, in whatever case' })
const role = oneOf(roles, 'an owner may do everything, the others what their name says')
const disabled = Type.Boolean({ description: 'whether signing in is impossible' })

export const Administrator = Type.Object({
  id: Id,
  email,
  name,
  role,
  disabled,
  createdAt: Time,
  lastSignInAt: Type.Union([Type.Null(), Time]),
})

export const olivia = {
  id: '5be0c8a17d93f264e1a0b7c95d38f6420c1e9b7a',
  email: 'olivia@example.org',
  name: 'Olivia',
  role: 'owner',
  disabled: false,
  createdAt: '2027-01-15T08:00:00.000Z',
  lastSignInAt: null,
} as const

export const list = operation({
  summary: 'List the administrators',
  about: 'In the order of their e-mail addresses.',
  query: listQuery,
  reply: listOf(Administrator),
  example: { query: { limit: '20' }, reply: { items: [olivia] } },
  handle: (app, actor, { query }) => listAdministrators(app, actor, query),
})

export const create = operation({
  summary: 'Create an administrator',
  about: 'Nobody is written to: make a sign-in link and hand it over.',
  body: closed({ email, name, role }),
  status: 201,
  reply: Administrator,
  example: { body: { email: 'olivia@example.org', name: 'Olivia', role: 'owner' }, reply: olivia },
  handle: async (app, actor, { body }) => shown(await createAdministrator(app, actor, body)),
})

export const show = operation({
  summary: 'Show an administrator',
  reply: Administrator,
  example: { reply: olivia },
  handle: async (app, actor, { id }) =>
    shown(await getAdministrator(app, actor, { administratorId: id('administratorId') })),
})

export const update = operation({
  summary: 'Change an administrator',
  takesIfMatch: true,
  about:
    'What is absent stays. Another role, and being disabled, end the administrator’s sessions and link at once. ' +
    'The last owner who is not disabled stays one.',
  body: changesOf({ name, role, disabled }),
  reply: Administrator,
  example: { body: { name: 'Olivia Owner' }, reply: { ...olivia, name: 'Olivia Owner' } },
  handle: async (app, actor, { id, body, ifMatch }) =>
    shown(await updateAdministrator(app, actor, { ...body, administratorId: id('administratorId'), ifMatch })),
})

export const remove = operation({
  summary: 'Delete an administrator',
  takesIfMatch: true,
  about: 'With all sessions, at once. The last owner who is not disabled stays.',
  handle: (app, actor, { id, ifMatch }) =>
    deleteAdministrator(app, actor, { administratorId: id('administratorId'), ifMatch }),
})

export const createLink = operation({
  summary: 'Make a sign-in link for an administrator',
  about: 'It signs in once, within 15 minutes. An earlier one is void. Whoever has it is that administrator.',
  status: 201,
  reply: Type.Object({ link: Type.String(), expiresAt: Time }),
  example: {
    reply: {
      link: 'https://mfa.example.org/panel#sign-in=1Wl3XGkVYzZ0nq5Jr8cT2uHsAoMbEdQiPfKxNvLwR7g',
      expiresAt: '2027-01-15T08:15:00.000Z',
    },
  },
  handle: (app, actor, { id }) => createSignInLink(app, actor, { administratorId: id('administratorId') }),
})

function shown(administrator: AdministratorObject) {
  return tagged(administrator, editable(administrator))
}
