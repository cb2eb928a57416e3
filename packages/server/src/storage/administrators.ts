import { isAfter, type Page } from './pages.ts'
import type { Schema } from './schema.ts'
import { query, type Run } from './statement.ts'

export type AdministratorRow = Schema['administrators']

/** Administrators, unique in their organization by the key of their e-mail address. */
export const administrators = (run: Run) => ({
  find: async (organizationId: string, id: string): Promise<AdministratorRow | undefined> =>
    (
      await run(
        query((db) =>
          db
            .selectFrom('administrators')
            .selectAll()
            .where('organization_id', '=', organizationId)
            .where('id', '=', id),
        ),
      )
    )[0],

  findByEmail: async (organizationId: string, emailKey: string): Promise<AdministratorRow | undefined> =>
    (
      await run(
        query((db) =>
          db
            .selectFrom('administrators')
            .selectAll()
            .where('organization_id', '=', organizationId)
            .where('email_key', '=', emailKey),
        ),
      )
    )[0],

  lock: async (organizationId: string, id: string): Promise<AdministratorRow | undefined> =>
    (
      await run(
        query((db, lock) =>
          lock(
            db
              .selectFrom('administrators')
              .selectAll()
              .where('organization_id', '=', organizationId)
              .where('id', '=', id),
          ),
        ),
      )
    )[0],

  /** A part of the organization's administrators, in the order of their addresses' keys. */
  list: (organizationId: string, page: Page<[string]>): Promise<AdministratorRow[]> =>
    run(
      query((db) => {
        const all = db.selectFrom('administrators').selectAll().where('organization_id', '=', organizationId)
        const rest = page.after === undefined ? all : all.where(isAfter(['email_key'], page.after))
        return rest.orderBy('email_key').limit(page.limit)
      }),
    ),

  /** Whether there is another one of that role who is not disabled. */
  hasOther: async (organizationId: string, id: string, role: string): Promise<boolean> => {
    const rows = await run(
      query((db) =>
        db
          .selectFrom('administrators')
          .select('id')
          .where('organization_id', '=', organizationId)
          .where('role', '=', role)
          .where('disabled', '=', 0)
          .where('id', '!=', id)
          .limit(1),
      ),
    )
    return rows.length > 0
  },

  /** False when somebody of the organization has that address. */
  insert: async (row: AdministratorRow): Promise<boolean> => {
    const rows = await run(
      query((db) =>
        db
          .insertInto('administrators')
          .values(row)
          .onConflict((conflict) => conflict.columns(['organization_id', 'email_key']).doNothing())
          .returning('id'),
      ),
    )
    return rows.length === 1
  },

  update: (organizationId: string, id: string, values: Partial<AdministratorRow>) =>
    run(
      query((db) =>
        db.updateTable('administrators').set(values).where('organization_id', '=', organizationId).where('id', '=', id),
      ),
    ),

  delete: (organizationId: string, id: string) =>
    run(
      query((db) => db.deleteFrom('administrators').where('organization_id', '=', organizationId).where('id', '=', id)),
    ),

  /** Takes a sign-in link, which says whose it is: of several at once one gets the row, the others nothing. */
  takeLink: async (hash: string, now: number): Promise<AdministratorRow | undefined> =>
    (
      await run(
        query((db) =>
          db
            .updateTable('administrators')
            .set({ sign_in_hash: null, sign_in_expires_at: null, last_sign_in_at: now })
            .where('sign_in_hash', '=', hash)
            .where('sign_in_expires_at', '>', now)
            .where('disabled', '=', 0)
            .returningAll(),
        ),
      )
    )[0],
})
