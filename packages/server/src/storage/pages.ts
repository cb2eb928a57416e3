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

/** Whether a row comes before a place: for lists that begin with the newest. */
export function isBefore(columns: readonly string[], place: Place): RawBuilder<boolean> {
  return sql<boolean>`${row(columns)} < ${values(place)}`
}

function row(columns: readonly string[]) {
  return sql`(${sql.join(columns.map((column) => sql.ref(column)))})`
}

function values(place: Place) {
  return sql`(${sql.join([...place])})`
}
