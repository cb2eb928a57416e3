import type { Schema } from './schema.ts'
import { query, type Run } from './statement.ts'

export type DomainImageRow = Schema['domain_images']

/** The pictures of domains that have one of their own. */
export const domainImages = (run: Run) => ({
  find: async (organizationId: string, domainId: string): Promise<DomainImageRow | undefined> => {
    const [row] = await run(
      query((db) =>
        db
          .selectFrom('domain_images')
          .selectAll()
          .where('organization_id', '=', organizationId)
          .where('domain_id', '=', domainId),
      ),
    )
    return row
  },

  /** Of whatever organization; by its organizations, of which there are few, since the key of the table begins with them. */
  findByDomain: async (domainId: string): Promise<DomainImageRow | undefined> => {
    const [row] = await run(
      query((db) =>
        db
          .selectFrom('organizations')
          .innerJoin('domain_images', 'domain_images.organization_id', 'organizations.id')
          .selectAll('domain_images')
          .where('domain_images.domain_id', '=', domainId),
      ),
    )
    return row
  },

  /** In the place of the one that the domain had. */
  put: (row: DomainImageRow) =>
    run(
      query((db) =>
        db
          .insertInto('domain_images')
          .values(row)
          .onConflict((conflict) =>
            conflict.columns(['organization_id', 'domain_id']).doUpdateSet((old) => ({
              png: old.ref('excluded.png'),
              hash: old.ref('excluded.hash'),
              updated_at: old.ref('excluded.updated_at'),
            })),
          ),
      ),
    ),

  /** Whether there was one. */
  delete: async (organizationId: string, domainId: string): Promise<boolean> => {
    const deleted = await run(
      query((db) =>
        db
          .deleteFrom('domain_images')
          .where('organization_id', '=', organizationId)
          .where('domain_id', '=', domainId)
          .returning('domain_id'),
      ),
    )
    return deleted.length === 1
  },
})
