import type { Scope } from '../../src/core/actors.ts'
import { issueApiKey } from '../../src/core/api-keys.ts'
import type { TestServer } from './server.ts'

/** A key of acme with that scope; `expiresInMs` and `revoked` make it one that ends or has ended. */
export async function newApiKey(
  server: TestServer,
  scope: Scope,
  options: { expiresInMs?: number; revoked?: boolean } = {},
): Promise<string> {
  const { apiKey, row } = issueApiKey(server.app, { organizationId: server.acme.id, name: `a key to ${scope}`, scope })
  const now = server.clock.now()
  const expires_at = options.expiresInMs === undefined ? null : now + options.expiresInMs
  const key = { ...row, expires_at, revoked_at: options.revoked ? now : null }
  await server.app.storage.transaction(({ apiKeys }) => apiKeys.insert(key))
  return apiKey
}
