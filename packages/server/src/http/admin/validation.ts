import type { TObject } from 'typebox'
import { type ApiError, badRequest } from '../../core/errors.ts'
import { parseJson, refuseUnfit, shortName } from '../json.ts'

/** What a compiled schema finds wrong. */
interface Flaw {
  keyword: string
  instancePath: string
  params: object
  message: string
}

/** A compiled schema. */
export interface Judge {
  Check(value: unknown): boolean
  Errors(value: unknown): Flaw[]
}

/** The value of a body of JSON that is as its schema says. Throws `api.error.badrequest` that names the member. */
export function checked(text: string | undefined, judge: Judge | undefined): unknown {
  if (!judge) return text === undefined ? undefined : refuseBody(text)
  return judged(text === undefined ? {} : parseJson(text), judge)
}

/** The parameters of a query by their schema. Throws `api.error.badrequest` that names the parameter. */
export function readQuery(query: string, schema: TObject, judge: Judge): unknown {
  const values: Record<string, unknown> = Object.create(null)
  for (const [name, text] of new URLSearchParams(query)) {
    refuseUnfit(text, shortName(name))
    if (name in values) throw badRequest(shortName(name), 'It is there twice.')
    values[name] = typed(text, schema.properties[name])
  }
  return judged({ ...values }, judge)
}

// What is no number or truth value stays a text, for the judge to refuse.
function typed(text: string, schema: object | undefined): unknown {
  const type = schema && 'type' in schema ? schema.type : undefined
  if (type === 'integer' && /^\d{1,15}$/.test(text)) return Number(text)
  if (type === 'boolean' && (text === 'true' || text === 'false')) return text === 'true'
  return text
}

// An empty object is what clients send that cannot send nothing.
function refuseBody(text: string): undefined {
  const value = parseJson(text)
  if (JSON.stringify(value) === '{}') return undefined
  throw badRequest('body', 'There must be none.')
}

function judged(value: unknown, judge: Judge): unknown {
  if (judge.Check(value)) return value
  throw explained(judge.Errors(value))
}

/** The first flaw in words. A value that fits none of several schemas is explained by what the last of them, the union, says. */
function explained(flaws: Flaw[]): ApiError {
  const union = flaws.find(({ keyword }) => keyword === 'anyOf')
  const flaw = union ?? flaws.find(({ keyword }) => keyword !== 'boolean')
  if (!flaw) return badRequest('body', 'It is not what is expected.')
  return explain(flaw)
}

function explain({ keyword, instancePath, params, message }: Flaw): ApiError {
  const within = fieldOf(instancePath)
  const [missing] = list(params, 'requiredProperties')
  if (keyword === 'required' && missing !== undefined) return badRequest(member(within, missing), 'It is required.')
  const [unknown] = list(params, 'additionalProperties')
  if (unknown !== undefined) return badRequest(member(within, unknown), 'There is no such member here.')
  const allowed = list(params, 'allowedValues')
  const field = within || 'body'
  if (allowed.length > 0) return badRequest(field, `It is one of ${allowed.join(', ')}.`)
  if (keyword === 'anyOf') return badRequest(field, 'It is none of the kinds of value that it can be.')
  return badRequest(field, `It ${message}.`)
}

/** `/members/0/name` as people write it: `members[0].name`. */
function fieldOf(pointer: string): string {
  const parts = pointer.split('/').slice(1)
  return parts
    .map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'))
    .reduce((field, part) => (/^\d+$/.test(part) ? `${field}[${part}]` : member(field, part)), '')
}

function member(within: string, name: string): string {
  return within ? `${within}.${shortName(name)}` : shortName(name)
}

function list(params: object, name: string): string[] {
  const value: unknown = name in params ? Object.entries(params).find(([key]) => key === name)?.[1] : undefined
  return Array.isArray(value) ? value.map(String) : []
}
