import { isAfter, type Page } from './pages.ts'
import type { Schema } from './schema.ts'
import { query, type Run, statement } from './statement.ts'

export type DomainRow = Schema['domains']

/** With the settings of the organization, read at once. */
export type FoundDomain = DomainRow & Pick<Schema['organizations'], 'settings'>

const find = statement<{ organizationId: string; domainId: string }>()((db, value) =>
  db
    .selectFrom('domains')
    .innerJoin('organizations', 'organizations.id', 'domains.organization_id')
    .selectAll('domains')
    .select('organizations.settings')
    .where('domains.organization_id', '=', value('organizationId'))
    .where('domains.id', '=', value('domainId')),
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

const share = statement<{ organizationId: string; domainId: string }>()((db, value, lock) =>
  lock(
    db
      .selectFrom('domains')
      .select('id')
      .where('organization_id', '=', value('organizationId'))
      .where('id', '=', value('domainId')),
    'share',
  ),
)

/** Domains. */
export const domains = (run: Run) => ({
  find: async (organizationId: string, domainId: string): Promise<FoundDomain | undefined> =>
    (await run(find({ organizationId, domainId })))[0],
  lock: async (organizationId: string, domainId: string): Promise<DomainRow | undefined> =>
    (await run(lock({ organizationId, domainId })))[0],
  /** Keeps the domain from being deleted until the unit ends; false if there is none. */
  share: async (organizationId: string, domainId: string): Promise<boolean> =>
    (await run(share({ organizationId, domainId }))).length === 1,
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
  /** A part of the organization's domains, in the order of their creation. */
  list: (organizationId: string, page: Page<[number, string]>): Promise<DomainRow[]> =>
    run(
      query((db) => {
        const all = db.selectFrom('domains').selectAll().where('organization_id', '=', organizationId)
        const rest = page.after === undefined ? all : all.where(isAfter(['created_at', 'id'], page.after))
        return rest.orderBy('created_at').orderBy('id').limit(page.limit)
      }),
    ),
  update: (organizationId: string, domainId: string, values: Partial<DomainRow>) =>
    run(
      query((db) =>
        db.updateTable('domains').set(values).where('organization_id', '=', organizationId).where('id', '=', domainId),
      ),
    ),
  delete: (organizationId: string, domainId: string) =>
    run(
      query((db) => db.deleteFrom('domains').where('organization_id', '=', organizationId).where('id', '=', domainId)),
    ),
  insert: (row: DomainRow) => run(query((db) => db.insertInto('domains').values(row))),
})
