import { type CompatiblePaths, DetailedToken, detailedType, Token } from './objects.ts'

const pending = { state: 'pending', code: 'd2mejab9n7' }
const examples = [
  { title: 'A pending one', reply: pending },
  {
    title: 'With its link',
    mediaType: detailedType,
    reply: {
      ...pending,
      link: 'https://auth.example.org/#a=d2mejab9n7',
      expiresAt: '2027-01-22T08:00:00.000Z',
    },
  },
]

export const tokenPaths: CompatiblePaths = {
  'PUT /api/domains/:domainId/users/:userId/token': {
    id: 'createToken',
    permission: 'tokens:write',
    summary: 'Issue a token',
    about:
      'Where there is none, or its code has expired: a new one with a fresh activation code. One that is pending or ' +
      'active is answered as it is.',
    reply: Token,
    detailed: DetailedToken,
    examples,
  },
  'GET /api/domains/:domainId/users/:userId/token': {
    id: 'getToken',
    permission: 'tokens:read',
    summary: 'Show a token',
    reply: Token,
    detailed: DetailedToken,
    refusals: ['api.error.notfound.token'],
    examples,
  },
  'DELETE /api/domains/:domainId/users/:userId/token': {
    id: 'revokeToken',
    permission: 'tokens:write',
    summary: 'Revoke a token',
    about: 'Once this is answered, nothing authenticates by it: sessions that wait or were approved read as denied.',
    refusals: ['api.error.notfound.token'],
    examples: [{}],
  },
}
