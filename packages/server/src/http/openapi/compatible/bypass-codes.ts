import Type from 'typebox'
import { BypassCode, type CompatiblePaths } from './objects.ts'

const number = (minimum: number, maximum: number, description: string) =>
  Type.Optional(
    Type.Union([Type.Null(), Type.Integer({ minimum, maximum }), Type.String({ pattern: '^[0-9]*$' })], {
      description,
    }),
  )
const once = {
  id: '{bypassCodeId}',
  code: '418205936',
  dtExpiry: '2027-01-16T08:00:00+0000',
  user: '{userId}',
  usesAllowed: 1,
  usesRemaining: 1,
}

export const bypassCodePaths: CompatiblePaths = {
  'GET /api/users/:userId/bypasscodes': {
    id: 'listBypassCodes',
    permission: 'bypass-codes:read',
    summary: 'List the bypass codes of a user',
    about:
      'With their clear text, which is recorded in the audit log. Those that have ended stay for 90 days, at most a hundred.',
    reply: Type.Array(BypassCode),
    examples: [{ reply: [once] }],
  },
  'POST /api/users/:userId/bypasscodes': {
    id: 'createBypassCode',
    permission: 'bypass-codes:write',
    summary: 'Create a bypass code',
    about: 'For a user without a phone. A user has at most five that can still be used.',
    body: Type.Object({
      usesAllowed: number(1, 1_000, 'how often it lets in; once unless told'),
      expirationTime: number(0, 525_600, 'minutes; 0, which is the default, for never'),
    }),
    reply: BypassCode,
    refusals: ['api.error.limit.bypasscodes'],
    examples: [{ body: { usesAllowed: 1, expirationTime: 1440 }, reply: once }],
  },
  'DELETE /api/users/:userId/bypasscodes': {
    id: 'deleteBypassCodes',
    permission: 'bypass-codes:write',
    summary: 'Delete all bypass codes of a user',
    examples: [{}],
  },
  'GET /api/bypasscodes/:bypassCodeId': {
    id: 'getBypassCode',
    permission: 'bypass-codes:read',
    summary: 'Show a bypass code',
    about: 'With its clear text, which is recorded in the audit log.',
    reply: BypassCode,
    examples: [{ reply: once }],
  },
  'DELETE /api/bypasscodes/:bypassCodeId': {
    id: 'deleteBypassCode',
    permission: 'bypass-codes:write',
    summary: 'Delete a bypass code',
    examples: [{}],
  },
}
