import { isAfter, isBefore, type Page } from './pages.ts'
import type { Schema } from './schema.ts'
import { query, type Run, statement } from './statement.ts'

export type AuditEventRow = Schema['audit_events']
export type AuditHeadRow = Schema['audit_heads']

/** A place in the order of time: at, chain and seq. Events of one moment are told apart by the other two. */
export type AuditPlace = [at: number, chain: number, seq: number]

/** The columns that have an index of their own, in the order of time within each value. */
export type AuditColumn = 'user_id' | 'event' | 'actor_id' | 'domain_id'

/** The events that have one value in common. */
export interface AuditHaving {
  column: AuditColumn
  value: string
}

/** The events of a time, in milliseconds: `since` is included, `until` is not. */
export interface AuditStretch {
  since?: number
  until: number
}

type Chain = { organizationId: string; chain: number }

const lockHead = statement<Chain>()((db, value, lock) =>
  lock(
    db
      .selectFrom('audit_heads')
      .selectAll()
      .where('organization_id', '=', value('organizationId'))
      .where('chain', '=', value('chain')),
  ),
)

const createHead = statement<Chain & { hash: string }>()((db, value) =>
  db
    .insertInto('audit_heads')
    .values({ organization_id: value('organizationId'), chain: value('chain'), seq: 0, hash: value('hash') })
    .onConflict((conflict) => conflict.doNothing()),
)

const moveHead = statement<Chain & { seq: number; hash: string }>()((db, value) =>
  db
    .updateTable('audit_heads')
    .set({ seq: value('seq'), hash: value('hash') })
    .where('organization_id', '=', value('organizationId'))
    .where('chain', '=', value('chain')),
)

const append = statement<AuditEventRow>()((db, value) =>
  db.insertInto('audit_events').values({
    organization_id: value('organization_id'),
    chain: value('chain'),
    seq: value('seq'),
    at: value('at'),
    event: value('event'),
    actor_kind: value('actor_kind'),
    actor_id: value('actor_id'),
    domain_id: value('domain_id'),
    user_id: value('user_id'),
    tid: value('tid'),
    sid: value('sid'),
    data: value('data'),
    hash: value('hash'),
  }),
)

const findHead = statement<Chain>()((db, value) =>
  db
    .selectFrom('audit_heads')
    .selectAll()
    .where('organization_id', '=', value('organizationId'))
    .where('chain', '=', value('chain')),
)

const order = ['at', 'chain', 'seq']

/** The audit log: rows are added, never changed. */
export const audit = (run: Run) => ({
  /** The end of a chain, locked: the last lock a unit takes. */
  lockHead: async (organizationId: string, chain: number): Promise<AuditHeadRow | undefined> =>
    (await run(lockHead({ organizationId, chain })))[0],
  findHead: async (organizationId: string, chain: number): Promise<AuditHeadRow | undefined> =>
    (await run(findHead({ organizationId, chain })))[0],
  createHead: (organizationId: string, chain: number, hash: string) => run(createHead({ organizationId, chain, hash })),
  moveHead: (organizationId: string, chain: number, seq: number, hash: string) =>
    run(moveHead({ organizationId, chain, seq, hash })),
  append: async (_organizationId: string, rows: AuditEventRow[]): Promise<void> => {
    const [only] = rows
    if (only && rows.length === 1) await run(append(only))
    else await run(query((db) => db.insertInto('audit_events').values(rows)))
  },
  /** A chain's events after one. */
  list: (organizationId: string, chain: number, afterSeq: number, limit: number): Promise<AuditEventRow[]> =>
    run(
      query((db) =>
        db
          .selectFrom('audit_events')
          .selectAll()
          .where('organization_id', '=', organizationId)
          .where('chain', '=', chain)
          .where('seq', '>', afterSeq)
          .orderBy('seq')
          .limit(limit),
      ),
    ),
  /**
   * The newest events before a place, the newest first; all, or those that have a value in common. No time but the place
   * bounds them: with two bounds SQLite takes the order of time for a better entrance than any value.
   */
  newest: (organizationId: string, having: AuditHaving | undefined, page: Page<AuditPlace>): Promise<AuditEventRow[]> =>
    run(
      query((db) => {
        let rows = db.selectFrom('audit_events').selectAll().where('organization_id', '=', organizationId)
        if (having) rows = rows.where(having.column, '=', having.value)
        if (page.after !== undefined) rows = rows.where(isBefore(order, page.after))
        return rows.orderBy('at', 'desc').orderBy('chain', 'desc').orderBy('seq', 'desc').limit(page.limit)
      }),
    ),
  /** The oldest events of a stretch after a place, the oldest first. */
  oldest: (organizationId: string, { since, until }: AuditStretch, page: Page<AuditPlace>): Promise<AuditEventRow[]> =>
    run(
      query((db) => {
        let rows = db.selectFrom('audit_events').selectAll().where('organization_id', '=', organizationId)
        if (since !== undefined) rows = rows.where('at', '>=', since)
        if (page.after !== undefined) rows = rows.where(isAfter(order, page.after))
        return rows.where('at', '<', until).orderBy('at').orderBy('chain').orderBy('seq').limit(page.limit)
      }),
    ),
  /** For the verifier, over all organizations: where every chain ends. */
  heads: (): Promise<AuditHeadRow[]> =>
    run(query((db) => db.selectFrom('audit_heads').selectAll().orderBy('organization_id').orderBy('chain'))),
  /** For the verifier: the chains that have events, whether they have a head or not. */
  chains: () => run(query((db) => db.selectFrom('audit_events').select(['organization_id', 'chain']).distinct())),
})
