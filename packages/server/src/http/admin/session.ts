import Type from 'typebox'
import { permissions } from '../../core/actors.ts'
import { signIn, signOut, whoAmI } from '../../core/administrator-sessions.ts'
import { Answer } from '../route.ts'
import { Administrator, olivia } from './administrators.ts'
import { oneOf } from './objects.ts'
import { closed, openOperation, operation } from './operation.ts'
import { closingCookie, openingCookie, refuseForeignPages, sessionCookie } from './session-cookie.ts'

export const create = openOperation({
  summary: 'Sign in by a link',
  about:
    'Takes what follows `#sign-in=` in the link, once, and sets the cookie `__Host-countersign`: for 12 hours at most, ' +
    'and half an hour without a request. A session that the browser had ends.',
  body: closed({ secret: Type.String({ maxLength: 100 }) }),
  status: 201,
  reply: Type.Object({ administrator: Administrator }),
  example: {
    body: { secret: '{signInSecret}' },
    reply: { administrator: { ...olivia, lastSignInAt: '2027-01-15T08:00:00.000Z' } },
  },
  async handle(app, { body, headers, clientAddress }) {
    refuseForeignPages(app.config, headers)
    const { secret } = body
    const { administrator, cookie } = await signIn(app, { secret, replaced: sessionCookie(headers), clientAddress })
    return new Answer({ administrator }, openingCookie(cookie))
  },
})

export const show = operation({
  summary: 'Show who is signed in',
  about: 'For administrators only: a key has no session.',
  reply: Type.Object({ administrator: Administrator, permissions: Type.Array(oneOf(permissions)) }),
  example: { reply: { administrator: olivia, permissions: ['ping', 'organization:read'] } },
  handle: (app, actor) => whoAmI(app, actor),
})

export const remove = operation({
  summary: 'Sign out',
  status: 204,
  async handle(app, actor, { headers }) {
    await signOut(app, actor, { cookie: sessionCookie(headers) })
    return new Answer(undefined, closingCookie)
  },
})
