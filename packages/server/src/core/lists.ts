import type { Page, Place } from '../storage/pages.ts'
import { badRequest } from './errors.ts'

/** What part of a list is asked for. */
export interface ListInput {
  /** the `next` of the part before; absent for the first */
  after?: string
  /** how many items at most; 100 unless told */
  limit?: number
}

/** A part of a list, and where the rest of it begins. */
export interface List<Item> {
  items: Item[]
  /** absent at the end */
  next?: string
}

/** How many objects a numbered page of the compatible API holds. */
export const pageSize = 100

const limitDefault = 100
const limitMax = 1_000

/**
 * Reads `after` and `limit`; `shape` is a place such as `[0, '']`, whose types a cursor must have. The page has one row more
 * than is shown, to see whether there are more. Throws `api.error.badrequest`.
 */
export function readPage<After extends Place | []>(input: ListInput, shape: After): Page<After> {
  const limit = input.limit ?? limitDefault
  if (!Number.isInteger(limit) || limit < 1 || limit > limitMax)
    throw badRequest('limit', `It is a whole number from 1 to ${limitMax}.`)
  return input.after === undefined ? { limit: limit + 1 } : { after: readCursor(input.after, shape), limit: limit + 1 }
}

/** The items of a page, without the row that only says that there are more. */
export function listOf<Row, Item>(
  page: { limit: number },
  rows: Row[],
  { place, item }: { place(row: Row): Place; item(row: Row): Item },
): List<Item> {
  const shown = rows.slice(0, page.limit - 1)
  const last = shown.at(-1)
  const items = shown.map(item)
  return rows.length < page.limit || last === undefined ? { items } : { items, next: writeCursor(place(last)) }
}

/** The `next` of a list that goes on after this place. */
export function writeCursor(place: Place): string {
  return Buffer.from(JSON.stringify(place)).toString('base64url')
}

function readCursor<After extends Place | []>(text: string, shape: After): After {
  const place = parse(text)
  if (!isLike(place, shape)) throw badRequest('after', 'It must be the `next` of an earlier answer.')
  return place
}

function parse(text: string): unknown {
  try {
    return JSON.parse(Buffer.from(text, 'base64url').toString())
  } catch {
    return undefined // no cursor of ours
  }
}

function isLike<After extends Place | []>(value: unknown, shape: After): value is After {
  if (!Array.isArray(value) || value.length !== shape.length) return false
  return shape.every((model, index) => {
    const part: unknown = value[index]
    return typeof model === 'number' ? Number.isSafeInteger(part) : typeof part === 'string' && !part.includes('\0')
  })
}
