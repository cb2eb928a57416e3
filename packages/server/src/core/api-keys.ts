import type { App } from '../app.ts'
import type { ApiKeyRow } from '../storage/api-keys.ts'
import { type ApiKeyActor, type Scope, scopes } from './actors.ts'
import { ApiError } from './errors.ts'
import { newAlphanumeric, newId } from './ids.ts'
import { noteKeyUse } from './key-uses.ts'
import { plainHash } from './secrets.ts'
import { available } from './transactions.ts'

const keyLength = 64

/** Who comes with this key. Wrong, revoked and expired keys are refused alike: `api.error.unauthorized`. */
export async function authenticateApiKey(app: App, key: string): Promise<ApiKeyActor> {
  const row = await available(app, () => app.storage.apiKeys.findByHash(plainHash(key)))
  const scope = scopes.find((known) => known === row?.scope)
  if (!row || !scope || isOver(app, row)) {
    throw new ApiError('api.error.unauthorized', 'The API key is missing, wrong or no longer valid.')
  }
  noteKeyUse(app, row)
  const domainIds = domainIdsOf(row)
  return { kind: 'api-key', organizationId: row.organization_id, id: row.id, scope, ...(domainIds && { domainIds }) }
}

/** Whether a key was revoked or has expired; it never comes back. */
export function isOver({ now }: App, row: Pick<ApiKeyRow, 'expires_at' | 'revoked_at'>): boolean {
  return row.revoked_at !== null || (row.expires_at !== null && row.expires_at <= now())
}

/** The only domains that a key may act in; null for all. */
export function domainIdsOf(row: Pick<ApiKeyRow, 'domain_ids'>): string[] | null {
  return row.domain_ids === null ? null : (JSON.parse(row.domain_ids) as string[])
}

/** A new key and the row to remember it by; the key itself is nowhere but in the return value. */
export function issueApiKey(
  app: App,
  input: { organizationId: string; name: string; scope: Scope; domainIds?: string[] | null; expiresAt?: number | null },
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
    expires_at: input.expiresAt ?? null,
    revoked_at: null,
    domain_ids: input.domainIds ? JSON.stringify(input.domainIds) : null,
    last_used_at: null,
  }
  return { apiKey, row }
}
