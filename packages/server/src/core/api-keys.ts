import type { App } from '../app.ts'
import type { ApiKeyRow } from '../storage/api-keys.ts'
import { type ApiKeyActor, type Scope, scopes } from './actors.ts'
import { ApiError } from './errors.ts'
import { newAlphanumeric, newId } from './ids.ts'
import { plainHash } from './secrets.ts'
import { available } from './transactions.ts'

const keyLength = 64

/** Who comes with this key. Wrong, revoked and expired keys are refused alike: `api.error.unauthorized`. */
export async function authenticateApiKey(app: App, key: string): Promise<ApiKeyActor> {
  const row = await available(app, () => app.storage.apiKeys.findByHash(plainHash(key)))
  const scope = scopes.find((known) => known === row?.scope)
  const expired = row?.expires_at != null && row.expires_at <= app.now()
  if (!row || !scope || expired || row.revoked_at !== null) {
    throw new ApiError('api.error.unauthorized', 'The API key is missing, wrong or no longer valid.')
  }
  const domainIds = row.domain_ids === null ? undefined : (JSON.parse(row.domain_ids) as string[])
  return { kind: 'api-key', organizationId: row.organization_id, id: row.id, scope, ...(domainIds && { domainIds }) }
}

/** A new key and the row to remember it by; the key itself is nowhere but in the return value. */
export function issueApiKey(
  app: App,
  input: { organizationId: string; name: string; scope: Scope },
): { apiKey: string; row: ApiKeyRow } {
  const apiKey = newAlphanumeric(app, keyLength)
  const row: ApiKeyRow = {
    organization_id: input.organizationId,
    id: newId(app),
    name: input.name,
    hash: plainHash(apiKey),
    prefix: apiKey.slice(0, 6),
    scope: input.scope,
    created_at: app.now(),
    expires_at: null,
    revoked_at: null,
    domain_ids: null,
    last_used_at: null,
  }
  return { apiKey, row }
}
