import Type from 'typebox'
import { type CompatiblePaths, linkHeader, page, User } from './objects.ts'
import { jane, NewUser } from './users.ts'

export const memberPaths: CompatiblePaths = {
  'GET /api/domains/:domainId/users': {
    id: 'listMembers',
    permission: 'users:read',
    summary: 'List the members of a domain',
    about: 'In the order of their creation, as a bare array.',
    query: page,
    reply: Type.Array(User),
    headers: linkHeader,
    examples: [{ query: { page: '1' }, reply: [jane] }],
  },
  'PUT /api/domains/:domainId/users': {
    id: 'replaceMembers',
    permission: 'members:write',
    summary: 'Replace the members of a domain',
    about:
      'Users are found by their names; who is unknown is created; **who is not in the list leaves the domain**, and their ' +
      'tokens are revoked. An empty list empties the domain. A name or address that is not empty changes the user. ' +
      'All of it happens, or nothing. The body may have 64 MiB.',
    body: Type.Array(NewUser),
    refusals: ['api.error.toolarge'],
    examples: [
      {
        body: [
          { username: 'jane.doe', name: 'Jane Doe', email: 'jane@example.org' },
          { username: 'john.roe', name: 'John Roe', email: 'john@example.org' },
        ],
      },
    ],
  },
  'GET /api/domains/:domainId/users/:userId': {
    id: 'getMember',
    permission: 'users:read',
    summary: 'Show a member of a domain',
    reply: User,
    examples: [{ reply: jane }],
  },
  'PUT /api/domains/:domainId/users/:userId': {
    id: 'addMember',
    permission: 'members:write',
    summary: 'Add a user to a domain',
    about: 'Whoever is a member stays one.',
    examples: [{}],
  },
  'DELETE /api/domains/:domainId/users/:userId': {
    id: 'removeMember',
    permission: 'members:write',
    summary: 'Remove a user from a domain',
    about: 'The token in the domain is revoked, too.',
    examples: [{}],
  },
}
