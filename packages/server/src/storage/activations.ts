import type { Schema } from './schema.ts'
import { batch, query, type Run, statement } from './statement.ts'

export type ActivationRow = Schema['activations']

const find = statement<{ aidHash: string }>()((db, value) =>
  db.selectFrom('activations').selectAll().where('aid_hash', '=', value('aidHash')),
)

const insert = statement<ActivationRow>()((db, value) =>
  db.insertInto('activations').values({
    aid_hash: value('aid_hash'),
    organization_id: value('organization_id'),
    tid: value('tid'),
    nonce_hash: value('nonce_hash'),
    created_at: value('created_at'),
    expires_at: value('expires_at'),
  }),
)

// The newest four stay beside the one that is being added. Those of one millisecond are told apart by their hash.
const dropOldest = statement<{ organizationId: string; tid: string; keep: number }>()((db, value) =>
  db
    .deleteFrom('activations')
    .where('organization_id', '=', value('organizationId'))
    .where('tid', '=', value('tid'))
    .where(
      'aid_hash',
      'not in',
      db
        .selectFrom('activations')
        .select('aid_hash')
        .where('organization_id', '=', value('organizationId'))
        .where('tid', '=', value('tid'))
        .orderBy('created_at', 'desc')
        .orderBy('aid_hash')
        .limit(value('keep')),
    ),
)

/** Activations that have begun and are not finished. */
export const activations = (run: Run) => ({
  /** A device names its activation alone; the row says which token it is for. */
  find: async (aidHash: string): Promise<ActivationRow | undefined> => (await run(find({ aidHash })))[0],
  insert: (row: ActivationRow) => run(insert(row)),
  /** Keeps the newest ones of a token. */
  keepNewest: (organizationId: string, tid: string, keep: number) => run(dropOldest({ organizationId, tid, keep })),
  deleteOf: (organizationId: string, tids: string[]) =>
    run(
      query((db) =>
        db.deleteFrom('activations').where('organization_id', '=', organizationId).where('tid', 'in', tids),
      ),
    ),
  /** For the sweeper. */
  deleteOld: (now: number, limit: number) =>
    run(
      query((db, lock) => {
        const old = db.selectFrom('activations').select('aid_hash').where('expires_at', '<=', now).limit(limit)
        return db
          .with(batch, () => lock(old, 'skip locked'))
          .deleteFrom('activations')
          .where('aid_hash', 'in', (from) => from.selectFrom('batch').select('batch.aid_hash'))
          .returning('aid_hash')
      }),
    ),
})
