import { type CompatiblePaths, Domain } from './objects.ts'

const vpn = {
  id: '{domainId}',
  name: 'Office VPN',
  type: 'RADIUS',
  keyType: 'PIN',
  maxAllowedRetries: 5,
  requestTimeout: 120,
  activationCodeExpiration: 7,
  requestPollingEnabled: true,
  bypassEnabled: true,
}

export const domainPaths: CompatiblePaths = {
  'GET /api/domains/:domainId': {
    id: 'getDomain',
    permission: 'domains:read',
    summary: 'Show a domain',
    reply: Domain,
    examples: [{ reply: vpn }],
  },
  'GET /api/domains/:domainId/image': {
    id: 'getDomainImage',
    permission: 'domains:read',
    summary: 'Download the image of a domain',
    about: 'What users see beside its requests; a default where none was set.',
    produces: 'image/png',
    headers: { ETag: 'another for another image' },
    examples: [{}],
  },
}
