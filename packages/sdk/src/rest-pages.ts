import type { Part } from '@countersign/protocol/management.ts'
import { notUnderstood } from './rest-errors.ts'
import { type Answer, jsonOf, type RestTransport, request } from './rest-request.ts'
import { isObject } from './retry.ts'

/** The items of a list in numbered pages of bare arrays, as LoginTC's API has them. */
export function numbered<Item>(transport: RestTransport, path: string): AsyncGenerator<Item, void> {
  let page = 1
  let linked = false
  return itemsOf(transport, numberedPath(path, page), (answer) => {
    const items = listOf<Item>(answer)
    const more = /rel="?next"?/.test(answer.headers.get('link') ?? '')
    // LoginTC's own servers send no Link header: there the first empty page is the end.
    const last = items.length === 0 || (linked && !more)
    linked = more
    return { items, next: last ? undefined : numberedPath(path, ++page) }
  })
}

/** The path of one numbered page; the first is 1. */
export function numberedPath(path: string, page: number): string {
  return `${path}?page=${page}`
}

/** The array that an answer is. Throws CountersignError `unknown`: a list that is cut short must not pass for a whole one. */
export function listOf<Item>(answer: Answer): Item[] {
  const body = jsonOf(answer)
  if (!Array.isArray(body)) throw notUnderstood(answer.status, 'The answer is not a list.')
  return body
}

/** The items of a list in parts that name their successor, as the management API has them; `query` filters them. */
export function parts<Item>(transport: RestTransport, path: string, query: object = {}): AsyncGenerator<Item, void> {
  return itemsOf(transport, withQuery(path, query), (answer) => {
    const { items, next } = partOf<Item>(answer)
    return { items, next: next === undefined ? undefined : withQuery(path, { ...query, after: next }) }
  })
}

/** One part of such a list. */
export async function part<Item>(transport: RestTransport, path: string, query: object = {}): Promise<Part<Item>> {
  return partOf(await request(transport, { method: 'GET', path: withQuery(path, query) }))
}

/** The path with these parameters; those that are undefined are left out. */
export function withQuery(path: string, query: object): string {
  const given = Object.entries(query).filter(([, value]) => value !== undefined)
  const search = new URLSearchParams(Object.fromEntries(given.map(([name, value]) => [name, String(value)])))
  return given.length === 0 ? path : `${path}?${search}`
}

/** One page of a list, and the path of the next one; without it this is the last. */
interface Page<Item> {
  items: Item[]
  next: string | undefined
}

/** The items of a list, fetched page by page as they are consumed. `read` knows how this list says what comes next. */
async function* itemsOf<Item>(
  transport: RestTransport,
  first: string,
  read: (answer: Answer) => Page<Item>,
): AsyncGenerator<Item, void> {
  for (let path: string | undefined = first; path !== undefined; ) {
    const page: Page<Item> = read(await request(transport, { method: 'GET', path }))
    yield* page.items
    path = page.next
  }
}

/** Throws CountersignError `unknown` for what is none: a list that is cut short must not pass for a whole one. */
function partOf<Item>(answer: Answer): Part<Item> {
  const body = jsonOf(answer)
  if (!isObject(body) || !Array.isArray(body.items)) throw notUnderstood(answer.status, 'The answer is not a list.')
  return { items: body.items, ...(typeof body.next === 'string' && { next: body.next }) }
}
