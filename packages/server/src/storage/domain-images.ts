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
  delete: (organizationId: string, domainId: string) =>
    run(
      query((db) =>
        db.deleteFrom('domain_images').where('organization_id', '=', organizationId).where('domain_id', '=', domainId),
      ),
    ),
})
