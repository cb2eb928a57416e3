import { type Call, jsonOf, type RestTransport, request } from './rest-request.ts'

/** An object as it was read, with what names this state of it. */
export type Revised<Object> = Object & {
  /** for `ifMatch`; '' where something on the way took it away, and then no edit with it succeeds */
  revision: string
}

/** An edit that is refused with `api.error.preconditionfailed` when somebody has changed the object meanwhile. */
export interface IfMatch {
  /** the `revision` that was read; without it the last one wins */
  ifMatch?: string
}

/** Sends a request and returns the object of the answer with its revision. */
export async function askRevised<Object extends object>(
  transport: RestTransport,
  call: Call,
): Promise<Revised<Object>> {
  const answer = await request(transport, call)
  // A proxy that compresses marks an ETag as weak (RFC 9110 8.8.1); it still names the same state.
  const [, revision = ''] = /^(?:W\/)?"(.*)"$/.exec(answer.headers.get('etag') ?? '') ?? []
  // As in ask(): the server at this address is the trusted party.
  return { ...(jsonOf(answer) as Object), revision }
}

/** The option as a part of a call. */
export function matching({ ifMatch }: IfMatch): IfMatch {
  return ifMatch === undefined ? {} : { ifMatch }
}
