import type { WireAnswer } from '../support/wire.ts'

export type ClientName = 'php' | 'python' | 'java' | 'c'

/** What a client takes an answer for. `many` of them come as an array. */
export type Kind =
  | 'ping'
  | 'organization'
  | 'user'
  | 'domain'
  | 'image'
  | 'token'
  | 'session'
  | 'bypassCode'
  | 'hardwareToken'
  | 'void'

/** One call of a client's method. */
export interface Asked {
  method: string
  path: string
  /** as the client wrote it, one character a byte; undefined when it has none at all */
  body?: string | undefined
  returns: Kind
  many?: boolean | undefined
}

/** Where a client was told to go. */
export interface Target {
  origin: string
  apiKey: string
}

/** A published client of LoginTC's API: the bytes that it puts on the wire, and what it makes of the answer. */
export interface Client {
  name: ClientName
  /** It asks on one connection; others open one each time. */
  keepsAlive: boolean
  write(target: Target, asked: Asked): string
  /** What its caller gets. Throws a Thrown for what the client throws, or dies of. */
  parse(asked: Asked, answer: WireAnswer): unknown
}

/** An exception of a client, by its class's name; with the API's code if the client hands that on. */
export class Thrown extends Error {
  readonly type: string
  readonly code: string | undefined

  constructor(type: string, message: string, code?: string) {
    super(message)
    this.type = type
    this.code = code
  }
}

export function hostOf({ origin }: Target): string {
  return new URL(origin).host
}

/** What the three larger clients take for success. */
export function isSuccess({ status }: WireAnswer): boolean {
  return status === 200 || status === 201 || status === 202
}

/** JSON, or undefined for what is none. */
export function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined // the clients differ in what they do then
  }
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
