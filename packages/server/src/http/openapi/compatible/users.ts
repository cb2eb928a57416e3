import Type from 'typebox'
import { type CompatiblePaths, linkHeader, page, User } from './objects.ts'

export const jane = {
  id: '{userId}',
  username: 'jane.doe',
  name: 'Jane Doe',
  email: 'jane@example.org',
  domains: ['{domainId}'],
  bypasscodes: [],
  hardware: '',
}

const name = Type.Optional(
  Type.Union([Type.Null(), Type.String({ maxLength: 256 })], { description: 'the user name if it is empty' }),
)
const email = Type.Optional(Type.Union([Type.Null(), Type.String({ maxLength: 254 })]))
const username = Type.String({ minLength: 1, maxLength: 128, description: 'unique in the organization' })
export const NewUser = Type.Object({ username, name, email })

export const userPaths: CompatiblePaths = {
  'GET /api/users': {
    id: 'listUsers',
    permission: 'users:read',
    summary: 'List the users, or find one by name',
    about:
      'In the order of their creation, as a bare array. With `username` the answer is that one user instead. The name is ' +
      'everything that follows the first `username=`; `+` stays `+` and `&` belongs to it.',
    query: {
      ...page,
      username: Type.Optional(Type.String({ description: 'the name of the one user to show; upper or lower case' })),
    },
    reply: Type.Union([Type.Array(User), User]),
    headers: linkHeader,
    refusals: ['api.error.notfound.user'],
    examples: [
      { title: 'A page of the list', query: { page: '1' }, reply: [jane] },
      { title: 'One by name', query: { username: '{username}' }, reply: jane },
    ],
  },
  'POST /api/users': {
    id: 'createUser',
    permission: 'users:write',
    summary: 'Create a user',
    body: NewUser,
    reply: User,
    refusals: ['api.error.conflict.username'],
    examples: [
      {
        body: { username: 'john.roe', name: 'John Roe', email: 'john@example.org' },
        reply: { ...jane, username: 'john.roe', name: 'John Roe', email: 'john@example.org', domains: [] },
      },
    ],
  },
  'GET /api/users/:userId': {
    id: 'getUser',
    permission: 'users:read',
    summary: 'Show a user',
    reply: User,
    examples: [{ reply: jane }],
  },
  'PUT /api/users/:userId': {
    id: 'updateUser',
    permission: 'users:write',
    summary: 'Change a user',
    about: 'What is absent or null stays. The user name cannot be changed.',
    body: Type.Object({ name, email }),
    reply: User,
    examples: [{ body: { name: 'Jane Roe' }, reply: { ...jane, name: 'Jane Roe' } }],
  },
  'DELETE /api/users/:userId': {
    id: 'deleteUser',
    permission: 'users:write',
    summary: 'Delete a user',
    about:
      'Memberships, tokens and bypass codes end, the hardware token is free again, and sessions that wait or were ' +
      'approved read as denied.',
    examples: [{}],
  },
}
