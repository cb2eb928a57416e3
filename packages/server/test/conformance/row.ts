import { type Asked, type ClientName, isObject, jsonOf, type Kind } from './client.ts'
import type { Seen } from './seen.ts'
import { known, type World } from './world.ts'

/** As each client writes it, one character a byte; `{name}` is what the world calls so. */
export type Texts = Partial<Record<ClientName, string>>

/** One call that the clients make; the rows of the table follow from one another. */
export interface Row {
  /** method and path of the route */
  endpoint: string
  query?: Texts
  body?: Texts
  returns: Kind
  many?: boolean
  /** The C client knows this endpoint; of those with a body it does if it writes one. */
  c?: boolean
  /** what happens outside of the API before */
  prepare?(world: World): Promise<void> | void
  /** what the world calls members of the answer from now on */
  keep?: Record<string, string>
  expect(world: World): Seen
}

export function knows(client: ClientName, { c, body, query }: Row): boolean {
  return client === 'c'
    ? c === true || body?.c !== undefined
    : (body ?? query)?.[client] !== undefined || !(body ?? query)
}

/** The row as one client's call. */
export function askedBy(client: ClientName, row: Row, world: World): Asked {
  const [method = '', route = ''] = row.endpoint.split(' ')
  const path = route.replaceAll(/:(\w+)/g, (_, name) => known(world, name))
  const query = row.query?.[client]
  const body = row.body?.[client]?.replaceAll(/\{(\w+)\}/g, (_, name) => known(world, name))
  return { method, path: query ? `${path}?${query}` : path, body, returns: row.returns, many: row.many }
}

export function learn(world: World, { keep = {} }: Row, text: string): void {
  const document = jsonOf(text)
  if (!isObject(document)) return
  for (const [name, member] of Object.entries(keep)) world.ids[name] = String(document[member])
}

/** A query that all of them write alike. */
export function alike(text: string): Texts {
  return { php: text, python: text, java: text }
}
