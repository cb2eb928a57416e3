import { Compile } from 'typebox/schema'
import type { OpenApi, SchemaObject } from '../../src/http/openapi/open-api.ts'

/** What a value has that its schema does not say, or lacks: '' when it is exactly as the document says. */
export function flaws(document: OpenApi, schema: SchemaObject, value: unknown): string {
  const validator = Compile(sealed(document, schema) as object)
  if (validator.Check(value)) return ''
  const [, errors] = validator.Errors(value)
  return `${errors.map(({ instancePath, message }) => `${instancePath} ${message}`).join('; ')}: ${JSON.stringify(value)}`
}

/** With components in the place of references, and no object with members that nobody described. */
function sealed(document: OpenApi, value: unknown): unknown {
  if (Array.isArray(value)) return value.map((item) => sealed(document, item))
  if (typeof value !== 'object' || value === null) return value
  if ('$ref' in value) return sealed(document, document.components.schemas[String(value.$ref).split('/').at(-1) ?? ''])
  const inner = Object.fromEntries(Object.entries(value).map(([name, part]) => [name, sealed(document, part)]))
  return 'properties' in value && 'type' in value ? { additionalProperties: false, ...inner } : inner
}
