import type { ClientName } from './client.ts'

/** What the callers of the clients get: all of them the same but those that are named. */
export type Seen = { all: unknown } & Partial<Record<ClientName, unknown>>

type Document = Record<string, unknown>

export const nothing: Seen = { all: undefined }

export const pong: Seen = { all: true, python: { status: 'OK' } }

export function same(document: unknown): Seen {
  return { all: document }
}

export function user(document: Document): Seen {
  return { all: document, php: phpUser(document) }
}

export function users(documents: Document[]): Seen {
  return { all: documents, php: documents.map(phpUser) }
}

export function domain(document: Document): Seen {
  const { id, name, type, keyType } = document
  return { all: document, php: { id, name, type, keyType } }
}

export function pendingToken(code: string): Seen {
  return { all: { state: 'pending', code }, java: { state: 'PENDING', code: code.toUpperCase() } }
}

/** PHP knows no token without a code. */
export const activeToken: Seen = { all: { state: 'active' }, php: null, java: { state: 'ACTIVE', code: null } }

export function session(id: string, state: 'pending' | 'approved' | 'denied'): Seen {
  const constant = ['pending', 'approved', 'denied'].indexOf(state)
  return { all: { id, state }, java: { id, state: state.toUpperCase() }, c: { id, state: constant } }
}

export interface BypassCode extends Document {
  dtExpiry: string
}

export function bypassCode(document: BypassCode): Seen {
  return { all: document, java: withDate(document) }
}

export function bypassCodes(documents: BypassCode[]): Seen {
  return { all: documents, java: documents.map(withDate) }
}

function phpUser({ id, username, name, email, domains }: Document): Document {
  return { id, username, name, email, domains }
}

function withDate(document: BypassCode): Document {
  return { ...document, dtExpiry: new Date(document.dtExpiry.replace('+0000', 'Z')) }
}
