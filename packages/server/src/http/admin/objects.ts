import Type from 'typebox'
import { revisionOf } from '../../core/revisions.ts'
import { Answer } from '../route.ts'

export const Id = Type.String({ pattern: '^[0-9a-f]{40}$', description: '40 hexadecimal digits' })
export const Time = Type.String({ format: 'date-time', description: 'RFC 3339, in UTC' })

/** The query of every list. */
export const listQuery = {
  after: Type.Optional(Type.String({ maxLength: 1_000, description: 'the `next` of the part before' })),
  limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 1_000, description: 'how many items at most; 100' })),
}

/** The filters of lists of what belongs to a domain and a user. */
export const filterQuery = {
  domain: Type.Optional(Type.String({ pattern: '^[0-9a-fA-F]{40}$', description: 'id of a domain' })),
  user: Type.Optional(Type.String({ pattern: '^[0-9a-fA-F]{40}$', description: 'id of a user' })),
}

/** The same as core knows them, in the lower case that ids are stored in. */
export function filtersOf<Query extends { domain?: string; user?: string }>({ domain, user, ...others }: Query) {
  return {
    ...others,
    ...(domain === undefined ? {} : { domainId: domain.toLowerCase() }),
    ...(user === undefined ? {} : { userId: user.toLowerCase() }),
  }
}

/** The domain and the user that something is about, by their names. */
export const aboutWhom = {
  domain: Type.Object({ id: Id, name: orNull(Type.String(), 'null once the domain is deleted') }),
  user: Type.Object({ id: Id, username: orNull(Type.String(), 'null once the user is deleted') }),
}

/** The same, or null. */
export function orNull<Schema extends Type.TSchema>(schema: Schema, description?: string) {
  return Type.Union([schema, Type.Null()], description === undefined ? {} : { description })
}

/** Any of these texts. */
export function oneOf<const Words extends readonly string[]>(words: Words, description?: string) {
  return Type.Unsafe<Words[number]>({ type: 'string', enum: [...words], ...(description && { description }) })
}

/** A part of a list. */
export function listOf<Item extends Type.TSchema>(item: Item) {
  return Type.Object({ items: Type.Array(item), next: Type.Optional(Type.String()) })
}

/** An object with its ETag, for If-Match; `edited` is the part of it that edits change, where it shows more. */
export function tagged(object: object, edited: object = object): Answer {
  return new Answer(object, { etag: `"${revisionOf(edited)}"` })
}
