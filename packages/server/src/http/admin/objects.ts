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

/** Any of these texts. */
export function oneOf<const Words extends readonly string[]>(words: Words, description?: string) {
  return Type.Unsafe<Words[number]>({ type: 'string', enum: [...words], ...(description && { description }) })
}

/** A part of a list. */
export function listOf<Item extends Type.TSchema>(item: Item) {
  return Type.Object({ items: Type.Array(item), next: Type.Optional(Type.String()) })
}

/** An object with its ETag, for If-Match. */
export function tagged(object: object): Answer {
  return new Answer(object, { etag: `"${revisionOf(object)}"` })
}
