import { Readable } from 'node:stream'
import Type from 'typebox'
import { exportAuditEvents, type LoggedEvent, listAuditEvents } from '../../core/audit-log.ts'
import { Answer } from '../route.ts'
import { csvLine } from './csv.ts'
import { Id, listOf, listQuery, oneOf, Time } from './objects.ts'
import { operation } from './operation.ts'

const NullableId = Type.Union([Id, Type.Null()])
const Event = Type.Object({
  id: Type.String({ description: 'the chain and the number in it, as `countersign audit verify` names them' }),
  at: Time,
  event: Type.String(),
  actor: Type.Object({
    kind: oneOf(['api-key', 'administrator', 'operator', 'device', 'server']),
    id: Type.String({ description: 'of the key, the administrator or the token; empty for the server itself' }),
  }),
  domainId: NullableId,
  userId: NullableId,
  tokenId: NullableId,
  sessionId: NullableId,
  data: Type.Object({}, { description: 'more, by the kind of event; never a secret', additionalProperties: true }),
  hash: Type.String({ description: 'of this event and, through the one before it in its chain, of all before' }),
})

const created = {
  id: '17-2041',
  at: '2027-01-15T08:00:00.000Z',
  event: 'bypass_code.created',
  actor: { kind: 'api-key', id: '0d5f2b8c4e7a19630b8d5f2c7e4a1963f0b8d52c' },
  domainId: null,
  userId: '51c7e0a92d4b86f31e5a0c9d7b248f63a1e50c9d',
  tokenId: null,
  sessionId: null,
  data: { id: 'e2b94d71c06f5a38e9d2b47160cf5a83d9e2b471', usesAllowed: 1, expiresAt: null },
  hash: 'hl0gkR5sBu6zXW4cPZzqvVtS1FpxDgM2nCUJd5eIyfE',
}

const time = {
  since: Type.Optional(Type.String({ description: 'RFC 3339; included' })),
  until: Type.Optional(Type.String({ description: 'RFC 3339; not included' })),
}
const optionalId = (description: string) => Type.Optional(Type.String({ pattern: '^[0-9A-Fa-f]{40}$', description }))

export const list = operation({
  summary: 'List the events of the audit log',
  about:
    'The newest first. `session` and `token` go with the `user` whose they are. With several filters a part may hold fewer ' +
    'events than `limit`, or none, and still have a `next`: it ends where 5,000 events have been looked at.',
  query: {
    event: Type.Optional(Type.String({ maxLength: 64, description: 'such as `session.denied`' })),
    user: optionalId('id of a user'),
    domain: optionalId('id of a domain'),
    token: optionalId('id of a token; only with `user`'),
    session: optionalId('id of a session; only with `user`'),
    actor: Type.Optional(Type.String({ maxLength: 64, description: 'id of who did it' })),
    ...time,
    ...listQuery,
  },
  reply: listOf(Event),
  example: { query: { event: 'bypass_code.created', limit: '20' }, reply: { items: [created] } },
  handle: (app, actor, { query }) => listAuditEvents(app, actor, query),
})

export const exported = operation({
  summary: 'Export the audit log',
  about:
    'Every event of the time, the oldest first, as it stands when the export begins. JSONL has the events of the list, one a ' +
    'line. The export is itself an event: `audit.exported`. A connection that ends without its last chunk was cut. Two at a ' +
    'time: a third is refused while two others of the same key or administrator are being read.',
  query: { format: Type.Optional(oneOf(['jsonl', 'csv'], 'jsonl unless told')), ...time },
  reply: Type.String(),
  produces: 'application/jsonl',
  refusals: ['api.error.toomanyrequests'],
  example: { query: { since: '2027-01-01T00:00:00Z' } },
  async handle(app, actor, { query: { format = 'jsonl', ...time } }) {
    const { mediaType, head, lineOf } = formats[format]
    const events = await exportAuditEvents(app, actor, { format, ...time })
    const day = new Date(app.now()).toISOString().slice(0, 10)
    // A stream is closed in any case: at its end, when it breaks off, when the client hangs up, even if it was never read.
    const body = Readable.from(texts(events, { head, lineOf }), { objectMode: false }).once('close', events.end)
    return new Answer(body, {
      'content-type': mediaType,
      'content-disposition': `attachment; filename="audit-${day}.${format}"`,
    })
  },
})

interface Format {
  mediaType: string
  head: string
  lineOf(event: LoggedEvent): string
}

const csvColumns = [
  'id',
  'at',
  'event',
  'actorKind',
  'actorId',
  'domainId',
  'userId',
  'tokenId',
  'sessionId',
  'data',
  'hash',
]

const formats: Record<'jsonl' | 'csv', Format> = {
  jsonl: { mediaType: 'application/jsonl', head: '', lineOf: (event) => `${JSON.stringify(event)}\n` },
  csv: {
    mediaType: 'text/csv; charset=utf-8',
    head: csvLine(csvColumns),
    lineOf: ({ id, at, event, actor, domainId, userId, tokenId, sessionId, data, hash }) =>
      csvLine([id, at, event, actor.kind, actor.id, domainId, userId, tokenId, sessionId, JSON.stringify(data), hash]),
  },
}

async function* texts(batches: AsyncIterable<LoggedEvent[]>, { head, lineOf }: Pick<Format, 'head' | 'lineOf'>) {
  if (head) yield head
  for await (const batch of batches) yield batch.map(lineOf).join('')
}
