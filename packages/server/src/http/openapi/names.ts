import { parametersOf } from './described.ts'

/** What a segment of a management path stands for. */
export interface Noun {
  tag: string
  about: string
  /** one of them, as in names; absent where there is only one */
  one?: string
}

/** The segments of a path that are no parameters. */
export function namesIn(path: string): string[] {
  return path.split('/').filter((segment) => !segment.startsWith(':'))
}

const verbs: Record<string, string> = { GET: 'Get', POST: 'Create', PUT: 'Put', PATCH: 'Update', DELETE: 'Delete' }

/**
 * The operationId of a management route, from its address: `PATCH domains/:domainId` is adminUpdateDomain, `GET domains` is
 * adminListDomains, `POST tokens/:tokenId/suspend` is adminSuspendToken.
 */
export function operationId(
  method: string,
  path: string,
  { noun, lists }: { noun(segment: string): string | undefined; lists: boolean },
): string {
  const names = namesIn(path)
  const last = names.at(-1) ?? ''
  const one = (segment: string) => noun(segment) ?? pascal(segment)
  const acts = method === 'POST' && names.length > 1 && !noun(last) && !path.endsWith('s')
  if (acts) return `admin${pascal(last)}${names.slice(0, -1).map(one).join('')}`
  const isOne = path.split('/').at(-1)?.startsWith(':') ?? false
  const whole = !isOne && (lists || (method !== 'POST' && noun(last) !== undefined && last.endsWith('s')))
  const tail = whole ? pascal(last) : one(last)
  return `admin${lists ? 'List' : verbs[method]}${names.slice(0, -1).map(one).join('')}${tail}`
}

/** The name of what an operation answers with, for a component: the noun that its address ends with. */
export function objectName(path: string, noun: (segment: string) => string | undefined): string {
  const last = namesIn(path).findLast((segment) => noun(segment)) ?? namesIn(path).at(-1) ?? ''
  return noun(last) ?? pascal(last)
}

/** What a parameter of a path is, in words: `bypassCodeId` is the id of the bypass code. */
export function parameterAbout(name: string): string {
  const words = name.replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`)
  return words.endsWith(' id') ? `id of the ${words.slice(0, -3)}` : words
}

/** `a/:b` as OpenAPI writes it: `a/{b}`. */
export function template(path: string): string {
  return parametersOf(path).reduce((text, name) => text.replace(`:${name}`, `{${name}}`), path)
}

function pascal(segment: string): string {
  return segment.replace(/(?:^|-)([a-z])/g, (_, letter: string) => letter.toUpperCase())
}
