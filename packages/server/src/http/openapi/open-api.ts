/** What we write of OpenAPI 3.1 (https://spec.openapis.org/oas/v3.1.0), and therefore read. */
export interface OpenApi {
  openapi: string
  info: { title: string; version: string; description: string; license: { name: string; identifier: string } }
  servers: { url: string }[]
  tags: { name: string; description: string }[]
  /** chapters of tags, as Redocly and Scalar show them */
  'x-tagGroups': { name: string; description: string; tags: string[] }[]
  /** by path, then by method in lower case */
  paths: Record<string, Record<string, OperationObject>>
  components: {
    schemas: Record<string, SchemaObject>
    parameters: Record<string, ParameterObject>
    responses: Record<string, ResponseObject>
    securitySchemes: Record<string, { type: string; description: string }>
  }
}

export interface Reference {
  $ref: string
}

export interface OperationObject {
  tags: string[]
  operationId: string
  summary: string
  description?: string
  /** what a key or an administrator needs; absent where nobody needs to be signed in */
  'x-permission'?: string
  security: Record<string, string[]>[]
  parameters?: (ParameterObject | Reference)[]
  requestBody?: { required: boolean; content: Record<string, MediaType> }
  responses: Record<string, ResponseObject | Reference>
}

export interface ParameterObject {
  name: string
  in: string
  required: boolean
  description?: string
  schema: SchemaObject
  example?: unknown
}

export interface ResponseObject {
  description: string
  headers?: Record<string, { description: string; schema: SchemaObject }>
  content?: Record<string, MediaType>
}

export interface MediaType {
  schema?: SchemaObject
  example?: unknown
  examples?: Record<string, { summary?: string; value: unknown }>
}

/** JSON Schema 2020-12, in what we use of it. */
export interface SchemaObject {
  $ref?: string
  type?: string
  description?: string
  enum?: unknown[]
  const?: unknown
  format?: string
  pattern?: string
  minimum?: number
  maximum?: number
  minLength?: number
  maxLength?: number
  minItems?: number
  maxItems?: number
  items?: SchemaObject
  anyOf?: SchemaObject[]
  properties?: Record<string, SchemaObject>
  patternProperties?: Record<string, SchemaObject>
  additionalProperties?: boolean | SchemaObject
  required?: string[]
}

/** What a reference stands for, among the components of its kind. */
export function resolved<Thing extends object>(thing: Thing | Reference, components: Record<string, Thing>): Thing {
  if (!isReference(thing)) return thing
  const found = components[thing.$ref.split('/').at(-1) ?? '']
  if (!found) throw new Error(`the document refers to ${thing.$ref}, which it does not have`)
  return found
}

function isReference(thing: object): thing is Reference {
  return '$ref' in thing
}
