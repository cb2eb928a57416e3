import { listManagedMembers } from '../../core/managed-users.ts'
import { addMember, removeMember } from '../../core/members.ts'
import { listOf } from './objects.ts'
import { operation } from './operation.ts'
import { jane, User, userQuery } from './users.ts'

export const list = operation({
  summary: 'List the members of a domain',
  about: 'In the order of their names, without regard to case.',
  query: userQuery,
  reply: listOf(User),
  example: { query: { q: 'ja', limit: '20' }, reply: { items: [jane] } },
  handle: (app, actor, { id, query }) => listManagedMembers(app, actor, { ...query, domainId: id('domainId') }),
})

export const add = operation({
  summary: 'Make a user a member of a domain',
  about: 'Once more changes nothing.',
  handle: (app, actor, { id }) => addMember(app, actor, { domainId: id('domainId'), userId: id('userId') }),
})

export const remove = operation({
  summary: 'Take a user out of a domain',
  about: 'The token there is revoked or its pending code annulled, and what was pending or approved is denied.',
  handle: (app, actor, { id }) => removeMember(app, actor, { domainId: id('domainId'), userId: id('userId') }),
})
