import { sql } from 'kysely'
import { query, type Run, statement } from './statement.ts'
import type { TokenRow } from './tokens.ts'

/** What a token keeps of a subscription; all null for none. */
export type PushColumns = Pick<
  TokenRow,
  'push_endpoint_cipher' | 'push_keys_cipher' | 'push_endpoint_hash' | 'push_vapid_id'
>

type Key = { organizationId: string; tid: string }
type OfEndpoint = Key & { endpointHash: string }

const active = sql.lit('active')

const put = statement<Key & PushColumns>()((db, value) =>
  db
    .updateTable('tokens')
    .set({
      push_endpoint_cipher: value('push_endpoint_cipher'),
      push_keys_cipher: value('push_keys_cipher'),
      push_endpoint_hash: value('push_endpoint_hash'),
      push_vapid_id: value('push_vapid_id'),
      push_error: null,
      push_error_since: null,
    })
    .where('organization_id', '=', value('organizationId'))
    .where('tid', '=', value('tid'))
    .where('state', '=', active),
)

const erase = statement<OfEndpoint>()((db, value) =>
  db
    .updateTable('tokens')
    .set({
      push_endpoint_cipher: null,
      push_keys_cipher: null,
      push_endpoint_hash: null,
      push_vapid_id: null,
      push_error: null,
      push_error_since: null,
    })
    .where('organization_id', '=', value('organizationId'))
    .where('tid', '=', value('tid'))
    .where('push_endpoint_hash', '=', value('endpointHash'))
    .returning('tid'),
)

const noteError = statement<OfEndpoint & { error: string | null; since: number | null }>()((db, value) =>
  db
    .updateTable('tokens')
    .set({ push_error: value('error'), push_error_since: value('since') })
    .where('organization_id', '=', value('organizationId'))
    .where('tid', '=', value('tid'))
    .where('push_endpoint_hash', '=', value('endpointHash')),
)

const giveTurnBack = statement<Key & { dueAt: number; before: number }>()((db, value) =>
  db
    .updateTable('tokens')
    .set({ push_at: value('before') })
    .where('organization_id', '=', value('organizationId'))
    .where('tid', '=', value('tid'))
    .where('push_at', '=', value('dueAt')),
)

/** Where pushes to a token go. A subscription is a part of its token's row, and ends with the token. */
export const pushSubscriptions = (run: Run) => ({
  /** Puts a subscription, or none, in the place of what an active token has. */
  put: (organizationId: string, tid: string, columns: PushColumns) => run(put({ organizationId, tid, ...columns })),

  /** False when the token has another subscription by now, or none. */
  erase: async (organizationId: string, tid: string, endpointHash: string): Promise<boolean> =>
    (await run(erase({ organizationId, tid, endpointHash }))).length === 1,

  /** Notes how a subscription fares, unless there is another one by now. */
  noteError: (
    organizationId: string,
    tid: string,
    endpointHash: string,
    noted: { error: string | null; since: number | null },
  ) => run(noteError({ organizationId, tid, endpointHash, ...noted })),

  /** What was to leave at `dueAt` did not: the last one is that of before, unless another one has taken its turn by now. */
  giveTurnBack: (organizationId: string, tid: string, turn: { dueAt: number; before: number }) =>
    run(giveTurnBack({ organizationId, tid, ...turn })),

  /** Over all organizations: whether a subscription was made under this VAPID key. */
  isNamed: async (vapidId: string): Promise<boolean> =>
    (
      await run(
        query((db) =>
          db
            .selectFrom('tokens')
            .select('tid')
            .where('push_vapid_id', 'is not', null)
            .where('push_vapid_id', '=', vapidId)
            .limit(1),
        ),
      )
    ).length > 0,
})
