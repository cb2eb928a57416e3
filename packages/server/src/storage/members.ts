import { isNamed, type NamePage } from './pages.ts'
import type { Schema } from './schema.ts'
import { query, type Run, statement } from './statement.ts'
import type { UserRow } from './users.ts'

type Key = { organizationId: string; domainId: string; userId: string }

export type MemberRow = Schema['members']

const findUser = statement<Key>()((db, value) =>
  db
    .selectFrom('members')
    .innerJoin('users', (join) =>
      join.onRef('users.organization_id', '=', 'members.organization_id').onRef('users.id', '=', 'members.user_id'),
    )
    .selectAll('users')
    .where('members.organization_id', '=', value('organizationId'))
    .where('members.domain_id', '=', value('domainId'))
    .where('members.user_id', '=', value('userId')),
)

const findUserByName = statement<{ organizationId: string; domainId: string; usernameKey: string }>()((db, value) =>
  db
    .selectFrom('users')
    .innerJoin('members', (join) =>
      join.onRef('users.organization_id', '=', 'members.organization_id').onRef('users.id', '=', 'members.user_id'),
    )
    .selectAll('users')
    .where('users.organization_id', '=', value('organizationId'))
    .where('users.username_key', '=', value('usernameKey'))
    .where('members.domain_id', '=', value('domainId')),
)

const lock = statement<Key>()((db, value, lock) =>
  lock(
    db
      .selectFrom('members')
      .selectAll()
      .where('organization_id', '=', value('organizationId'))
      .where('domain_id', '=', value('domainId'))
      .where('user_id', '=', value('userId')),
  ),
)

/** Which users belong to which domain. */
export const members = (run: Run) => ({
  /** The user, if a member of the domain. */
  findUser: async (organizationId: string, domainId: string, userId: string): Promise<UserRow | undefined> =>
    (await run(findUser({ organizationId, domainId, userId })))[0],

  findUserByName: async (organizationId: string, domainId: string, usernameKey: string): Promise<UserRow | undefined> =>
    (await run(findUserByName({ organizationId, domainId, usernameKey })))[0],

  /** Keeps the membership as it is until the unit ends; false if there is none. */
  lock: async (organizationId: string, domainId: string, userId: string): Promise<boolean> =>
    (await run(lock({ organizationId, domainId, userId }))).length === 1,

  /** The ids of those that were no members before. */
  insert: async (_organizationId: string, rows: MemberRow[]): Promise<string[]> => {
    const inserted = await run(
      query((db) =>
        db
          .insertInto('members')
          .values(rows)
          .onConflict((conflict) => conflict.doNothing())
          .returning('user_id'),
      ),
    )
    return inserted.map((row) => row.user_id)
  },

  /** The ids of those that were members until now. */
  delete: async (organizationId: string, domainId: string, userIds: string[]): Promise<string[]> => {
    const deleted = await run(
      query((db) =>
        db
          .deleteFrom('members')
          .where('organization_id', '=', organizationId)
          .where('domain_id', '=', domainId)
          .where('user_id', 'in', userIds)
          .returning('user_id'),
      ),
    )
    return deleted.map((row) => row.user_id)
  },

  deleteOfUser: async (organizationId: string, userId: string): Promise<string[]> => {
    const deleted = await run(
      query((db) =>
        db
          .deleteFrom('members')
          .where('organization_id', '=', organizationId)
          .where('user_id', '=', userId)
          .returning('domain_id'),
      ),
    )
    return deleted.map((row) => row.domain_id)
  },

  /** The domains of these users, as pairs. */
  domainsOf: (organizationId: string, userIds: string[]) =>
    run(
      query((db) =>
        db
          .selectFrom('members')
          .select(['user_id', 'domain_id'])
          .where('organization_id', '=', organizationId)
          .where('user_id', 'in', userIds)
          .orderBy('user_id')
          .orderBy('domain_id'),
      ),
    ),

  /** The ids of page N of a domain's members, in the order of their users' creation: an index has all that is passed over. */
  pageOfIds: async (
    organizationId: string,
    domainId: string,
    page: { limit: number; offset: number },
  ): Promise<string[]> => {
    const rows = await run(
      query((db) =>
        db
          .selectFrom('members')
          .select('user_id')
          .where('organization_id', '=', organizationId)
          .where('domain_id', '=', domainId)
          .orderBy('user_created_at')
          .orderBy('user_id')
          .limit(page.limit)
          .offset(page.offset),
      ),
    )
    return rows.map((row) => row.user_id)
  },

  /** The ids of a part of a domain's members, in the order of their names' keys. */
  listIdsByName: (organizationId: string, domainId: string, page: NamePage) =>
    run(
      query((db) =>
        db
          .selectFrom('members')
          .select(['user_id', 'username_key'])
          .where('organization_id', '=', organizationId)
          .where('domain_id', '=', domainId)
          .where(isNamed('username_key', page))
          .orderBy('username_key')
          .limit(page.limit),
      ),
    ),

  /** The ids of a domain's members after one, in the order of ids. */
  listIds: async (organizationId: string, domainId: string, after: string, limit: number): Promise<string[]> => {
    const rows = await run(
      query((db) =>
        db
          .selectFrom('members')
          .select('user_id')
          .where('organization_id', '=', organizationId)
          .where('domain_id', '=', domainId)
          .where('user_id', '>', after)
          .orderBy('user_id')
          .limit(limit),
      ),
    )
    return rows.map((row) => row.user_id)
  },
})
