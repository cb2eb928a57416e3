import Type from 'typebox'
import {
  createManagedUser,
  getManagedUser,
  listManagedUsers,
  type ManagedUser,
  unlockUser,
  updateManagedUser,
} from '../../core/managed-users.ts'
import { deleteUser, editableOf } from '../../core/users.ts'
import { Id, listOf, listQuery, orNull, Time, tagged } from './objects.ts'
import { changesOf, closed, operation } from './operation.ts'

/** What a user is, wherever one is shown. */
export const User = Type.Object({
  id: Id,
  username: Type.String(),
  name: Type.String(),
  email: Type.String({ description: '"" if none is known' }),
  domains: Type.Array(Id, { description: 'that the user is a member of' }),
  bypasscodes: Type.Array(Id, { description: 'without the codes' }),
  hardware: Type.String({ description: 'the id of the hardware token, or ""' }),
  createdAt: Time,
  lockedUntil: orNull(Time, 'until when codes are refused because too many were wrong'),
})

/** The query of every list of users. */
export const userQuery = {
  q: Type.Optional(Type.String({ maxLength: 256, description: 'how the user name begins, in any case' })),
  ...listQuery,
}

export const jane: ManagedUser = {
  id: '5e0b6a9c31d74f28b0a4c6e8d2f1937a5b8c0d4e',
  username: 'jane',
  name: 'Jane Doe',
  email: 'jane@example.org',
  domains: [],
  bypasscodes: [],
  hardware: '',
  createdAt: '2027-01-15T08:00:00.000Z',
  lockedUntil: null,
}

const name = Type.String({ description: 'at most 256 characters; the user name if ""' })
const email = Type.String({ description: 'at most 254 characters; "" for none' })
const NewUser = closed({
  username: Type.String({
    description: '1 to 128 characters, unlike every other in the organization, whatever the case',
  }),
  name: Type.Optional(name),
  email: Type.Optional(email),
})

export const list = operation({
  summary: 'List the users',
  about: 'In the order of their names, without regard to case.',
  query: userQuery,
  reply: listOf(User),
  example: { query: { q: 'ja', limit: '20' }, reply: { items: [jane] } },
  handle: (app, actor, { query }) => listManagedUsers(app, actor, query),
})

export const create = operation({
  summary: 'Create a user',
  about: 'A user name cannot be changed later.',
  body: NewUser,
  status: 201,
  reply: User,
  example: { body: { username: 'jane', name: 'Jane Doe', email: 'jane@example.org' }, reply: jane },
  handle: async (app, actor, { body }) => userReply(await createManagedUser(app, actor, body)),
})

export const show = operation({
  summary: 'Show a user',
  reply: User,
  example: { reply: jane },
  handle: async (app, actor, { id }) => userReply(await getManagedUser(app, actor, { userId: id('userId') })),
})

export const update = operation({
  summary: 'Change a user’s name or address',
  takesIfMatch: true,
  about: 'What is absent stays. The ETag is of the name and the address: memberships and codes come and go beside it.',
  body: changesOf({ name, email }),
  reply: User,
  example: { body: { name: 'Jane Roe' }, reply: { ...jane, name: 'Jane Roe' } },
  handle: async (app, actor, { id, body, ifMatch }) =>
    userReply(await updateManagedUser(app, actor, { ...body, userId: id('userId'), ifMatch })),
})

export const remove = operation({
  summary: 'Delete a user',
  takesIfMatch: true,
  about:
    'Memberships and bypass codes go, every token is revoked, the hardware token is free, what was pending or approved is denied. There is no way back.',
  handle: (app, actor, { id, ifMatch }) => deleteUser(app, actor, { userId: id('userId'), ifMatch }),
})

export const unlock = operation({
  summary: 'End a lock from wrong codes',
  about: 'Codes of the user are judged again at once, and the count of wrong ones begins anew.',
  handle: (app, actor, { id }) => unlockUser(app, actor, { userId: id('userId') }),
})

function userReply(user: ManagedUser) {
  return tagged(user, editableOf(user))
}
