import { fromBase64url } from '@countersign/protocol/base64url.ts'
import { Refusal } from './refusals.ts'

export type Json = Record<string, unknown>

export function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** Reads members of an answer one by one; throws `strange_answer` for what is not as the protocol has it. */
export const read = {
  text: (from: Json, name: string): string => expect(from[name], name, (value) => typeof value === 'string'),
  integer: (from: Json, name: string): number =>
    expect(from[name], name, (value): value is number => Number.isSafeInteger(value)),
  id: (from: Json, name: string): string => {
    const value = read.text(from, name)
    return expect(value, name, (text): text is string => /^[0-9a-f]{40}$/.test(String(text)))
  },
  bytes: (from: Json, name: string, length: number): string => {
    const value = read.text(from, name)
    return expect(value, name, (text): text is string => fromBase64url(String(text))?.length === length)
  },
  object: (from: Json, name: string): Json => expect(from[name], name, isObject),
  objects: (from: Json, name: string): Json[] =>
    expect(from[name], name, (value): value is Json[] => Array.isArray(value) && value.every(isObject)),
  list: (from: Json, name: string): unknown[] => expect(from[name], name, Array.isArray),
  word: <Word extends string>(from: Json, name: string, words: readonly Word[]): Word =>
    expect(from[name], name, (value): value is Word => words.some((word) => word === value)),
}

function expect<Value>(value: unknown, name: string, is: (value: unknown) => value is Value): Value {
  if (is(value)) return value
  throw new Refusal('strange_answer', { status: 200, cause: new TypeError(`"${name}" is not as expected`) })
}
