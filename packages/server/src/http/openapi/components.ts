import type { TSchema } from 'typebox'
import { Id, Time } from '../admin/objects.ts'
import {
  BypassCode,
  DetailedSession,
  DetailedToken,
  Domain,
  HardwareToken,
  Organization,
  Ping,
  Session,
  Token,
  User,
} from './compatible/objects.ts'
import { NewUser } from './compatible/users.ts'
import { management, nouns } from './management.ts'
import { objectName } from './names.ts'
import type { SchemaObject } from './open-api.ts'

const compatibleObjects = {
  ...{ Id, Time, Ping, Organization, User, NewUser, Domain, Token, DetailedToken, Session, DetailedSession },
  ...{ BypassCode, HardwareToken },
}

/** The schemas that stand in one place and are referred to; whatever schema looks like one of them is that one. */
export class Components {
  readonly #nameOf = new Map<string, string>()
  readonly #schemas = new Map<string, unknown>()

  constructor() {
    for (const [name, schema] of Object.entries(compatibleObjects)) this.#add(name, schema)
    for (const { path, id, replies } of management.operations) {
      const object = objectIn(Object.values(replies)[0])
      if (object === undefined || this.#nameOf.has(JSON.stringify(object))) continue
      const name = `Managed${objectName(path.replace('/admin/v1/', ''), (segment) => nouns[segment]?.one)}`
      this.#add(this.#schemas.has(name) ? `${id.replace('admin', 'Managed')}Reply` : name, object)
    }
  }

  /** The schema with references to the components in it. */
  refer(schema: TSchema | undefined): SchemaObject {
    return this.#referring(plain(schema)) as SchemaObject // TypeBox makes what JSON Schema says
  }

  get schemas(): Record<string, SchemaObject> {
    return Object.fromEntries([...this.#schemas].map(([name, schema]) => [name, this.#within(schema) as SchemaObject]))
  }

  #add(name: string, schema: unknown): void {
    this.#nameOf.set(JSON.stringify(schema), name)
    this.#schemas.set(name, plain(schema))
  }

  #referring(value: unknown): unknown {
    const name = this.#nameOf.get(JSON.stringify(value))
    return name === undefined ? this.#within(value) : { $ref: `#/components/schemas/${name}` }
  }

  #within(value: unknown): unknown {
    if (Array.isArray(value)) return value.map((item) => this.#referring(item))
    if (typeof value !== 'object' || value === null) return value
    return Object.fromEntries(Object.entries(value).map(([name, part]) => [name, this.#referring(part)]))
  }
}

// TypeBox keeps what it knows of a schema in members that JSON does not have.
function plain(schema: unknown): unknown {
  return JSON.parse(JSON.stringify(schema ?? {}))
}

/** The object that an answer shows: it, or the item of a list. */
function objectIn(reply: TSchema | undefined): unknown {
  const schema = reply && plain(reply)
  const items = at(schema, 'properties', 'items', 'items')
  return at(items ?? schema, 'properties') === undefined ? undefined : (items ?? schema)
}

function at(value: unknown, ...names: string[]): unknown {
  return names.reduce<unknown>((part, name) => {
    const own =
      typeof part === 'object' && part !== null ? Object.entries(part).find(([key]) => key === name) : undefined
    return own?.[1]
  }, value)
}
