// The types of the management client are what the server's schemas say: both become TypeScript, and the compiler compares.
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import ts from 'typescript'
import { management } from '../../server/src/http/openapi/management.ts'
import { operationCalls } from './management-calls.ts'

const root = join(import.meta.dirname, '../../..')
const file = join(import.meta.dirname, 'generated-for-this-test.ts')

// Read in both directions, one below the other: a member that one of them lacks is an error of one line.
const head = `import type * as M from '@countersign/protocol/management.ts'
type Flat<T> = T extends (infer I)[] ? Flat<I>[] : T extends object ? { [K in keyof T]: Flat<T[K]> } : T
type Same<A, B> = (<T>() => T extends Flat<A> ? 1 : 2) extends <T>() => T extends Flat<B> ? 1 : 2 ? true : false
`

test('what the client takes and gives is what the schemas of the server say, member by member', () => {
  const lines = management.operations.flatMap(({ id, query, body, replies }) => {
    const { reply, body: ownBody, query: ownQuery } = operationCalls[id] ?? assert.fail(id)
    const schemas: [string, unknown, string | undefined][] = [
      ['reply', replies['application/json'], reply],
      ['body', body, ownBody],
      ['query', Object.keys(query).length === 0 ? undefined : { type: 'object', ...objectOf(query) }, ownQuery],
    ]
    return schemas.flatMap(([part, schema, own]) =>
      schema || own ? [`export const ${id}_${part}: Same<${typeOf(schema)}, ${own ?? 'never'}> = true`] : [],
    )
  })
  assert.ok(lines.length > 60)
  assert.deepEqual(mistakes(`${head}${lines.join('\n')}\n`), [])
  const wrong = 'export const wrong: Same<{ q: string }, M.UserQuery> = true\n'
  assert.equal(mistakes(head + wrong).length, 1)
})

interface Schema {
  type?: string
  enum?: unknown[]
  anyOf?: Schema[]
  items?: Schema
  properties?: Record<string, Schema>
  required?: string[]
}

function objectOf(query: object): Schema {
  // What is optional carries a mark that JSON does not show.
  const required = Object.entries(query).flatMap(([name, schema]) => ('~optional' in schema ? [] : [name]))
  return { properties: Object.fromEntries(Object.entries(query)), required }
}

function typeOf(schema: unknown): string {
  const { type, enum: words, anyOf, items, properties = {}, required = [] } = (schema ?? {}) as Schema
  if (words) return words.map((word) => JSON.stringify(word)).join(' | ')
  if (anyOf) return `(${anyOf.map(typeOf).join(' | ')})`
  if (type === 'array') return `(${typeOf(items)})[]`
  if (type === 'integer') return 'number'
  if (type !== 'object') return type ?? 'unknown'
  const members = Object.entries(properties).map(
    ([name, member]) => `${name}${required.includes(name) ? '' : '?'}: ${typeOf(member)}`,
  )
  return members.length === 0 ? 'Record<string, unknown>' : `{ ${members.join('; ')} }`
}

/** What the compiler says of a module that stands beside this one. */
function mistakes(code: string): string[] {
  const { config } = ts.readConfigFile(join(root, 'tsconfig.json'), ts.sys.readFile)
  const { options } = ts.convertCompilerOptionsFromJson(config.compilerOptions, root)
  const host = ts.createCompilerHost(options)
  const { getSourceFile, fileExists } = host
  host.fileExists = (name) => name === file || fileExists(name)
  host.getSourceFile = (name, target, ...rest) =>
    name === file ? ts.createSourceFile(name, code, target) : getSourceFile(name, target, ...rest)
  const program = ts.createProgram([file], { ...options, types: [] }, host)
  return ts.getPreEmitDiagnostics(program).map(({ messageText, start = 0 }) => {
    const line = code.slice(0, start).split('\n').length - 1
    return `${ts.flattenDiagnosticMessageText(messageText, ' ')}: ${code.split('\n')[line]}`
  })
}
