import { type RawBuilder, sql } from 'kysely'

/** A place in an order: the values of its columns. */
export type Place = readonly (string | number)[]

/** A part of a list: what comes after a place in its order, so many rows at most. */
export interface Page<After extends Place> {
  after?: After
  limit: number
}

/** Whether a row comes after a place, by the columns of the order (keyset paging: an index is entered right there). */
export function isAfter(columns: readonly string[], place: Place): RawBuilder<boolean> {
  return sql<boolean>`${row(columns)} > ${values(place)}`
}

/** Whether a row comes after a place or is there. */
export function isFrom(columns: readonly string[], place: Place): RawBuilder<boolean> {
  return sql<boolean>`${row(columns)} >= ${values(place)}`
}

/** Whether a row comes before a place: for lists that begin with the newest. */
export function isBefore(columns: readonly string[], place: Place): RawBuilder<boolean> {
  return sql<boolean>`${row(columns)} < ${values(place)}`
}

/** A part of a list in the order of a name: the names with a prefix, after one of them. */
export interface NamePage {
  /** '' for all names */
  prefix: string
  /** a name with that prefix */
  after?: string
  limit: number
}

// No name has it, and by bytes (of UTF-8, as the columns compare) every character comes before it.
const last = '\u{10ffff}'

/** Whether a name is in the range that a page begins; never more than one bound a side, so that an index is entered right there. */
export function isNamed(column: string, { prefix, after }: NamePage): RawBuilder<boolean> {
  const name = sql.ref(column)
  const from = after === undefined ? sql`${name} >= ${prefix}` : sql`${name} > ${after}`
  return sql<boolean>`${from} and ${name} < ${prefix + last}`
}

function row(columns: readonly string[]) {
  return sql`(${sql.join(columns.map((column) => sql.ref(column)))})`
}

function values(place: Place) {
  return sql`(${sql.join([...place])})`
}
