import { sql } from 'kysely'
import { isNamed, type NamePage } from './pages.ts'
import type { Schema } from './schema.ts'
import { query, type Run, statement } from './statement.ts'

export type UserRow = Schema['users']

type Key = { organizationId: string; userId: string }

const find = statement<Key>()((db, value) =>
  db
    .selectFrom('users')
    .selectAll()
    .where('organization_id', '=', value('organizationId'))
    .where('id', '=', value('userId')),
)

const lock = statement<Key>()((db, value, lock) =>
  lock(
    db
      .selectFrom('users')
      .selectAll()
      .where('organization_id', '=', value('organizationId'))
      .where('id', '=', value('userId')),
  ),
)

const findByKey = statement<{ organizationId: string; usernameKey: string }>()((db, value) =>
  db
    .selectFrom('users')
    .selectAll()
    .where('organization_id', '=', value('organizationId'))
    .where('username_key', '=', value('usernameKey')),
)

/** Users, unique in their organization by the key of their name. */
export const users = (run: Run) => ({
  find: async (organizationId: string, userId: string): Promise<UserRow | undefined> =>
    (await run(find({ organizationId, userId })))[0],

  lock: async (organizationId: string, userId: string): Promise<UserRow | undefined> =>
    (await run(lock({ organizationId, userId })))[0],

  findByKey: async (organizationId: string, usernameKey: string): Promise<UserRow | undefined> =>
    (await run(findByKey({ organizationId, usernameKey })))[0],

  // By pairs: on a table that PostgreSQL has no statistics of, it would walk the whole organization for a list of names.
  findManyByKey: (organizationId: string, usernameKeys: string[]): Promise<UserRow[]> => {
    const pairs = sql.join(usernameKeys.map((key) => sql`(${organizationId}, ${key})`))
    const isWanted = sql<boolean>`(organization_id, username_key) in (values ${pairs})`
    return run(query((db) => db.selectFrom('users').selectAll().where(isWanted)))
  },

  /** Those of these ids who exist, in any order; by pairs for the same reason. */
  findMany: (organizationId: string, userIds: string[]): Promise<UserRow[]> => {
    const pairs = sql.join(userIds.map((id) => sql`(${organizationId}, ${id})`))
    const isWanted = sql<boolean>`(organization_id, id) in (values ${pairs})`
    return run(query((db) => db.selectFrom('users').selectAll().where(isWanted)))
  },

  /** A part of the organization's users, in the order of their names' keys. */
  listByName: (organizationId: string, page: NamePage): Promise<UserRow[]> =>
    run(
      query((db) =>
        db
          .selectFrom('users')
          .selectAll()
          .where('organization_id', '=', organizationId)
          .where(isNamed('username_key', page))
          .orderBy('username_key')
          .limit(page.limit),
      ),
    ),

  /** The ids of page N of the organization's users, in the order of their creation: an index has all that is passed over. */
  pageOfIds: async (organizationId: string, page: { limit: number; offset: number }): Promise<string[]> => {
    const rows = await run(
      query((db) =>
        db
          .selectFrom('users')
          .select('id')
          .where('organization_id', '=', organizationId)
          .orderBy('created_at')
          .orderBy('id')
          .limit(page.limit)
          .offset(page.offset),
      ),
    )
    return rows.map((row) => row.id)
  },

  /** How many of these rows were new: names that exist already are left alone. */
  insert: async (_organizationId: string, rows: UserRow[]): Promise<number> => {
    const inserted = await run(
      query((db) =>
        db
          .insertInto('users')
          .values(rows)
          .onConflict((conflict) => conflict.doNothing())
          .returning('id'),
      ),
    )
    return inserted.length
  },

  /**
   * Creates users, and locks those whose names exist already: nobody deletes them before the unit ends. Row by row, so that
   * two lists in the order of their keys cannot deadlock. Returns how many were new.
   */
  insertOrLock: async (_organizationId: string, rows: UserRow[]): Promise<number> => {
    const inserted = await run(
      query((db) =>
        db
          .insertInto('users')
          .values(rows)
          .onConflict((conflict) =>
            conflict
              .columns(['organization_id', 'username_key'])
              .doUpdateSet((row) => ({ name: row.ref('users.name') }))
              .where(sql<boolean>`1 = 0`),
          )
          .returning('id'),
      ),
    )
    return inserted.length
  },

  update: async (organizationId: string, userId: string, values: { name?: string; email?: string }): Promise<void> => {
    if (values.name === undefined && values.email === undefined) return
    await run(
      query((db) =>
        db.updateTable('users').set(values).where('organization_id', '=', organizationId).where('id', '=', userId),
      ),
    )
  },

  /** Takes over the names and addresses of these rows, which exist. */
  overwrite: (_organizationId: string, rows: UserRow[]) =>
    run(
      query((db) =>
        db
          .insertInto('users')
          .values(rows)
          .onConflict((conflict) =>
            conflict.columns(['organization_id', 'id']).doUpdateSet((row) => ({
              name: row.ref('excluded.name'),
              email: row.ref('excluded.email'),
            })),
          ),
      ),
    ),

  delete: (organizationId: string, userId: string) =>
    run(query((db) => db.deleteFrom('users').where('organization_id', '=', organizationId).where('id', '=', userId))),
})
