import Type from 'typebox'
import { type CompatiblePaths, DetailedSession, detailedType, Session } from './objects.ts'

const pending = { id: '{sessionId}', state: 'pending' }
const details = {
  reason: '',
  method: 'push',
  createdAt: '2027-01-15T08:00:00.000Z',
  expiresAt: '2027-01-15T08:02:00.000Z',
}
const Attribute = Type.Object({
  key: Type.String({ minLength: 1, maxLength: 64 }),
  value: Type.String({ minLength: 1, maxLength: 256 }),
})
const NewSession = Type.Object({
  user: Type.Union([Type.Object({ username: Type.String() }), Type.Object({ id: Type.String() })], {
    description: 'a member of the domain; with both, the user name counts',
  }),
  attributes: Type.Optional(
    Type.Union([Type.Null(), Type.Array(Attribute, { maxItems: 20 }), Type.Record(Type.String(), Type.String())], {
      description: 'what the user is told that the application says: a list, or an object of texts',
    }),
  ),
  ipAddress: Type.Optional(
    Type.Union([Type.Null(), Type.String({ maxLength: 64 })], { description: 'of who logs in, shown as it is' }),
  ),
  bypasscode: Type.Optional(
    Type.Union([Type.Null(), Type.String()], { description: 'judge this bypass code instead of asking the user' }),
  ),
  otp: Type.Optional(
    Type.Union([Type.Null(), Type.String()], {
      description: 'judge this one-time password instead of asking the user',
    }),
  ),
  numberMatching: Type.Optional(Type.Boolean({ description: 'ask the user for the number on the login screen' })),
})

export const sessionPaths: CompatiblePaths = {
  'POST /api/domains/:domainId/sessions': {
    id: 'createSession',
    permission: 'sessions:create',
    summary: 'Ask whether it is really the user',
    about:
      'Sends a request to the user’s authenticator and answers `pending`: read the session to learn the verdict. With ' +
      '`bypasscode` or `otp` the verdict is in the answer, `approved` or `denied`, and no request is sent.',
    body: NewSession,
    reply: Session,
    detailed: DetailedSession,
    refusals: [
      'api.error.numbermatching',
      'api.error.forbidden.bypasscode',
      'api.error.forbidden.otp',
      'api.error.notfound.user',
      'api.error.notfound.token',
      'api.error.toomanyrequests',
    ],
    examples: [
      {
        title: 'A request',
        body: {
          user: { username: '{username}' },
          attributes: [{ key: 'Application', value: 'Wiki' }],
          ipAddress: '203.0.113.7',
        },
        reply: pending,
      },
      {
        title: 'With a number to type',
        body: { user: { id: '{userId}' }, numberMatching: true },
        mediaType: detailedType,
        reply: { ...pending, ...details, number: '071342' },
      },
      {
        title: 'A bypass code',
        body: { user: { username: '{username}' }, bypasscode: '{bypassCode}' },
        reply: { ...pending, state: 'approved' },
      },
    ],
  },
  'GET /api/domains/:domainId/sessions/:sessionId': {
    id: 'getSession',
    permission: 'sessions:read',
    summary: 'Read the verdict',
    about:
      '200 for every session that ever existed, whatever became of its user. `approved` is handed out until ten minutes ' +
      'after the approval. With `wait` the answer comes as soon as there is a verdict.',
    query: {
      wait: Type.Optional(
        Type.Integer({ minimum: 0, maximum: 25, description: 'seconds to wait for the verdict; 0 unless told' }),
      ),
    },
    reply: Session,
    detailed: DetailedSession,
    examples: [
      { title: 'The verdict', query: { wait: '0' }, reply: { ...pending, state: 'approved' } },
      {
        title: 'With its reason',
        mediaType: detailedType,
        reply: { ...pending, state: 'denied', ...details, reason: 'not_me' },
      },
    ],
  },
  'DELETE /api/domains/:domainId/sessions/:sessionId': {
    id: 'cancelSession',
    permission: 'sessions:cancel',
    summary: 'Take a request back',
    about: 'The authenticator drops it, and the session reads as denied. One that has ended stays as it ended.',
    examples: [{}],
  },
}
