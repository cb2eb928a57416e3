import Type from 'typebox'
import { deleteBypassCode } from '../../core/bypass-codes.ts'
import {
  createManagedBypassCode,
  getManagedBypassCode,
  listManagedBypassCodes,
} from '../../core/managed-bypass-codes.ts'
import { Id, listOf, listQuery, Time } from './objects.ts'
import { closed, operation } from './operation.ts'

const UsesAllowed = Type.Integer({ minimum: 1, maximum: 1_000, description: 'logins; 1 unless told' })
const BypassCode = Type.Object({
  id: Id,
  user: Id,
  code: Type.String({
    pattern: '^(?:[0-9]{9})?$',
    description: 'empty when its row was changed behind the server’s back',
  }),
  usesAllowed: UsesAllowed,
  usesRemaining: Type.Integer({ description: 'a code that has none stays in the list for a while' }),
  expiresAt: Type.Union([Time, Type.Null()], { description: 'null for never' }),
  createdAt: Time,
})
const NewBypassCode = closed({
  usesAllowed: Type.Optional(UsesAllowed),
  expiresAt: Type.Optional(Type.Union([Type.Null(), Type.String()], { description: 'RFC 3339, within a year; never' })),
})

const forAlice = {
  id: 'e2b94d71c06f5a38e9d2b47160cf5a83d9e2b471',
  user: '51c7e0a92d4b86f31e5a0c9d7b248f63a1e50c9d',
  code: '402913377',
  usesAllowed: 3,
  usesRemaining: 3,
  expiresAt: null,
  createdAt: '2027-01-15T08:00:00.000Z',
}

export const list = operation({
  summary: 'List the bypass codes of a user',
  about:
    'With the codes, the oldest first; those that were used up or have expired stay for 90 days. That they were read is in the audit log.',
  query: listQuery,
  reply: listOf(BypassCode),
  example: { reply: { items: [forAlice] } },
  handle: (app, actor, { id, query }) => listManagedBypassCodes(app, actor, { ...query, userId: id('userId') }),
})

export const create = operation({
  summary: 'Create a bypass code for a user',
  about: 'A user has five at most that can still be used: `api.error.limit.bypasscodes`.',
  body: NewBypassCode,
  status: 201,
  reply: BypassCode,
  example: { body: { usesAllowed: 3 }, reply: forAlice },
  handle: (app, actor, { id, body }) => createManagedBypassCode(app, actor, { ...body, userId: id('userId') }),
})

export const show = operation({
  summary: 'Show a bypass code',
  about: 'With the code. That it was read is in the audit log.',
  reply: BypassCode,
  example: { reply: forAlice },
  handle: (app, actor, { id }) => getManagedBypassCode(app, actor, { bypassCodeId: id('bypassCodeId') }),
})

export const remove = operation({
  summary: 'Delete a bypass code',
  handle: (app, actor, { id }) => deleteBypassCode(app, actor, { bypassCodeId: id('bypassCodeId') }),
})
