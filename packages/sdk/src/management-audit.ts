import type { AuditEvent, AuditQuery, Part, PartQuery, TimeQuery } from '@countersign/protocol/management.ts'
import { part, parts, withQuery } from './rest-pages.ts'
import { type RestTransport, requestStream } from './rest-request.ts'

/** Who did what, and when. */
export class AuditCalls {
  readonly #transport: RestTransport

  constructor(transport: RestTransport) {
    this.#transport = transport
  }

  /** The events, the newest first, fetched as they are consumed. */
  list(query: AuditQuery & Pick<PartQuery, 'limit'> = {}): AsyncGenerator<AuditEvent, void> {
    return parts(this.#transport, '/audit', query)
  }

  /** One part of the list. With several filters it may hold fewer events than `limit`, or none, and still have a `next`. */
  part(query: AuditQuery & PartQuery = {}): Promise<Part<AuditEvent>> {
    return part(this.#transport, '/audit', query)
  }

  /**
   * Every event of a time, the oldest first, as lines of JSON unless told: read as it comes, however long the log is. Reading
   * throws when the connection ends too early.
   */
  export(
    query: TimeQuery & { format?: 'jsonl' | 'csv' } = {},
    options: { signal?: AbortSignal } = {},
  ): Promise<ReadableStream<Uint8Array>> {
    const path = withQuery('/audit/export', query)
    return requestStream(this.#transport, { method: 'GET', path, accept: '*/*', ...options })
  }
}
