import { type ApiErrorCode, apiErrors, statusOf } from '@countersign/protocol/errors.ts'
import { compatibleType } from './compatible/objects.ts'
import { compatible } from './compatible.ts'
import { Components } from './components.ts'
import { type Chapter, type Described, type Example, parametersOf } from './described.ts'
import { management } from './management.ts'
import { parameterAbout, template } from './names.ts'
import type {
  MediaType,
  OpenApi,
  OperationObject,
  ParameterObject,
  Reference,
  ResponseObject,
  SchemaObject,
} from './open-api.ts'
import { withSamples } from './samples.ts'

/** Both APIs, in the order in which they are told of. */
export const chapters: Chapter[] = [compatible, management]

const about =
  'Ask whether it is really the user, and manage who is asked and how. Every answer that is no success has the same body, ' +
  '`{"errors":[{"code":"…","message":"…"}]}`: the code is for programs and stays, the message is for people. What is another ' +
  'organization’s is answered as what does not exist. `x-permission` says what a key or an administrator needs for an operation.'

const everywhere: ApiErrorCode[] = [
  'api.error.unauthorized',
  'api.error.forbidden',
  'api.error.internal',
  'api.error.unavailable',
]
const securitySchemes = {
  apiKey: {
    type: 'apiKey',
    in: 'header',
    name: 'Authorization',
    description: 'An API key as LoginTC’s clients send it: `LoginTC key="…64 letters and digits…"`.',
  },
  bearer: { type: 'http', scheme: 'bearer', description: 'An API key as RFC 6750 sends it.' },
  cookie: {
    type: 'apiKey',
    in: 'cookie',
    name: '__Host-countersign',
    description:
      'The session of an administrator who is signed in, in a browser. What changes something must come from a page of this server.',
  },
}

/** The OpenAPI 3.1 document of both APIs, for a server at this address. */
export function openApiDocument(serverUrl: string): OpenApi {
  const components = new Components()
  const used = new Set<string>()
  const paths: OpenApi['paths'] = {}
  for (const chapter of chapters) {
    for (const operation of chapter.operations) {
      const path = template(operation.path)
      for (const name of parametersOf(operation.path)) used.add(name)
      paths[path] ??= {}
      paths[path][operation.method.toLowerCase()] = operationOf(operation, chapter, components)
    }
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'Countersign',
      version: '1',
      description: about,
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    servers: [{ url: serverUrl }],
    tags: chapters.flatMap(({ sections }) => sections.map(({ tag, about }) => ({ name: tag, description: about }))),
    'x-tagGroups': chapters.map(({ title, about, sections }) => ({
      name: title,
      description: about,
      tags: sections.map(({ tag }) => tag),
    })),
    paths,
    components: {
      schemas: { ...components.schemas, Errors: errorsSchema },
      parameters: Object.fromEntries([...used].map((name) => [name, pathParameter(name)])),
      responses: Object.fromEntries(codes().map((code) => [code, refusal([code])])),
      securitySchemes,
    },
  }
}

function operationOf(operation: Described, { security }: Chapter, components: Components): OperationObject {
  const { tag, id, summary, permission, path } = operation
  const parameters = [
    ...parametersOf(path).map((name) => ({ $ref: `#/components/parameters/${name}` })),
    ...queryParameters(operation, components),
    ...(operation.takesIfMatch ? [ifMatch] : []),
  ]
  return {
    tags: [tag],
    operationId: id,
    summary,
    ...(operation.about !== undefined && { description: operation.about }),
    ...(permission !== null && { 'x-permission': permission }),
    security: permission === null ? [] : (operation.security ?? security).map((scheme) => ({ [scheme]: [] })),
    ...(parameters.length > 0 && { parameters }),
    ...(hasBody(operation) && { requestBody: requestBody(operation, components) }),
    responses: { [operation.status]: success(operation, components), ...refusals(operation) },
  }
}

function queryParameters({ query, examples }: Described, components: Components): ParameterObject[] {
  return Object.entries(query).map(([name, schema]) => {
    const { description, ...rest } = components.refer(schema)
    const example = withSamples(examples.find((each) => each.query?.[name] !== undefined)?.query?.[name])
    const typed = rest.type === 'integer' ? Number(example) : example
    return {
      name,
      in: 'query',
      required: !('~optional' in schema),
      ...(typeof description === 'string' && { description }),
      schema: rest,
      ...(example !== undefined && { example: typed }),
    }
  })
}

const ifMatch = {
  name: 'If-Match',
  in: 'header',
  required: false,
  description: 'the `ETag` of what you saw: when it is no longer that, nothing is changed',
  schema: { type: 'string' },
}

function pathParameter(name: string): ParameterObject {
  return {
    name,
    in: 'path',
    required: true,
    description: parameterAbout(name),
    schema: { $ref: '#/components/schemas/Id' },
    example: withSamples(`{${name}}`),
  }
}

/** Whether anything is sent with it. */
function hasBody({ body, bodyType }: Described): boolean {
  return body !== undefined || !bodyType.endsWith('json')
}

function requestBody(
  { body, bodyType, examples }: Described,
  components: Components,
): NonNullable<OperationObject['requestBody']> {
  const sent = examples.filter((example) => example.body !== undefined)
  return {
    required: true,
    content: {
      [bodyType]: { ...(body && { schema: components.refer(body) }), ...shown(sent, (example) => example.body) },
    },
  }
}

function success({ status, replies, headers, examples }: Described, components: Components): ResponseObject {
  const types = Object.entries(replies)
  const content = types.map(([type, schema], index) => {
    const fitting = examples.filter(
      ({ mediaType, reply }) => reply !== undefined && (mediaType ?? types[0]?.[0]) === type,
    )
    if (index === 0 && schema === undefined) return [type, {}]
    return [type, { schema: components.refer(schema), ...shown(fitting, (example) => example.reply) }]
  })
  const told = Object.entries(headers).map(([name, description]) => [name, { description, schema: { type: 'string' } }])
  return {
    description: (types.length > 0 && successWords[status]) || 'Done; the answer is empty.',
    ...(told.length > 0 && { headers: Object.fromEntries(told) }),
    ...(types.length > 0 && { content: Object.fromEntries(content) }),
  }
}

const successWords: Record<number, string> = { 200: 'Done.', 201: 'Created.', 204: 'Done.' }

/** Example objects, in the form that OpenAPI wants for one and for several. */
function shown(examples: Example[], of: (example: Example) => unknown): Omit<MediaType, 'schema'> {
  const [first, ...more] = examples
  if (!first) return {}
  if (more.length === 0 && first.title === undefined) return { example: withSamples(of(first)) }
  const entries = examples.map((example, index) => {
    const summary = example.title ?? `Example ${index + 1}`
    return [summary.toLowerCase().replaceAll(/[^a-z0-9]+/g, '-'), { summary, value: withSamples(of(example)) }]
  })
  return { examples: Object.fromEntries(entries) }
}

function refusals({ refusals, permission }: Described): OperationObject['responses'] {
  const all = [...new Set([...refusals, ...(permission === null ? everywhere.slice(2) : everywhere)])]
  const byStatus = Map.groupBy(all, statusOf)
  const sorted = [...byStatus].sort(([one], [other]) => one - other)
  return Object.fromEntries(sorted.map(([status, codes]) => [status, responseOf(codes)]))
}

function responseOf(codes: ApiErrorCode[]): ResponseObject | Reference {
  return codes.length === 1 ? { $ref: `#/components/responses/${codes[0]}` } : refusal(codes)
}

function refusal(codes: ApiErrorCode[]): ResponseObject {
  const examples = codes.map((code) => [code, { value: { errors: [{ code, message: apiErrors[code].about }] } }])
  return {
    description: codes.map((code) => `\`${code}\`: ${apiErrors[code].about}`).join('\n\n'),
    content: {
      [compatibleType]: {
        schema: { $ref: '#/components/schemas/Errors' },
        examples: Object.fromEntries(examples),
      },
    },
  }
}

const errorsSchema: SchemaObject = {
  type: 'object',
  required: ['errors'],
  properties: {
    errors: {
      type: 'array',
      minItems: 1,
      items: {
        type: 'object',
        required: ['code', 'message'],
        properties: {
          code: { type: 'string', enum: codes(), description: 'for programs' },
          message: { type: 'string', description: 'a sentence for people' },
        },
      },
    },
  },
}

function codes(): ApiErrorCode[] {
  // Object.keys forgets the keys' type; the table is a literal, so it has no others.
  return Object.keys(apiErrors) as ApiErrorCode[]
}
