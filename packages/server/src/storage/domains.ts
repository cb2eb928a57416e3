import type { Schema } from './schema.ts'
import { query, type Run, statement } from './statement.ts'

export type DomainRow = Schema['domains']

const find = statement<{ organizationId: string; domainId: string }>()((db, value) =>
  db
    .selectFrom('domains')
    .selectAll()
    .where('organization_id', '=', value('organizationId'))
    .where('id', '=', value('domainId')),
)

const lock = statement<{ organizationId: string; domainId: string }>()((db, value, lock) =>
  lock(
    db
      .selectFrom('domains')
      .selectAll()
      .where('organization_id', '=', value('organizationId'))
      .where('id', '=', value('domainId')),
  ),
)

/** Domains. */
export const domains = (run: Run) => ({
  find: async (organizationId: string, domainId: string): Promise<DomainRow | undefined> =>
    (await run(find({ organizationId, domainId })))[0],
  lock: async (organizationId: string, domainId: string): Promise<DomainRow | undefined> =>
    (await run(lock({ organizationId, domainId })))[0],
  /** Of several organizations at once: a device may hold tokens of each. */
  findMany: (keys: { organization_id: string; domain_id: string }[]): Promise<DomainRow[]> =>
    run(
      query((db) =>
        db
          .selectFrom('domains')
          .selectAll()
          .where('organization_id', 'in', [...new Set(keys.map((key) => key.organization_id))])
          .where('id', 'in', [...new Set(keys.map((key) => key.domain_id))]),
      ),
    ),
  insert: (row: DomainRow) => run(query((db) => db.insertInto('domains').values(row))),
})
