import type { ApiErrorCode } from '@countersign/protocol/errors.ts'
import type { TSchema } from 'typebox'
import type { Permission } from '../../core/actors.ts'
import type { ApiRoute } from '../route.ts'

/** A request and its answer, as a reader would send it; tests run it. `{userId}` in a text stands for an id that exists. */
export interface Example {
  /** what it shows; needed where there are several */
  title?: string
  query?: Record<string, string>
  body?: unknown
  /** of the answer, where there are several */
  mediaType?: string
  /** absent when the answer is void or no JSON */
  reply?: unknown
}

/** What one of the APIs does, as a reader must know it: what both halves of the document are made of. */
export interface Described {
  method: ApiRoute['method']
  /** as in the route table */
  path: string
  /** the section of the document */
  tag: string
  /** operationId: generated clients have functions of this name, so it stays */
  id: string
  /** `anyone` is for whoever has credentials, null for whoever sends it */
  permission: Permission | 'anyone' | null
  /** names of security schemes, where they are not the chapter's */
  security?: string[]
  summary: string
  /** Markdown: paragraphs, `code` and **strong** */
  about?: string
  query: Record<string, TSchema>
  /** whether an edit can be refused because of If-Match */
  takesIfMatch: boolean
  /** headers of the answer by name, with what they say */
  headers: Record<string, string>
  body?: TSchema
  /** there is a body where there is a schema, or where this is not JSON */
  bodyType: string
  status: number
  /** the answer by media type; undefined for one that is no JSON, no entry for a void answer */
  replies: Record<string, TSchema | undefined>
  refusals: ApiErrorCode[]
  examples: Example[]
}

/** A chapter of the document: one of the APIs. */
export interface Chapter {
  title: string
  about: string
  /** names of security schemes, any of which will do */
  security: string[]
  sections: { tag: string; about: string }[]
  operations: Described[]
}

/** The names of a path's parameters. */
export function parametersOf(path: string): string[] {
  return [...path.matchAll(/:(\w+)/g)].map(([, name = '']) => name)
}
