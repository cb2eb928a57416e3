import { type CompatiblePaths, Organization, Ping } from './objects.ts'

export const organizationPaths: CompatiblePaths = {
  'GET /api/ping': {
    id: 'ping',
    permission: 'ping',
    summary: 'Check the connection and the key',
    reply: Ping,
    examples: [{ reply: { status: 'OK' } }],
  },
  'GET /api/organization': {
    id: 'getOrganization',
    permission: 'organization:read',
    summary: 'Show the organization',
    reply: Organization,
    examples: [{ reply: { name: 'Acme' } }],
  },
}
