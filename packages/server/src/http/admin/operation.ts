import type { ApiErrorCode } from '@countersign/protocol/errors.ts'
import type { Static, TObject, TProperties, TSchema } from 'typebox'
import Type from 'typebox'
import { Compile } from 'typebox/compile'
import type { App } from '../../app.ts'
import type { Actor } from '../../core/actors.ts'
import { pathId } from '../api/request.ts'
import type { Incoming } from '../route.ts'
import { checked, type Judge, readQuery } from './validation.ts'

/** What an operation is told of a request, checked. */
export interface AdminRequest<Query = Record<string, never>, Body = undefined> {
  /** A parameter of the path, in the lower case that ids are stored in. */
  id(name: string): string
  query: Query
  body: Body
  /** the body of an operation that `consumes` something else than JSON; empty when there is none */
  bytes: Uint8Array
  /** the revision of If-Match, or `*` */
  ifMatch: string | undefined
  clientAddress: string
  headers: Incoming['headers']
  signal: AbortSignal
}

/** What can be said of an operation beside what it does; it ends up in the OpenAPI document. */
interface Description {
  /** one line, in the imperative */
  summary: string
  /** what else a reader must know; Markdown */
  about?: string
  /** of the success; 200 unless told, 204 where there is no `reply` */
  status?: 200 | 201 | 204
  /** the schema of the answer; absent when there is none */
  reply?: TSchema
  /** the media type of a body that is not JSON; which it is, is found out from the bytes */
  consumes?: string
  /** the media type of an answer that is not JSON */
  produces?: string
  /** whether it refuses by If-Match */
  takesIfMatch?: true
  /** beside those that follow from its address and schemas */
  refusals?: ApiErrorCode[]
  /** a request and its answer, as a reader would send it; tests run it. `{name}` stands for an id that exists. */
  example?: { query?: Record<string, string>; body?: unknown; reply?: unknown }
}

/** One thing that the management API does, whatever its address. */
export interface Operation extends Description {
  query?: TObject
  body?: TSchema
  bodyBytesMax?: number
  /** Reads, checks and does it. There is no actor where the table asks for no credentials. */
  answer(app: App, actor: Actor | undefined, request: Incoming): Promise<unknown>
}

interface Input<Query extends TProperties, Body extends TSchema> extends Description {
  query?: Query
  /** a body of JSON */
  body?: Body
}

type Checked<Query extends TProperties, Body extends TSchema> = AdminRequest<Static<TObject<Query>>, Static<Body>>

interface Definition<Query extends TProperties, Body extends TSchema> extends Input<Query, Body> {
  handle(app: App, actor: Actor, request: Checked<Query, Body>): Promise<unknown>
}

interface OpenDefinition<Query extends TProperties, Body extends TSchema> extends Input<Query, Body> {
  handle(app: App, request: Checked<Query, Body>): Promise<unknown>
}

/** Declares an operation: its request is checked by the very schemas that the OpenAPI document shows. */
export function operation<Query extends TProperties = Record<never, never>, Body extends TSchema = TSchema>({
  handle,
  ...input
}: Definition<Query, Body>): Operation {
  const { description, read } = reading(input)
  return {
    ...description,
    async answer(app, actor, request) {
      if (!actor) throw new Error('an operation was reached that only openOperation() makes')
      return handle(app, actor, read(request))
    },
  }
}

/** The same for whoever sends it, without credentials. */
export function openOperation<Query extends TProperties = Record<never, never>, Body extends TSchema = TSchema>({
  handle,
  ...input
}: OpenDefinition<Query, Body>): Operation {
  const { description, read } = reading(input)
  return { ...description, answer: async (app, _nobody, request) => handle(app, read(request)) }
}

function reading<Query extends TProperties, Body extends TSchema>(input: Input<Query, Body>) {
  const { query, body, ...description } = input
  const querySchema = closed(query ?? {})
  const judgeQuery: Judge = Compile(querySchema)
  const judgeBody: Judge | undefined = body && Compile(body)
  const read = (request: Incoming): Checked<Query, Body> => ({
    id: (name) => pathId(request, name),
    // The judges have just found that it is what the schemas say.
    query: readQuery(request.query, querySchema, judgeQuery) as Static<TObject<Query>>,
    body: (input.consumes ? undefined : checked(request.text, judgeBody)) as Static<Body>,
    bytes: request.bytes ?? new Uint8Array(),
    ifMatch: ifMatchOf(request),
    clientAddress: request.clientAddress,
    headers: request.headers,
    get signal() {
      return request.signal
    },
  })
  return { description: { ...description, query: querySchema, ...(body && { body }) }, read }
}

/** An object that has these members and no others. */
export function closed<Properties extends TProperties>(properties: Properties) {
  return Type.Object(properties, { additionalProperties: false })
}

/** An object that may have these members and no others: what an edit sends. */
export function changesOf<Properties extends TProperties>(properties: Properties) {
  return closed(Type.Partial(Type.Object(properties)).properties)
}

function ifMatchOf({ headers }: Incoming): string | undefined {
  return headers['if-match']?.trim().replace(/^"(.*)"$/, '$1')
}
