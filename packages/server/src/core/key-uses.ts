import type { App } from '../app.ts'
import type { ApiKeyRow } from '../storage/api-keys.ts'
import { transact } from './transactions.ts'

/** When keys were last used, by their ids, until it is written down: a write for each request would cost more than most requests. */
export type KeyUses = Map<string, KeyUse>

interface KeyUse {
  organizationId: string
  id: string
  at: number
}

/** Remembers, in this process only, that a key is used now. */
export function noteKeyUse({ keyUses, now }: App, { organization_id, id }: ApiKeyRow): void {
  keyUses.set(id, { organizationId: organization_id, id, at: now() })
}

/** Writes down what was noted since the last time. What could not be written is tried again the next time. */
export async function writeKeyUses(app: App): Promise<void> {
  // In one order everywhere: two nodes that write the same keys must not wait for each other.
  const uses = [...app.keyUses.values()].sort((a, b) => (a.id < b.id ? -1 : 1))
  if (uses.length === 0) return
  app.keyUses.clear()
  try {
    await transact(app, async ({ tx }) => {
      for (const { organizationId, id, at } of uses) await tx.apiKeys.noteUse(organizationId, id, at)
    })
  } catch (error) {
    for (const use of uses) if (!app.keyUses.has(use.id)) app.keyUses.set(use.id, use)
    throw error
  }
}
